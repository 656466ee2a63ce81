"""Sums of powers from coordinates centred on the runs, forth and back."""

from __future__ import annotations

import math

import numpy as np

from scaling_bayes._inference.kernel.elementary_code import exp, log
from scaling_bayes._inference.kernel.jit import jitted, summing
from scaling_bayes._inference.kernel.prior_code import log_prior, sampled


@jitted
def exponents(
    point: np.ndarray,
    priors: np.ndarray,
    monomials: np.ndarray,
    natural: np.ndarray,
    gradient: np.ndarray,
    powers: np.ndarray,
    by_coordinate: np.ndarray,
) -> float:
    """Write the exponent of each term and the outer one, and return their log prior.

    Parameters
    ----------
    point : ndarray
        Coordinates of the exponent parameters, first of all.
    priors, monomials : ndarray
        What the table says of them.
    natural, gradient : ndarray
        Written for these parameters: their values, and the slope of the log prior.
    powers : ndarray, shape (term + 1,)
        Written.
    by_coordinate : ndarray, shape (parameter,)
        Written: the derivative of the log of each parameter by its coordinate.
    """
    total = 0.0
    n_parameters = len(by_coordinate)
    logs = np.empty(n_parameters)
    for i in range(n_parameters):
        natural[i], logs[i], by_coordinate[i], density, gradient[i] = sampled(priors[i], point[i])
        total += density
    for i in range(len(powers)):
        log_power = monomials[i, n_parameters]
        for j in range(n_parameters):
            log_power += monomials[i, j] * logs[j]
        powers[i] = math.exp(log_power)
    return total


@jitted
def shares(point: np.ndarray, log_share: np.ndarray) -> float:
    """Write the logs of the shares of the loss at the centre; return their log density.

    It is that of a flat Dirichlet in PyMC's simplex coordinates, the last of which is minus the
    sum of the others.
    """
    n = len(log_share)
    log_share[n - 1] = 0.0
    if n == 1:
        return 0.0
    for i in range(n - 1):
        log_share[i] = point[i]
        log_share[n - 1] -= point[i]
    norm = log_sum_exp(log_share)
    total = math.lgamma(n) + math.log(n)
    for i in range(n):
        log_share[i] -= norm
        total += log_share[i]
    return total


@jitted
def log_sum_exp(logs: np.ndarray) -> float:
    """Return the log of the sum of exponentials."""
    largest, total = float(logs.max()), 0.0
    for log_value in logs:
        total += math.exp(log_value - largest)
    return largest + math.log(total)


@jitted
def terms_at_centre(
    log_terms: np.ndarray,
    powers: np.ndarray,
    log_centres: np.ndarray,
    priors: np.ndarray,
    natural: np.ndarray,
    log_inner: np.ndarray,
    by_log_inner: np.ndarray,
    by_power: np.ndarray,
) -> float:
    """Write the logs of (X_c / X)^e at the centre; return the log prior of the scales X_c.

    Parameters
    ----------
    log_terms : ndarray, shape (term,)
        Logs of the parts of the loss there that fall to each term.
    powers : ndarray, shape (term + 1,)
        Exponents, the outer one last.
    log_centres : ndarray, shape (term,)
        Logs of the sizes there.
    priors, natural : ndarray, shape (term, field) and (term,)
        Of the scales; `natural` is written.
    log_inner : ndarray, shape (term,)
        Written.
    by_log_inner, by_power : ndarray, shape (term,) and (term + 1,)
        Added to: the derivatives of what is returned.
    """
    total, outer = 0.0, powers[-1]
    log_reducible = log_sum_exp(log_terms)
    for i in range(len(log_terms)):
        e = powers[i]
        log_inner[i] = log_terms[i] + (1.0 / outer - 1.0) * log_reducible
        log_scale = log_centres[i] + log_inner[i] / e
        natural[i] = math.exp(log_scale)
        density, slope = log_prior(priors[i], log_scale, natural[i])
        total += density + log_scale - math.log(e)
        by_log_inner[i] += (slope + 1.0) / e
        by_power[i] -= (slope + 1.0) * log_inner[i] / (e * e) + 1.0 / e
    return total


