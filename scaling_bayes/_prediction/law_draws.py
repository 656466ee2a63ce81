"""What forecasts and allocations ask of a fit, or of anything else with draws of a law."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scaling_bayes._intervals import SAMPLE_DIMS
from scaling_bayes.errors import InputError
from scaling_bayes.units import DEFAULT_LOSS_UNIT, SIZES, Kind, parse_quantity

if TYPE_CHECKING:
    import xarray as xr

    from scaling_bayes.discrepancy import DiscrepancyDraws
    from scaling_bayes.laws import Law
    from scaling_bayes.noise import Noise


class LawDraws(Protocol):
    """A law with draws of its parameters: a fit, or a published law as one draw.

    One whose runs may differ from the law also has ``discrepancy_draws``; see `discrepancy_of`.
    """

    @property
    def label(self) -> str:
        """Short name for tables and legends."""

    @property
    def law(self) -> Law:
        """The law."""

    @property
    def draws(self) -> xr.Dataset:
        """Natural parameters of the law, with dims chain and draw."""

    @property
    def noise(self) -> Noise | None:
        """The noise of single runs; None where it is not known."""

    @property
    def noise_draws(self) -> xr.Dataset | None:
        """Parameters of the noise, with dims chain and draw; None where there is no noise."""

    @property
    def flops_per_param_token(self) -> float:
        """The k of C = k N D."""


def discrepancy_of(source: LawDraws) -> DiscrepancyDraws | None:
    """Return how the mean of runs differs from the law; None where it is taken for the truth."""
    found: DiscrepancyDraws | None = getattr(source, "discrepancy_draws", None)
    return found


def loss_unit_of(source: object) -> str:
    """Return what the losses of a source are counted in, in words.

    That of the runs it was fitted to, or of those of an average's members; published laws are of
    nats per token.
    """
    members = source if isinstance(source, Mapping) else getattr(source, "members", None)
    each = list(members.values()) if isinstance(members, Mapping) else [source]
    runs = (getattr(one, "runs", None) for one in each)
    return next((some.loss_unit for some in runs if some is not None), DEFAULT_LOSS_UNIT)


def sizes(name: Kind, values: object) -> np.ndarray:
    """Return sizes as an array of shape (point,), with units such as ``"7B"`` read.

    Raises
    ------
    InputError
        If there is no value, or they have more than one dimension.
    UnitError
        If a value is not a positive, finite quantity.
    """
    items = np.atleast_1d(np.asarray(values, dtype=object))
    if items.ndim > 1 or not items.size:
        raise InputError(
            f"{name} has the shape {items.shape}; give one value, or a list of at least one."
        )
    return np.array([parse_quantity(item, kind=name) for item in items], dtype=float)


def complete_sizes(
    given: Mapping[Kind, object], flops_per_param_token: float
) -> dict[Kind, np.ndarray]:
    """Return N, D and C of each point as far as the given ones determine them.

    Parameters
    ----------
    given : mapping of str to object
        Values of ``n_params``, ``tokens`` and ``flops``, each scalar or of shape (point,);
        None where not given. One value serves all points.
    flops_per_param_token : float
        The k of C = k N D.

    Raises
    ------
    InputError
        If none is given or the lengths differ.
    """
    known = {name: sizes(name, values) for name, values in given.items() if values is not None}
    if not known:
        raise InputError(f"give at least one of {', '.join(given)}.")
    lengths = {name: len(values) for name, values in known.items()}
    if len(set(lengths.values()) - {1}) > 1:
        raise InputError(
            "the points have different lengths: "
            + ", ".join(f"{length} {name}" for name, length in lengths.items())
            + ". Give as many of each, or one for all."
        )
    known = dict(zip(known, np.broadcast_arrays(*known.values()), strict=True))
    k = flops_per_param_token
    match (known.get("n_params"), known.get("tokens"), known.get("flops")):
        case (None, tokens, flops) if tokens is not None and flops is not None:
            known["n_params"] = flops / (k * tokens)
        case (n_params, None, flops) if n_params is not None and flops is not None:
            known["tokens"] = flops / (k * n_params)
        case (n_params, tokens, None) if n_params is not None and tokens is not None:
            known["flops"] = k * n_params * tokens
    return {name: known[name] for name in SIZES if name in known}


def point_dataset(columns: Mapping[Any, Any]) -> xr.Dataset:
    """Return columns of equal length as a data set with dim ``point``."""
    import xarray as xr

    return xr.Dataset({name: ("point", np.asarray(values)) for name, values in columns.items()})


def check_covariates(source: LawDraws, points: xr.Dataset) -> None:
    """Refuse points that lack a covariate of the law.

    Raises
    ------
    InputError
        If one is missing.
    """
    missing = [name for name in source.law.covariates if name not in points]
    if missing:
        raise InputError(
            f"{source.law.name} needs {' and '.join(missing)} of every point; "
            f"the points have {', '.join(map(str, points.data_vars))}."
        )


def law_loss(source: LawDraws, points: xr.Dataset) -> xr.DataArray:
    """Return the law's loss in nats per token for each draw and each of the points.

    Raises
    ------
    InputError
        If a covariate of the law is missing from the points.
    """
    check_covariates(source, points)
    law = source.law
    # Far below its runs a law can exceed the largest float; infinity is its value.
    with np.errstate(over="ignore"):
        loss = of_arrays(law.loss, source.draws, points[list(law.covariates)])
    assert loss is not None
    return loss.rename("loss").assign_attrs(units=loss_unit_of(source))


def of_arrays(
    formula: Callable[[SimpleNamespace, SimpleNamespace], Any],
    draws: xr.Dataset,
    points: xr.Dataset,
) -> xr.DataArray | None:
    """Return a formula of a law for each draw and each point, worked out on plain arrays.

    Xarray would align the labels of every term with those of every other, which takes as long as
    the formula itself.

    Parameters
    ----------
    formula : callable
        Of the parameters and of the columns of the points, each by its name.
    draws : Dataset
        Parameters, with dims chain and draw.
    points : Dataset
        Columns; their dims may be those of the draws, and others.

    Returns
    -------
    DataArray or None
        With dims chain, draw and the others of the points; None where the formula gives None.
    """
    import xarray as xr

    sizes = dict(draws.sizes) | dict(points.sizes)
    dims = (*SAMPLE_DIMS, *(dim for dim in sizes if dim not in SAMPLE_DIMS))

    def arrays(data: xr.Dataset) -> SimpleNamespace:
        """Return each variable with all dims, of length 1 where it does not vary."""
        return SimpleNamespace(
            **{
                str(name): each.transpose(*(dim for dim in dims if dim in each.dims))
                .to_numpy()
                .reshape([each.sizes.get(dim, 1) for dim in dims])
                for name, each in data.data_vars.items()
            }
        )

    values = formula(arrays(draws), arrays(points))
    if values is None:
        return None
    shape = tuple(sizes[dim] for dim in dims)
    whole = values if np.shape(values) == shape else np.broadcast_to(values, shape).copy()
    return xr.DataArray(whole, {**draws.coords, **points.coords}, dims)


def mean_loss(source: LawDraws, points: xr.Dataset) -> xr.DataArray:
    """Return the loss of the mean of runs: of the law, times what its discrepancy makes of it.

    Parameters
    ----------
    source : Fit or PublishedLaw
        The law and its draws.
    points : Dataset
        Sizes and other covariates, with one dim.

    Returns
    -------
    DataArray
        Nats per token, with dims chain, draw and that of the points.
    """
    by_law, error = law_loss(source, points), discrepancy_of(source)
    if error is None:
        return by_law
    factor = np.exp(error.at(points).transpose(*by_law.dims).to_numpy())
    return by_law.copy(data=by_law.to_numpy() * factor)
