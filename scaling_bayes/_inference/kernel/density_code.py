"""The log density of a model, and its gradient."""

from __future__ import annotations

import math

import numpy as np

from scaling_bayes._inference.kernel.discrepancy_code import back_from_shift, shift
from scaling_bayes._inference.kernel.jit import jitted
from scaling_bayes._inference.kernel.noise_code import (
    back_from_roots,
    normal,
    roots_of_means,
    scatter,
    student_t,
)
from scaling_bayes._inference.kernel.power_sum_code import (
    back_from_centre,
    back_from_exponents,
    back_from_runs,
    back_from_shares,
    curve_at_runs,
    exponents,
    shares,
    terms_at_centre,
)
from scaling_bayes._inference.kernel.prior_code import N_FIELDS, log_prior, sampled

N_SIZES = 10
"""Whole numbers at the head of a table."""


@jitted
def log_density(
    point: np.ndarray, gradient: np.ndarray, natural: np.ndarray, table: np.ndarray
) -> float:
    """Return the log density at a point of the sampler's coordinates, and write its gradient.

    Parameters
    ----------
    point : ndarray, shape (dimension,)
        In order: log of each exponent parameter, log loss at the centre, shares of it (PyMC's
        simplex coordinates), log sigma, log nu, log of the part of noise in common, log tau, and
        the discrepancy's offsets; logs of how far above its lower bound a parameter is; what the
        model lacks is left out.
    gradient : ndarray, shape (dimension,)
        Written.
    natural : ndarray, shape (parameters + shares + components,)
        Written: the parameters in the order of their priors (exponents, floor, scales, sigma, nu,
        common, tau), the shares, and the weights of the discrepancy along its directions.
    table : ndarray
        `N_SIZES` whole numbers: its length, runs, terms, exponent parameters, whether there is a
        floor, whether there is nu, whether runs of a size have noise in common, components, the
        length of `natural`, and the digest of the code that reads it. Then priors (parameter,
        field), monomials (term + 1, exponent parameter + 1), log centres (term), log sizes from
        there (term, run), log loss, weight and its root (run), the sum of the logs of these; how
        many runs repeat a size, and the sum of their squares around its mean; and of the
        discrepancy strengths (direction) and what each does to the runs (direction, run).
    """
    n, n_terms, n_exponents = int(table[1]), int(table[2]), int(table[3])
    floor, heavy, by_size, n_components = (
        int(table[4]),
        int(table[5]),
        int(table[6]),
        int(table[7]),
    )
    n_powers, n_shares, smooth = n_terms + 1, n_terms + floor, int(n_components > 0)
    n_parameters = n_exponents + n_shares + 1 + heavy + by_size + smooth
    at = N_SIZES
    priors = table[at : at + n_parameters * N_FIELDS].reshape((n_parameters, N_FIELDS))
    at += n_parameters * N_FIELDS
    width = n_exponents + 1
    monomials = table[at : at + n_powers * width].reshape((n_powers, width))
    at += n_powers * width
    log_centres = table[at : at + n_terms]
    at += n_terms
    sizes = table[at : at + n_terms * n].reshape((n_terms, n))
    at += n_terms * n
    observed, weight = table[at : at + n], table[at + n : at + 2 * n]
    root_weight = table[at + 2 * n : at + 3 * n]
    at += 3 * n
    log_weights, repeats, squares = float(table[at]), float(table[at + 1]), float(table[at + 2])
    at += 3
    strengths = table[at : at + n_components]
    at += n_components
    effects = table[at : at + n * n_components].reshape((n_components, n))
    at_share = n_exponents + 1
    at_sigma = n_exponents + n_shares
    at_common = at_sigma + 1 + heavy
    at_tau = at_common + by_size
    offset = point[at_tau + 1 :]

    # The law at the centre of the runs; see `scaling_bayes._inference.coordinates.centred`.
    powers, by_power = np.empty(n_powers), np.zeros(n_powers)
    by_coordinate = np.empty(n_exponents)
    total = exponents(point, priors, monomials, natural, gradient, powers, by_coordinate)
    log_total = float(point[n_exponents])
    log_share = np.empty(n_shares)
    total += shares(point[at_share:], log_share)
    log_terms = np.empty(n_terms)
    by_log_share = np.ones(n_shares)
    total += n_shares * log_total - math.log(powers[n_terms])
    by_power[n_terms] -= 1.0 / powers[n_terms]
    for i in range(n_terms):
        log_terms[i] = log_total + log_share[floor + i]
        total -= log_terms[i]
        by_log_share[floor + i] -= 1.0
    by_log_total = float(floor)
    floor_value, by_log_floor = 0.0, 0.0
    if floor:
        floor_value = math.exp(log_total + log_share[0])
        natural[n_exponents] = floor_value
        density, by_log_floor = log_prior(
            priors[n_exponents], log_total + log_share[0], floor_value
        )
        total += density
    log_inner, by_log_inner = np.empty(n_terms), np.zeros(n_terms)
    total += terms_at_centre(
        log_terms,
        powers,
        log_centres,
        priors[n_exponents + floor :],
        natural[n_exponents + floor :],
        log_inner,
        by_log_inner,
        by_power,
    )
    for i in range(n_shares):
        natural[n_parameters + i] = math.exp(log_share[i])

    # The law at the runs, discrepancy and noise.
    log_loss, reducible = np.empty(n), np.empty(n)
    terms, inside, log_inside = np.empty((n_terms, n)), np.empty(n), np.empty(n)
    curve_at_runs(
        floor_value, log_inner, powers, sizes, log_loss, reducible, terms, inside, log_inside
    )
    residual = np.empty(n)
    for j in range(n):
        residual[j] = observed[j] - log_loss[j]
    sigma, _, _, density, by_log_sigma = sampled(priors[at_sigma], point[at_sigma])
    natural[at_sigma] = sigma
    total += density
    common = 0.0
    if by_size:
        common, _, _, density, gradient[at_common] = sampled(priors[at_common], point[at_common])
        natural[at_common] = common
        total += density
        root_weight = np.empty(n)
        log_weights = roots_of_means(weight, common, root_weight)
        density, slope, by_common = scatter(repeats, squares, sigma, common)
        total += density
        by_log_sigma += slope
        gradient[at_common] += by_common
    total += log_weights
    pull, precision = np.empty(n_components), np.empty(n_components)
    along = natural[n_parameters + n_shares :]
    tau, by_log_tau = 0.0, 0.0
    if smooth:
        tau, _, _, density, by_log_tau = sampled(priors[at_tau], point[at_tau])
        natural[at_tau] = tau
        total += density
        density, slope = shift(
            residual, offset, strengths, effects, sigma, tau, pull, precision, along
        )
        total += density
        by_log_tau += slope
    by_mean = np.empty(n)
    if heavy:
        nu, _, _, density, by_nu_coordinate = sampled(priors[at_sigma + 1], point[at_sigma + 1])
        natural[at_sigma + 1] = nu
        total += density
        density, slope, by_nu = student_t(residual, root_weight, sigma, nu, by_mean)
        gradient[at_sigma + 1] = by_nu_coordinate + by_nu * math.exp(point[at_sigma + 1])
    else:
        density, slope = normal(residual, root_weight, sigma, by_mean)
    total += density
    by_log_sigma += slope
    if by_size:
        gradient[at_common] += back_from_roots(residual, by_mean, weight, common)

    # Back.
    if smooth:
        by_sigma, by_tau = back_from_shift(
            by_mean,
            offset,
            strengths,
            effects,
            sigma,
            tau,
            pull,
            precision,
            along,
            gradient[at_tau + 1 :],
        )
        by_log_sigma += by_sigma
        gradient[at_tau] = by_log_tau + by_tau
    gradient[at_sigma] = by_log_sigma
    by_log_floor += back_from_runs(
        by_mean, powers, sizes, reducible, terms, inside, log_inside, by_log_inner, by_power
    )
    by_log_term = np.zeros(n_terms)
    back_from_centre(log_terms, powers, by_log_inner, by_power, by_log_term)
    if floor:
        by_log_share[0] += by_log_floor
        by_log_total += by_log_floor
    for i in range(n_terms):
        by_log_share[floor + i] += by_log_term[i]
        by_log_total += by_log_term[i]
    gradient[n_exponents] = by_log_total
    back_from_shares(by_log_share, log_share, gradient[at_share:])
    back_from_exponents(by_power, powers, monomials, by_coordinate, gradient)
    return total
