"""What every source of draws of a law can be asked, as methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scaling_bayes._prediction.allocate import allocate, loss_given_up
from scaling_bayes._prediction.compute_to_reach import compute_to_reach
from scaling_bayes._prediction.forecast import forecast

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr

    from scaling_bayes._prediction.allocation import Allocation
    from scaling_bayes._prediction.compute_to_reach import ComputeToReach
    from scaling_bayes._prediction.forecast_answer import Forecast
    from scaling_bayes.runs import Runs


class Answers:
    """The questions that `scaling_bayes` asks of a source, asked of this one."""

    def forecast(
        self,
        points: pd.DataFrame | Runs | None = None,
        *,
        n_params: object = None,
        tokens: object = None,
        flops: object = None,
        at: Mapping[str, Any] | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> Forecast:
        """Forecast the loss at points; see `scaling_bayes.forecast`."""
        source: Any = self
        return forecast(
            source, points, n_params=n_params, tokens=tokens, flops=flops, at=at, seed=seed
        )

    def allocate(self, *, flops: object, at: Mapping[str, Any] | None = None) -> Allocation:
        """Return the compute-optimal allocation of budgets; see `scaling_bayes.allocate`."""
        source: Any = self
        return allocate(source, flops=flops, at=at)

    def compute_to_reach(
        self, loss: float | list[float], *, at: Mapping[str, Any] | None = None
    ) -> ComputeToReach:
        """Return the compute that target losses take; see `scaling_bayes.compute_to_reach`."""
        source: Any = self
        return compute_to_reach(source, loss, at=at)

    def loss_given_up(
        self,
        *,
        n_params: object = None,
        tokens: object = None,
        flops: object = None,
        at: Mapping[str, Any] | None = None,
    ) -> xr.DataArray:
        """Return what runs lose against the optimum; see `scaling_bayes.loss_given_up`."""
        source: Any = self
        return loss_given_up(source, n_params=n_params, tokens=tokens, flops=flops, at=at)
