"""The log density of a law whose groups of runs vary around common parameters, and its gradient."""

from __future__ import annotations

import math

import numpy as np

from scaling_bayes._inference.kernel.density_code import N_SIZES
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
    back_from_runs,
    curve_at_runs,
    log_sum_exp,
    terms_at_centre,
)
from scaling_bayes._inference.kernel.prior_code import N_FIELDS, log_prior, sampled

N_OF_GROUP = 2
"""Whole numbers at the head of a group: its runs, and the components of its discrepancy."""


@jitted
def pooled_log_density(
    point: np.ndarray, gradient: np.ndarray, natural: np.ndarray, table: np.ndarray
) -> float:
    """Return the log density at a point of the sampler's coordinates, and write its gradient.

    The common parameters have the priors of the law. The log of each exponent, of each term at the
    centre of all runs and of the floor is Normal around the common one in a group, with a spread
    for each of these three kinds.

    The coordinates of all these say how far each lies from where Normal theory would put it, in
    its standard deviations: the common ones given the spreads and what the runs of each group
    alone tell, those of a group given the common ones too (Papaspiliopoulos et al. 2007, between
    centred and non-centred).

    Parameters
    ----------
    point : ndarray, shape (dimension,)
        In order: the log of each spread (exponents, terms, floor); log sigma, log nu, log of the
        part of noise that runs of a size share, log tau, or how far above its lower bound each
        is; the common exponents, terms and floor; and for each group its exponents, terms and
        floor, and the offsets of its discrepancy. What the model lacks is left out.
    gradient : ndarray, shape (dimension,)
        Written.
    natural : ndarray
        Written: spreads, those of noise, tau; the common exponents, floor and scales; and for each
        group exponents, floor, scales, and the weights of its discrepancy along its directions.
    table : ndarray
        `N_SIZES` whole numbers: its length, groups, terms, exponent parameters, whether there is a
        floor, whether there is nu, whether runs of a size have noise in common, whether there is
        tau, the length of `natural`, and the digest of the code that reads it. Then priors of
        spreads, noise, tau, exponents, floor and scales; monomials and log centres as for one
        group; for each group where its runs alone put the logs of exponents, terms and floor; for
        each group with which precision; and in the same two ways something weak that is known
        without runs, as of one more group. Then for each group `N_OF_GROUP` whole numbers, and
        sizes, log loss, weights and their roots, the three figures that follow, strengths and
        effects as for one group.
    """
    n_groups, n_terms, n_exponents = int(table[1]), int(table[2]), int(table[3])
    floor, heavy, by_size, smooth = (
        int(table[4]),
        int(table[5]),
        int(table[6]),
        int(table[7]),
    )
    n_powers, n_spreads = n_terms + 1, 2 + floor
    n_varied, n_scales = n_exponents + n_terms + floor, 1 + heavy + by_size + smooth
    n_parameters = n_spreads + n_scales + n_varied
    at = N_SIZES
    priors = table[at : at + n_parameters * N_FIELDS].reshape((n_parameters, N_FIELDS))
    at += n_parameters * N_FIELDS
    width = n_exponents + 1
    monomials = table[at : at + n_powers * width].reshape((n_powers, width))
    at += n_powers * width
    log_centres = table[at : at + n_terms]
    at += n_terms
    n_told = (n_groups + 1) * n_varied
    seen = table[at : at + n_told].reshape((n_groups + 1, n_varied))
    told = table[at + n_told : at + 2 * n_told].reshape((n_groups + 1, n_varied))
    at += 2 * n_told
    at_sigma, at_common = n_spreads, n_spreads + n_scales
    at_tau, at_ratio = at_common - 1, n_spreads + 1 + heavy

    total = 0.0
    for i in range(at_common):
        natural[i], _, _, density, gradient[i] = sampled(priors[i], point[i])
        total += density
    spreads, by_log_spread = natural[:n_spreads], gradient[:n_spreads]
    sigma = natural[at_sigma]
    nu, ratio, tau = natural[at_sigma + 1], natural[at_ratio], natural[at_tau]

    # The common parameters, and the kind that each is of: exponents, terms, floor.
    kinds = np.ones(n_varied, dtype=np.int64)
    kinds[:n_exponents] = 0
    kinds[n_exponents + n_terms :] = 2
    common, by_common = np.empty(n_varied), np.zeros(n_varied)
    deviations = np.empty(n_varied)
    by_value, by_deviation = np.empty(n_varied), np.empty(n_varied)
    for i in range(n_varied):
        common[i], deviations[i], by_value[i], by_deviation[i] = expected(
            seen[:, i], told[:, i], spreads[kinds[i]], point[at_common + i]
        )
        total += math.log(deviations[i])
    powers, by_power = np.empty(n_powers), np.zeros(n_powers)
    powers_of(common, monomials, powers)
    at_natural = at_common
    for i in range(n_exponents):
        natural[at_natural + i] = math.exp(common[i])
        density, slope = log_prior(priors[at_natural + i], common[i], natural[at_natural + i])
        total += density + common[i]
        by_common[i] += slope + 1.0
    at_natural += n_exponents
    if floor:
        log_floor = common[n_varied - 1]
        natural[at_natural] = math.exp(log_floor)
        density, slope = log_prior(priors[at_natural], log_floor, natural[at_natural])
        total += density + log_floor
        by_common[n_varied - 1] += slope + 1.0
    log_inner, by_log_inner = np.empty(n_terms), np.zeros(n_terms)
    total -= math.log(powers[n_terms])
    by_power[n_terms] -= 1.0 / powers[n_terms]
    log_terms = common[n_exponents : n_exponents + n_terms]
    total += terms_at_centre(
        log_terms,
        powers,
        log_centres,
        priors[at_natural + floor :],
        natural[at_natural + floor :],
        log_inner,
        by_log_inner,
        by_power,
    )
    back_from_centre(log_terms, powers, by_log_inner, by_power, by_common[n_exponents:])
    back_from_powers(by_power, powers, monomials, by_common)

    # Each group.
    at_point, at_natural = at_common + n_varied, n_parameters
    own, own_powers = np.empty(n_varied), np.empty(n_powers)
    for g in range(n_groups):
        n, n_components = int(table[at]), int(table[at + 1])
        at += N_OF_GROUP
        sizes = table[at : at + n_terms * n].reshape((n_terms, n))
        at += n_terms * n
        observed, weight = table[at : at + n], table[at + n : at + 2 * n]
        root_weight = table[at + 2 * n : at + 3 * n]
        at += 3 * n
        if by_size:
            root_weight = np.empty(n)
            total += roots_of_means(weight, ratio, root_weight)
            density, slope, by_ratio = scatter(table[at + 1], table[at + 2], sigma, ratio)
            total += density
            gradient[at_sigma] += slope
            gradient[at_ratio] += by_ratio
        else:
            total += table[at]
        at += 3
        strengths = table[at : at + n_components]
        at += n_components
        effects = table[at : at + n * n_components].reshape((n_components, n))
        at += n * n_components
        for i in range(n_varied):
            spread = spreads[kinds[i]]
            narrowed = 1.0 + told[g, i] * spread * spread
            pulled = 1.0 - 1.0 / narrowed
            own[i] = common[i] + pulled * (seen[g, i] - common[i])
            own[i] += spread / math.sqrt(narrowed) * point[at_point + i]
            z = (own[i] - common[i]) / spread
            total -= 0.5 * (z * z + math.log(2 * math.pi) + math.log(narrowed))
        powers_of(own, monomials, own_powers)
        own_terms = own[n_exponents : n_exponents + n_terms]
        floor_value = math.exp(own[n_varied - 1]) if floor else 0.0
        outer = own_powers[n_terms]
        log_reducible = log_sum_exp(own_terms)
        for i in range(n_terms):
            log_inner[i] = own_terms[i] + (1.0 / outer - 1.0) * log_reducible
        for i in range(n_exponents):
            natural[at_natural + i] = math.exp(own[i])
        if floor:
            natural[at_natural + n_exponents] = floor_value
        for i in range(n_terms):
            natural[at_natural + n_exponents + floor + i] = math.exp(
                log_centres[i] + log_inner[i] / own_powers[i]
            )
        log_loss, reducible = np.empty(n), np.empty(n)
        terms, inside, log_inside = np.empty((n_terms, n)), np.empty(n), np.empty(n)
        curve_at_runs(
            floor_value,
            log_inner,
            own_powers,
            sizes,
            log_loss,
            reducible,
            terms,
            inside,
            log_inside,
        )
        residual = np.empty(n)
        for j in range(n):
            residual[j] = observed[j] - log_loss[j]
        pull, precision = np.empty(n_components), np.empty(n_components)
        along = natural[at_natural + n_varied : at_natural + n_varied + n_components]
        at_offset = at_point + n_varied
        offset = point[at_offset : at_offset + n_components]
        if smooth:
            density, slope = shift(
                residual, offset, strengths, effects, sigma, tau, pull, precision, along
            )
            total += density
            gradient[at_tau] += slope
        by_mean = np.empty(n)
        if heavy:
            density, slope, by_nu = student_t(residual, root_weight, sigma, nu, by_mean)
            gradient[at_sigma + 1] += by_nu * math.exp(point[at_sigma + 1])
        else:
            density, slope = normal(residual, root_weight, sigma, by_mean)
        total += density
        gradient[at_sigma] += slope
        if by_size:
            gradient[at_ratio] += back_from_roots(residual, by_mean, weight, ratio)
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
                gradient[at_offset:],
            )
            gradient[at_sigma] += by_sigma
            gradient[at_tau] += by_tau
        by_own_inner, by_own_power = np.zeros(n_terms), np.zeros(n_powers)
        by_own = np.zeros(n_varied)
        by_own_floor = back_from_runs(
            by_mean,
            own_powers,
            sizes,
            reducible,
            terms,
            inside,
            log_inside,
            by_own_inner,
            by_own_power,
        )
        if floor:
            by_own[n_varied - 1] = by_own_floor
        back_from_centre(own_terms, own_powers, by_own_inner, by_own_power, by_own[n_exponents:])
        back_from_powers(by_own_power, own_powers, monomials, by_own)
        for i in range(n_varied):
            spread = spreads[kinds[i]]
            narrowed = 1.0 + told[g, i] * spread * spread
            pulled = 1.0 - 1.0 / narrowed
            reach = spread / math.sqrt(narrowed)
            z = (own[i] - common[i]) / spread
            slope = by_own[i] - z / spread
            gradient[at_point + i] = slope * reach
            by_common[i] += slope * (1.0 - pulled) + z / spread
            moved = 2.0 * pulled * (seen[g, i] - common[i]) + reach * point[at_point + i]
            by_log_spread[kinds[i]] += slope * (1.0 - pulled) * moved + z * z - pulled
        at_point += n_varied + n_components
        at_natural += n_varied + n_components

    for i in range(n_varied):
        gradient[at_common + i] = by_common[i] * deviations[i]
        by_log_spread[kinds[i]] += by_common[i] * by_value[i] + by_deviation[i]
    return total


