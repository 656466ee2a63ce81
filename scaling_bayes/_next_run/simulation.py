"""Runs simulated from the draws of a decision, and what their outcomes would teach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._decision import Decision, rules
from scaling_bayes._decision.loss_draws import shift_at
from scaling_bayes._decision.problem import Problem
from scaling_bayes._next_run.candidates import WEIGHT, points_of_candidates
from scaling_bayes._next_run.importance_weights import most_trusted_k, normalised, pareto_k
from scaling_bayes._next_run.run_noise import RunNoise, run_noise
from scaling_bayes._prediction.mixture import Mixture
from scaling_bayes._work.seeds import check_seed
from scaling_bayes.errors import InputError
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import xarray as xr

OPTIMAL_SIZE = "optimal_n_params"
OPTIMAL_LOSS = "optimal_loss"

_N_OPTIONS = 100
_BEYOND = 3
"""Options kept on either side of all draws' optima."""
_LESS = 0.9
"""Share of the budget at which is looked what a smaller one loses."""
_LEAST = 1e-12
"""Smallest variance of normal scores, where a run tells a quantity exactly."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What simulated outcomes teach, each of shape (outcome,).

    Attributes
    ----------
    gain : ndarray
        Nats per token of expected loss that the best choice after the outcome saves against the
        choice before it. Its mean is the expected value of sample information.
    information : ndarray
        Its mean is the expected information gain on all that is drawn, in nats.
    about : mapping of str to ndarray
        The same on each quantity.
    failed : ndarray of bool
        Whether the weights cannot be trusted.
    pareto_k : ndarray
        Pareto k of the weights.
    """

    gain: np.ndarray
    information: np.ndarray
    about: Mapping[str, np.ndarray]
    failed: np.ndarray
    pareto_k: np.ndarray


@dataclass(frozen=True, eq=False)
class Simulation:
    """Options and candidates in the same draws, and outcomes of the candidates.

    The draws are taken for all that is believed: an outcome is simulated from one of them, and
    weighs all of them by its likelihood. So no run is worth less than nothing, and, on average
    over outcomes from all draws, none more than perfect information.

    Attributes
    ----------
    options : Dataset
        Sizes that can be chosen, with dim ``point``.
    curve : ndarray, shape (option, draw)
        Loss of the mean curve at the options, in nats per token.
    log_means : ndarray, shape (candidate, draw)
        Log of the mean curve at the candidates.
    run_weights : ndarray, shape (candidate,)
        Number of equal runs that each candidate stands for.
    noise : RunNoise
        How runs scatter around the mean curve.
    origins : ndarray, shape (outcome,)
        The draw that each outcome is simulated from.
    scores : mapping of str to ndarray
        Normal scores of the quantities of interest, each of shape (draw,).
    seed : int
        Source of the scatter: the same for all candidates, so that they differ by their sizes
        and not by luck.
    budget : float
        That of the decision, in FLOPs.
    nats_per_fold : float
        By how much its expected loss falls for an e-fold of budget, at the rate at which it falls
        there; NaN where more would not help.
    """

    options: xr.Dataset
    curve: np.ndarray
    log_means: np.ndarray
    run_weights: np.ndarray
    noise: RunNoise
    origins: np.ndarray
    scores: Mapping[str, np.ndarray]
    seed: int
    budget: float
    nats_per_fold: float

    def flops_worth(self, nats: pd.Series) -> pd.Series:
        """Return by how much the budget would have to grow for the expected loss to fall by nats.

        The loss is taken to fall in proportion to the log of the budget.
        """
        worth: pd.Series = self.budget * np.expm1(nats / self.nats_per_fold)
        return worth

    @property
    def choice(self) -> int:
        """The option that is best as things are."""
        return int(self.curve.mean(axis=1).argmin())

    @property
    def value_of_perfect_information(self) -> float:
        """What knowing the law exactly would gain on average, in nats per token."""
        return float(self.curve.mean(axis=1).min() - self.curve.min(axis=0).mean())

    def outcomes(self, candidate: int, step: int = 0) -> np.ndarray:
        """Return log losses of a candidate, of shape (outcome,).

        Parameters
        ----------
        candidate : int
            Its row.
        step : int
            Which of several runs it is: the scatter of two runs is independent.
        """
        rng = np.random.default_rng([self.seed, step])
        sampled = self.noise.sample(
            self.log_means[candidate], float(self.run_weights[candidate]), rng
        )
        at_origins: np.ndarray = sampled[self.origins]
        return at_origins

    def log_weights(self, candidate: int, step: int = 0) -> np.ndarray:
        """Return what the outcomes of a candidate say of the draws, of shape (outcome, draw)."""
        return self.noise.log_density(
            self.outcomes(candidate, step),
            self.log_means[candidate],
            float(self.run_weights[candidate]),
        )

    def learned(self, log_weights: np.ndarray) -> Learned:
        """Return what outcomes teach that weigh the draws so, of shape (outcome, draw)."""
        from scipy.special import entr

        weights = normalised(log_weights)
        n_draws = weights.shape[1]
        expected = weights @ self.curve.T
        k = pareto_k(weights)
        return Learned(
            gain=expected[:, self.choice] - expected.min(axis=1),
            information=np.log(n_draws) - entr(weights).sum(axis=1),
            about={name: _gained(weights, score) for name, score in self.scores.items()},
            failed=k > most_trusted_k(n_draws),
            pareto_k=k,
        )


