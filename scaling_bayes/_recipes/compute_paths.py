"""Ways of spending compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scaling_bayes._prediction.compute_to_reach import Path
from scaling_bayes._prediction.law_draws import LawDraws, law_loss

if TYPE_CHECKING:
    import xarray as xr


def along(tokens_per_param: xr.DataArray) -> Path:
    """Return the path on which tokens per parameter stay as they are."""

    def loss(source: LawDraws, flops: xr.DataArray) -> xr.DataArray:
        n_params = (flops / (source.flops_per_param_token * tokens_per_param)) ** 0.5
        points = n_params.to_dataset(name="n_params")
        return law_loss(source, points.assign(tokens=tokens_per_param * n_params, flops=flops))

    return loss