@jitted
def expected(
    seen: np.ndarray, told: np.ndarray, spread: float, z: float
) -> tuple[float, float, float, float]:
    """Return a common parameter that lies z standard deviations from where it is expected.

    Parameters
    ----------
    seen, told : ndarray, shape (group + 1,)
        Where each group alone puts its own, and with which precision; then what is known without
        runs, which has no spread.
    spread : float
        Standard deviation of groups around the common one.
    z : float
        How far.

    Returns
    -------
    value, deviation, by_value, by_deviation : float
        The parameter, the standard deviation, and the derivatives by the log of the spread of the
        parameter and of the log of the standard deviation.
    """
    n = len(seen) - 1
    weights, sums = told[n], told[n] * seen[n]
    by_weights, by_sums = 0.0, 0.0
    for g in range(n):
        weight = told[g] / (1.0 + told[g] * spread * spread)
        slope = -2.0 * spread * spread * weight * weight
        weights += weight
        sums += weight * seen[g]
        by_weights += slope
        by_sums += slope * seen[g]
    mean, deviation = sums / weights, 1.0 / math.sqrt(weights)
    by_deviation = -0.5 * by_weights / weights
    by_mean = (by_sums - mean * by_weights) / weights
    return mean + deviation * z, deviation, by_mean + deviation * by_deviation * z, by_deviation


@jitted
def powers_of(logs: np.ndarray, monomials: np.ndarray, powers: np.ndarray) -> None:
    """Write the exponent of each term and the outer one, given logs of exponent parameters."""
    n_parameters = monomials.shape[1] - 1
    for i in range(len(powers)):
        log_power = monomials[i, n_parameters]
        for j in range(n_parameters):
            log_power += monomials[i, j] * logs[j]
        powers[i] = math.exp(log_power)


@jitted
def back_from_powers(
    by_power: np.ndarray, powers: np.ndarray, monomials: np.ndarray, by_log: np.ndarray
) -> None:
    """Add the derivatives by logs of exponent parameters."""
    for i in range(len(powers)):
        for j in range(monomials.shape[1] - 1):
            by_log[j] += by_power[i] * powers[i] * monomials[i, j]