def simulated(
    decision: Decision,
    candidates: pd.DataFrame,
    *,
    quantities: Mapping[str, object],
    n_outcomes: int,
    seed: int,
) -> Simulation:
    """Return options and candidates of a decision in the same draws.

    Parameters
    ----------
    decision : Decision
        The decision.
    candidates : DataFrame
        What `read_candidates` returned.
    quantities : mapping of str to array
        Draws of further quantities, with dims chain and draw.
    n_outcomes : int
        Outcomes of each candidate.
    seed : int
        Source of their scatter.

    Raises
    ------
    InputError
        If no outcome can be simulated from the decision, or a quantity has other draws.
    """
    check_expected_loss(decision)
    if not isinstance(n_outcomes, int | np.integer) or n_outcomes < 2:
        raise InputError(f"n_outcomes is {n_outcomes!r}; give a whole number, at least 2.")
    check_seed(seed)
    noise = run_noise(decision.problem.source)
    options = _thinned(decision)
    cheaper = decision.problem.points(options["n_params"].to_numpy(), _LESS * decision.budget)
    cheaper = cheaper.isel(point=cheaper["tokens"].to_numpy() >= 1)
    curve, with_less, means = _jointly(
        decision.problem, [options, cheaper, points_of_candidates(candidates)]
    )
    n_draws = curve.shape[1]
    drawn = {
        OPTIMAL_SIZE: options["n_params"].to_numpy()[curve.argmin(axis=0)],
        OPTIMAL_LOSS: curve.min(axis=0),
    }
    if quantities and isinstance(decision.problem.source, Mixture):
        raise InputError(
            "quantities are given by the draws of one fit, and the decision is by an average, "
            "whose draws have another order. Leave them out."
        )
    drawn |= {name: _draws_of(name, values, n_draws) for name, values in quantities.items()}
    return Simulation(
        options=options,
        curve=curve,
        log_means=np.log(means),
        run_weights=candidates[WEIGHT].to_numpy(),
        noise=noise,
        origins=np.linspace(0, n_draws - 1, min(n_outcomes, n_draws)).astype(int),
        scores={name: _normal_scores(values) for name, values in drawn.items()},
        seed=seed,
        budget=decision.budget,
        nats_per_fold=_rate(curve, with_less),
    )


