"""What can be chosen with one budget, with draws of what each choice leads to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._prediction.forecast_answer import Of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Options:
    """What can be chosen with one budget.

    It is the frontier of model sizes, each with all the tokens that budget and limits allow.

    Attributes
    ----------
    points : Dataset
        ``n_params``, ``tokens``, ``flops`` (of training) and ``total_flops`` (with serving), with
        dim ``point``, in order of N.
    mean_curve : ndarray, shape (point, draw)
        Draws of the loss of the mean curve, in nats per token.
    scatter : ndarray of shape (draw,), or None
        Draws of what a new run's loss is of the mean curve's; None where the noise is not known.
    of : {"mean_curve", "new_run"}
        Whose loss a rule looks at.
    member : ndarray of shape (draw,), or None
        Which member of an average each draw belongs to.
    members : tuple of str
        Names of the members of an average that have weight.
    kinks : tuple of int
        Points at which another limit takes over.
    """

    points: xr.Dataset
    mean_curve: np.ndarray
    scatter: np.ndarray | None = None
    of: Of = "mean_curve"
    member: np.ndarray | None = None
    members: tuple[str, ...] = ()
    kinks: tuple[int, ...] = ()

    @property
    def n_params(self) -> np.ndarray:
        """Model sizes, of shape (point,)."""
        return self.points["n_params"].to_numpy()

    @property
    def loss(self) -> np.ndarray:
        """Draws of the loss that a rule looks at, of shape (point, draw)."""
        return self.as_asked(self.mean_curve)

    def as_asked(self, mean_curve: np.ndarray) -> np.ndarray:
        """Return draws of the loss that a rule looks at for draws of the mean curve."""
        if self.of == "mean_curve":
            return mean_curve
        assert self.scatter is not None
        outcome: np.ndarray = mean_curve * self.scatter
        return outcome

    def only(self, draws: np.ndarray) -> Options:
        """Return the same options with some of the draws, chosen by a mask."""
        return replace(
            self,
            mean_curve=self.mean_curve[:, draws],
            scatter=None if self.scatter is None else self.scatter[draws],
            member=None if self.member is None else self.member[draws],
        )

    @cached_property
    def best_loss(self) -> np.ndarray:
        """The smallest loss of the mean curve in each draw, of shape (draw,)."""
        smallest: np.ndarray = self.mean_curve.min(axis=0)
        return smallest

    @cached_property
    def regret(self) -> np.ndarray:
        """Loss of the mean curve above the best that each draw allows, of shape (point, draw)."""
        above: np.ndarray = self.mean_curve - self.best_loss
        return above

    @cached_property
    def expected_loss(self) -> np.ndarray:
        """Expected loss of each option, of shape (point,)."""
        expected: np.ndarray = self.mean_curve.mean(axis=1)
        return expected
