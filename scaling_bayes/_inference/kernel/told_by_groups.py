"""What the runs of each group alone tell of its parameters: for coordinates, not for answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import least_squares

from scaling_bayes._inference.coordinates import reference_name
from scaling_bayes._inference.kernel.power_sum_density import PowerSumDensity
from scaling_bayes._inference.model import log_name
from scaling_bayes.discrepancy import BASIS

_NOISE, _BEND = 0.01, 0.03
"""Scales of noise and of discrepancy, on log loss."""
_COMMON_SPREADS = (1.0, 3.0, 1.0)
_GROUP_SPREADS = (0.3, 0.7, 0.7)
"""How far the logs of exponents, terms and floor may be from where they start, and a group's from
the common ones."""
_SHARE_OF_FLOOR = 0.6
_SAYS_NOTHING, _FAR = 1e-3, 3.0


def told_by_groups(
    density: PowerSumDensity, groups: Sequence[Mapping[str, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the runs of each group put logs of exponents, terms and floor.

    A least-squares fit to all runs, and from there one to those of each group, with Normal noise
    and the discrepancy integrated out.

    Parameters
    ----------
    density : PowerSumDensity
        The law.
    groups : sequence of mapping of str to ndarray
        For each group what the model reads.

    Returns
    -------
    estimates, precisions : ndarray, shape (group + 1, exponents + terms + floor)
        Given nothing but the runs of a group; last what is known of the common ones without runs.
    """
    n_terms, floor = len(density.law.terms), int(density.law.irreducible)
    n_of_kind = (len(density.exponents), n_terms, floor)
    mean = float(np.mean(np.concatenate([d["observed_log_loss"] for d in groups])))
    share = np.log([_SHARE_OF_FLOOR if floor else 1.0, 1 - _SHARE_OF_FLOOR if floor else 1.0])
    start = np.concatenate(
        [
            density.log_medians[: len(density.exponents)],
            np.full(n_terms, mean + share[-1] - np.log(n_terms)),
            np.full(floor, mean + share[0]),
        ]
    )
    residuals = [_Residuals(density, data) for data in groups]
    wide = np.repeat(_COMMON_SPREADS, n_of_kind)
    units = np.repeat(_GROUP_SPREADS, n_of_kind)
    common, _ = _least(residuals, start, wide)
    estimates, precisions = [], []
    for own in residuals:
        estimate, information = _least([own], common, units)
        variance = np.diag(np.linalg.inv(information + np.diag(1 / units**2)))
        precision = np.maximum(1 / variance - 1 / units**2, _SAYS_NOTHING / units**2)
        # The estimate was drawn towards the common one by what units say.
        away = (estimate - common) * (1 + 1 / (precision * units**2))
        estimates.append(common + np.clip(away, -_FAR * units, _FAR * units))
        precisions.append(precision)
    return np.array([*estimates, start]), np.array([*precisions, 1 / wide**2])


class _Residuals:
    """Whitened residuals of a group's log losses, as a function of what varies."""

    def __init__(self, density: PowerSumDensity, data: Mapping[str, np.ndarray]) -> None:
        self._density = density
        terms = density.law.terms
        self._sizes = np.stack(
            [
                data[log_name(term.covariate)] - np.log(data[reference_name(term.covariate)])
                for term in terms
            ]
        )
        self._observed = data["observed_log_loss"]
        covariance = np.diag(_NOISE**2 / data["weight"])
        if density.n_components:
            covariance += _BEND**2 * data[BASIS] @ data[BASIS].T
        self._root = np.linalg.cholesky(covariance)

    def __call__(self, logs: np.ndarray) -> np.ndarray:
        n_exponents, n_terms = len(self._density.exponents), len(self._sizes)
        monomials = self._density.monomials
        *inner, outer = np.exp(monomials[:, :-1] @ logs[:n_exponents] + monomials[:, -1])
        terms = logs[n_exponents : n_exponents + n_terms]
        inside = terms + (1 / outer - 1) * np.logaddexp.reduce(terms)
        curve = outer * np.logaddexp.reduce(
            inside[:, None] - np.array(inner)[:, None] * self._sizes
        )
        if self._density.law.irreducible:
            curve = np.logaddexp(curve, logs[-1])
        away: np.ndarray = solve_triangular(self._root, self._observed - curve, lower=True)
        return away


def _least(
    residuals: list[_Residuals], start: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the most probable values around a start, and what the runs tell of them."""
    found = least_squares(
        lambda logs: np.concatenate([*(each(logs) for each in residuals), (logs - start) / spread]),
        start,
        loss="soft_l1",
    )
    of_runs = found.jac[: -len(start)]
    return found.x, of_runs.T @ of_runs