def check_expected_loss(decision: Decision) -> None:
    """Refuse what is no decision by expected loss.

    Raises
    ------
    InputError
        If it is not.
    """
    if not isinstance(decision, Decision):
        raise InputError(
            f"decision is a {type(decision).__name__}; give what sb.decide(...) returns."
        )
    if not isinstance(decision.rule, rules.ExpectedLoss):
        raise InputError(
            f"the decision is by {decision.rule!r}, and the value of a run is what it saves in "
            "expected loss. Decide with rule='expected_loss'."
        )


def expected_losses(problem: Problem, options: xr.Dataset) -> np.ndarray:
    """Return the expected loss of options, of shape (option,)."""
    losses = problem.losses(options, shift_at).to_numpy()
    expected: np.ndarray = losses.reshape(len(losses), -1).mean(axis=1)
    return expected


def _thinned(decision: Decision) -> xr.Dataset:
    """Return the options between the optima of all draws, not too many of them."""
    best = decision.options.mean_curve.argmin(axis=0)
    last = len(decision.options.n_params) - 1
    low, high = max(int(best.min()) - _BEYOND, 0), min(int(best.max()) + _BEYOND, last)
    rows = np.linspace(low, high, min(_N_OPTIONS, high - low + 1)).astype(int)
    choice = int(decision.options.expected_loss.argmin())
    kinks = [row for row in decision.options.kinks if low <= row <= high]
    return decision.options.points.isel(point=np.union1d(rows, [choice, *kinks]))


def _jointly(problem: Problem, parts: list[xr.Dataset]) -> list[np.ndarray]:
    """Return draws of the mean curve, joint over all parts, each of shape (point, draw)."""
    import xarray as xr

    points = xr.concat([part[list(SIZES)] for part in parts], dim="point")
    losses = problem.losses(points, shift_at).to_numpy().reshape(points.sizes["point"], -1)
    return np.split(losses, np.cumsum([part.sizes["point"] for part in parts[:-1]]))


def _rate(curve: np.ndarray, with_less: np.ndarray) -> float:
    """Return nats of expected loss per e-fold of budget, between a smaller one and the budget."""
    if not len(with_less):
        return np.nan
    rise = float(with_less.mean(axis=1).min() - curve.mean(axis=1).min())
    return rise / -np.log(_LESS) if rise > 0 else np.nan


def _draws_of(name: str, values: object, n_draws: int) -> np.ndarray:
    """Return the draws of a quantity in the order of chain and draw."""
    import xarray as xr

    if isinstance(values, xr.DataArray) and {"chain", "draw"} <= set(values.dims):
        values = values.transpose("chain", "draw", ...)
    drawn = np.asarray(values, dtype=float)
    if drawn.size != n_draws:
        raise InputError(
            f"the quantity {name!r} has the shape {drawn.shape}; give one value for each of the "
            f"{n_draws} draws of the decision, such as fit.draws['alpha_N']."
        )
    if not np.isfinite(drawn).all():
        raise InputError(f"the quantity {name!r} has draws that are not finite; leave it out.")
    return drawn.ravel()


def _normal_scores(values: np.ndarray) -> np.ndarray:
    """Return the values of a standard Normal at the ranks of draws."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    scores: np.ndarray = ndtri((rankdata(values) - 0.5) / values.size)
    return scores


def _gained(weights: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return the information on a quantity from the variance of its normal scores.

    -log(sd after / sd before): a Normal has the largest entropy for its variance, so that the
    mean is at most the information on the quantity, and all of it where the scores stay Normal.

    Parameters
    ----------
    weights : ndarray, shape (outcome, draw)
        Weights that sum to one over the draws.
    score : ndarray, shape (draw,)
        Normal scores.

    Returns
    -------
    ndarray, shape (outcome,)
        Nats.
    """
    before = score.var()
    if not before > _LEAST:
        return np.zeros(len(weights))
    mean = weights @ score
    after = weights @ score**2 - mean**2
    # Of a few draws with weight the variance is too small, as of a small sample.
    after /= np.maximum(1 - (weights**2).sum(axis=1), _LEAST)
    gained: np.ndarray = -np.log(np.maximum(after, _LEAST) / before) / 2
    return gained
