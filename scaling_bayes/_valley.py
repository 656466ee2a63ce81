"""Where the valley of compute-optimal sizes goes on beyond the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from scaling_bayes._draws import LawDraws, discrepancy_of, law_loss, point_dataset
from scaling_bayes._isoflop_line import minima, window
from scaling_bayes._straight_line import carried_on

if TYPE_CHECKING:
    import xarray as xr

_AMONG = 6
"""Budgets among the runs at which N* is known."""
_LEAST_SHARE = 0.2
"""Share of landmarks with less compute than the smallest of them."""
_BEYOND = np.array([1.5, 2.5, 5.0, 10.0, 30.0, 100.0, 1e3, 1e4])
"""Budgets beyond the runs at which N* is placed, in units of the largest run's."""
_SIZES = 40


@dataclass(frozen=True, eq=False)
class Valley:
    """How far each draw's law is moved along isoFLOP lines, so that its valley goes on straight.

    Among the runs the law stands where it is. Beyond them the sum of law and discrepancy has its
    minimum where a line through the minima among the runs has it, with the uncertainty of that
    line: see `scaling_bayes._straight_line`. Best losses of the law stay what they are.

    Attributes
    ----------
    log_flops : ndarray, shape (budget,)
        Logs of budgets.
    moves : ndarray, shape (draw, budget)
        How far the law is moved there, in log N at constant N D.
    """

    log_flops: np.ndarray
    moves: np.ndarray

    def at(self, flops: np.ndarray) -> np.ndarray:
        """Return the moves at budgets of shape (point,) or (point, draw), as (point, draw)."""
        log_c = np.log(np.asarray(flops, dtype=float))
        log_c = log_c.reshape(len(log_c), -1)
        place = np.searchsorted(self.log_flops, log_c).clip(1, len(self.log_flops) - 1)
        low, high = self.log_flops[place - 1], self.log_flops[place]
        share = ((log_c - low) / (high - low)).clip(0, 1)
        draw = np.arange(len(self.moves))
        before, after = self.moves[draw, place - 1], self.moves[draw, place]
        return np.asarray((1 - share) * before + share * after)


def carried_valley(source: LawDraws) -> Valley:
    """Return how the law of a fit with discrepancy is moved beyond its runs.

    Parameters
    ----------
    source : LawDraws
        A law in N and D with draws and a discrepancy.
    """
    error = discrepancy_of(source)
    assert error is not None
    sizes = error.landmarks
    log_c = np.log(source.flops_per_param_token * sizes["n_params"] * sizes["tokens"])
    among = np.linspace(np.quantile(log_c, _LEAST_SHARE), log_c.max(), _AMONG)
    beyond = log_c.max() + np.log(_BEYOND)
    known = np.stack([_Line.of(source, at).minima() for at in among], axis=-1)
    middle, spread = carried_on(known, among, beyond)
    moves = [np.zeros(len(known))]
    for at, mean, sd in zip(beyond, middle, spread, strict=True):
        line = _Line.of(source, at)
        own = line.minima()
        rank = (np.argsort(np.argsort(own)) + 0.5) / len(own)
        moves.append(line.move_to(mean + sd * norm.ppf(rank)))
    return Valley(np.append(log_c.max(), beyond), np.stack(moves, axis=-1))


@dataclass(frozen=True, eq=False)
class _Line:
    """Law and discrepancy along one isoFLOP line, as logs of loss of shape (size, draw)."""

    log_n: np.ndarray
    law: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(cls, source: LawDraws, log_flops: float) -> _Line:
        flops = float(np.exp(log_flops))
        log_n = np.linspace(*window(source, flops), _SIZES)
        n_params = np.exp(log_n)
        tokens = flops / (source.flops_per_param_token * n_params)
        points = point_dataset(
            {"n_params": n_params, "tokens": tokens, "flops": np.full(_SIZES, flops)}
        )
        error = discrepancy_of(source)
        assert error is not None
        return cls(log_n, np.log(_flat(law_loss(source, points))), _flat(error.at(points)))

    def minima(self) -> np.ndarray:
        """Return log N at the minimum of law and discrepancy, of shape (draw,)."""
        return minima(self.log_n, self.law + self.shift)[0]

    def move_to(self, target: np.ndarray) -> np.ndarray:
        """Return how far to move each draw's law so that the minimum is at a target.

        There the slopes of the moved law and of the discrepancy cancel.
        """
        slope = -_interpolated(self.log_n, np.gradient(self.shift, self.log_n, axis=0), target)
        law_slope = np.maximum.accumulate(np.gradient(self.law, self.log_n, axis=0), axis=0)
        place = (law_slope <= slope).sum(axis=0).clip(1, len(self.log_n) - 1)
        draw = np.arange(len(target))
        low, high = law_slope[place - 1, draw], law_slope[place, draw]
        share = ((slope - low) / np.where(high > low, high - low, 1.0)).clip(0, 1)
        step = self.log_n[1] - self.log_n[0]
        return np.asarray(target - (self.log_n[place - 1] + share * step))


def _flat(draws: xr.DataArray) -> np.ndarray:
    """Return draws as an array of shape (point, draw)."""
    ordered = draws.transpose("point", "chain", "draw").to_numpy()
    return np.asarray(ordered.reshape(len(ordered), -1))


def _interpolated(x: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return each column's value at its own place, linearly between evenly spaced x."""
    place = ((at - x[0]) / (x[1] - x[0])).clip(0, len(x) - 1.001)
    row, draw = place.astype(int), np.arange(len(at))
    share = place - row
    return np.asarray((1 - share) * values[row, draw] + share * values[row + 1, draw])