@summing
def curve_at_runs(
    floor: float,
    log_inner: np.ndarray,
    powers: np.ndarray,
    sizes: np.ndarray,
    log_loss: np.ndarray,
    reducible: np.ndarray,
    terms: np.ndarray,
    inside: np.ndarray,
    log_inside: np.ndarray,
) -> None:
    """Write the law's log loss at each run, and what its derivative needs.

    Parameters
    ----------
    floor : float
        The irreducible loss.
    log_inner, powers : ndarray
        Terms at the centre, and exponents.
    sizes : ndarray, shape (term, run)
        Logs of sizes, from the centre.
    log_loss, reducible : ndarray, shape (run,)
        Written: log loss, and the reducible share of the loss.
    terms : ndarray, shape (term, run)
        Written: each term.
    inside, log_inside : ndarray, shape (run,)
        Written: their sum, and its log, the latter only where there is an outer exponent.
    """
    n_terms, n = sizes.shape
    outer = powers[n_terms]
    inside[:] = 0.0
    for i in range(n_terms):
        e, start = powers[i], log_inner[i]
        for j in range(n):
            terms[i, j] = exp(start - e * sizes[i, j])
            inside[j] += terms[i, j]
    if outer == 1.0:
        for j in range(n):
            reducible[j] = inside[j]
    else:
        for j in range(n):
            log_inside[j] = log(inside[j])
            reducible[j] = exp(outer * log_inside[j])
    for j in range(n):
        loss = floor + reducible[j]
        log_loss[j] = log(loss)
        reducible[j] /= loss


@summing
def back_from_runs(
    by_log_loss: np.ndarray,
    powers: np.ndarray,
    sizes: np.ndarray,
    reducible: np.ndarray,
    terms: np.ndarray,
    inside: np.ndarray,
    log_inside: np.ndarray,
    by_log_inner: np.ndarray,
    by_power: np.ndarray,
) -> float:
    """Add the derivatives by terms and exponents; return that by the log of the floor.

    Parameters are those of `curve_at_runs`; `by_log_loss` is overwritten.
    """
    n_terms, n = sizes.shape
    outer = powers[n_terms]
    by_log_floor, by_outer = 0.0, 0.0
    if outer != 1.0:
        for j in range(n):
            by_outer += by_log_loss[j] * reducible[j] * log_inside[j]
    by_power[n_terms] += by_outer
    for j in range(n):
        by_log_reducible = by_log_loss[j] * reducible[j]
        by_log_floor += by_log_loss[j] - by_log_reducible
        by_log_loss[j] = by_log_reducible * outer / inside[j]
    for i in range(n_terms):
        by_term, by_exponent = 0.0, 0.0
        for j in range(n):
            slope = by_log_loss[j] * terms[i, j]
            by_term += slope
            by_exponent -= slope * sizes[i, j]
        by_log_inner[i] += by_term
        by_power[i] += by_exponent
    return by_log_floor


@jitted
def back_from_centre(
    log_terms: np.ndarray,
    powers: np.ndarray,
    by_log_inner: np.ndarray,
    by_power: np.ndarray,
    by_log_term: np.ndarray,
) -> None:
    """Add the derivatives by the terms' parts of the loss at the centre, and by the outer exponent.

    Parameters are those of `terms_at_centre`; `by_log_term` is added to.
    """
    outer = powers[-1]
    log_reducible = log_sum_exp(log_terms)
    by_log_reducible = 0.0
    for i in range(len(log_terms)):
        by_log_term[i] += by_log_inner[i]
        by_log_reducible += by_log_inner[i] * (1.0 / outer - 1.0)
        by_power[-1] -= by_log_inner[i] * log_reducible / (outer * outer)
    for i in range(len(log_terms)):
        by_log_term[i] += by_log_reducible * math.exp(log_terms[i] - log_reducible)


@jitted
def back_from_shares(by_log_share: np.ndarray, log_share: np.ndarray, gradient: np.ndarray) -> None:
    """Write the derivatives by the simplex coordinates."""
    n = len(log_share)
    every = by_log_share.sum()
    by_last = by_log_share[n - 1] - math.exp(log_share[n - 1]) * every
    for i in range(n - 1):
        gradient[i] = by_log_share[i] - math.exp(log_share[i]) * every - by_last


@jitted
def back_from_exponents(
    by_power: np.ndarray,
    powers: np.ndarray,
    monomials: np.ndarray,
    by_coordinate: np.ndarray,
    gradient: np.ndarray,
) -> None:
    """Add the derivatives by the coordinates of the exponent parameters."""
    for i in range(len(powers)):
        for j in range(len(by_coordinate)):
            gradient[j] += by_power[i] * powers[i] * monomials[i, j] * by_coordinate[j]
