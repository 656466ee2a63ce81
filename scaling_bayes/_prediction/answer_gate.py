"""Do the draws of an answer represent its posterior? The limits of a fit, held to what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._doubt import Doubt
from scaling_bayes._inference.diagnostics import MAX_R_HAT, MIN_ESS, figures_of
from scaling_bayes._intervals import SAMPLE_DIMS

if TYPE_CHECKING:
    import xarray as xr

_MOST = 50
"""Points or budgets that are looked at; more would take longer than the answer."""
_LEAST_DRAWS = 4 * MIN_ESS
"""Draws below which somebody has thinned them, and few effective ones are no finding."""


def not_mixed(draws: xr.DataArray, source: object, what: str) -> tuple[Doubt, ...]:
    """Return the doubt that is due if the chains of a fit disagree on an answer; else nothing.

    Parameters
    ----------
    draws : DataArray
        What is answered, with dims chain, draw and one more.
    source : object
        What it was asked of; draws of an average belong to several laws, so that their chains say
        nothing.
    what : str
        What the draws are of, in words.
    """
    members = getattr(source, "members", None)
    if isinstance(members, Mapping) or draws.sizes["chain"] < 2:
        return ()
    (other,) = (dim for dim in draws.dims if dim not in SAMPLE_DIMS)
    looked_at = draws.isel({other: slice(_MOST)}).transpose(other, *SAMPLE_DIMS).to_numpy()
    finite = looked_at[np.isfinite(looked_at).all(axis=(1, 2))]
    if not len(finite):
        return ()
    figures = figures_of(finite)
    r_hat = float(np.max(figures["r_hat"]))
    least = {name: float(np.min(figures[name])) for name in ("ess_bulk", "ess_tail")}
    found = []
    if not r_hat < MAX_R_HAT:
        found.append(f"R-hat is {r_hat:.3f} (limit {MAX_R_HAT}), so the chains disagree on it")
    if looked_at[0].size >= _LEAST_DRAWS:
        found += [
            f"{name} is {value:.0f} (limit {MIN_ESS})"
            for name, value in least.items()
            if not value >= MIN_ESS
        ]
    if not found:
        return ()
    return (
        Doubt(
            "convergence of the answer",
            f"The draws of {what} do not represent its posterior: {'; '.join(found)}.",
            "Fit again with more draws: settings=sb.SamplerSettings(draws=4000, tune=2000).",
        ),
    )
