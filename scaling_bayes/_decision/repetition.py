"""What repeated data and excess parameters are worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import log

import numpy as np

from scaling_bayes.priors import Prior

_SPREAD = 0.25
_MANY = 2001
"""Draws whose median stands for the prior."""


def _published(value: float) -> Prior:
    return Prior("LogNormal", mu=log(value), sigma=_SPREAD)


@dataclass(frozen=True)
class Repetition:
    r"""How the worth of tokens decays that are read again, and of parameters beyond the data's.

    With U_D unique tokens among D, and R_D = D / U_D - 1, training is worth that on

        D' = U_D + U_D R*_D (1 - exp(-R_D / R*_D))

    tokens. Parameters in excess of U_N, the compute-optimal size for U_D tokens, decay likewise to
    N' (Muennighoff et al. 2023, arXiv:2305.16264, equations 5 and 6). A run that reads tokens again
    has the loss of N' and D', and none above that of its N on the U_D tokens alone; one that does
    not has the law's, as it was fitted.

    Parameters
    ----------
    R_D : Prior
        Of R*_D, how many repetitions tokens last; around the published 15.4.
    R_N : Prior
        Of R*_N; around the published 5.3. The paper gives no errors: by default both may be off
        by a factor of 1.3 either way (one standard deviation of the log is 0.25).
    """

    R_D: Prior = field(default_factory=lambda: _published(15.387756))
    R_N: Prior = field(default_factory=lambda: _published(5.309743))

    def draws(self, n_draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return draws of R*_D and R*_N; the median where there is but one, as of a paper."""

        def of(prior: Prior) -> np.ndarray:
            if n_draws > 1:
                return prior.draw(n_draws, rng)
            return np.atleast_1d(np.median(prior.draw(_MANY, rng)))

        return of(self.R_D), of(self.R_N)


def effective(seen: np.ndarray, unique: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """Return what an amount seen is worth in unique ones; all arrays broadcast.

    Parameters
    ----------
    seen, unique : ndarray
        Tokens and unique tokens, or parameters and those that the data warrant.
    lasts : ndarray
        The number of repetitions after which the worth of another has fallen by 1/e.
    """
    unique = np.minimum(seen, unique)
    again = seen / unique - 1
    worth: np.ndarray = unique * (1 + lasts * -np.expm1(-again / lasts))
    return worth


def warranted_n_params(
    optimal_n_params: Callable[[np.ndarray], np.ndarray],
    tokens: float,
    flops_per_param_token: float,
) -> np.ndarray:
    """Return the model size for which some tokens are compute-optimal, for each draw.

    Parameters
    ----------
    optimal_n_params : callable
        From budgets, of shape (budget,), to the optimal size, of shape (budget, draw).
    tokens : float
        Unique tokens.
    flops_per_param_token : float
        The k of C = k N D.

    Returns
    -------
    ndarray, shape (draw,)
        By interpolation of log N* over log D*: exact where these are power laws of compute, as
        for Chinchilla's law.
    """
    flops = np.logspace(8, 36, 113)
    log_n = np.log(optimal_n_params(flops))
    log_d = np.log(flops / flops_per_param_token)[:, None] - log_n
    draws = range(log_n.shape[1])
    return np.exp([np.interp(np.log(tokens), log_d[:, i], log_n[:, i]) for i in draws])
