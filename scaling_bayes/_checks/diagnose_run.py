"""New runs against the law: off the curve or not, by how much, and what limits them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._intervals import (
    DEFAULT_PROB,
    SAMPLE_DIMS,
    IntervalKind,
    interval,
    is_point,
    quantile,
    shown_in_words,
)
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.forecast import forecast
from scaling_bayes._prediction.law_draws import LawDraws, discrepancy_of, law_loss, mean_loss
from scaling_bayes._prediction.mixture import check_source
from scaling_bayes._printable import printable, printed
from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs, read_runs
from scaling_bayes.units import SIZES, Kind, format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

MOST_FACTOR = 1e12
"""Factor on compute, beyond which a loss counts as never reached."""
MORE_COMPUTE = 1.1
"""Factor on compute that is spent on size or on data to see which lowers the loss more."""

OFF_CURVE = 0.05
"""Probability of a new run as far out, on either side, below which a run is off the curve."""

_UNLIMITED = 1e100
_STEP = 1e-4
_BISECTIONS = 48
_MEAN_CURVE = "the mean curve"
_WITH_DISCREPANCY = "the law with the discrepancy as at this run"
_NOUNS: dict[Kind, str] = {"n_params": "model size", "tokens": "data", "flops": "compute"}


@dataclass(frozen=True, eq=False)
class RunDiagnosis(InNotebook):
    """New runs held against the mean curve of a law.

    Of a fit with discrepancy that is the law times the discrepancy as it is at the run's own
    sizes, wherever the curve is followed.

    Attributes
    ----------
    label : str
        The fit or published law.
    runs : Runs
        The new runs.
    draws : Dataset
        Draws with dims chain, draw and run:

        - ``expected_loss``, the mean curve at the run's sizes, in nats per token;
        - ``excess``, the run's loss less that, in nats per token;
        - ``equivalent_compute``, the factor f on compute for which the mean curve at N sqrt(f)
          and D sqrt(f), so at the run's own tokens per parameter, has the run's loss: below 1
          for a run that is worse than its compute. Infinite if the mean curve never gets there;
        - ``share_n_params`` and so on for the sizes that the law reads: the fall of the loss if
          that size alone were unlimited, as a share of the sum of these falls. In a sum of
          terms that is the term's share of the reducible loss. NaN where nothing is to gain;
        - ``per_doubling_n_params`` and so on: slope of the loss in log2 of that size, in nats
          per doubling, with compute C = k N D moving along;
        - ``gain_n_params`` and so on: nats per token that 10% more compute gains if it is all
          spent on that size.

        The equivalent compute and the shares move along the law, with the discrepancy that it has
        at the run's own sizes.
    probability_as_high, probability_as_low : DataArray
        Probability that the loss of a new run of the same recipe at the same sizes is at least
        or at most that of the run, of shape (run,); NaN for a published law, whose noise is not
        known.
    curve : str
        What the runs are held against, in words.
    """

    label: str
    runs: Runs
    draws: xr.Dataset
    probability_as_high: xr.DataArray
    probability_as_low: xr.DataArray
    curve: str

    def interval(
        self, of: str, prob: float = DEFAULT_PROB, *, kind: IntervalKind = "equal-tailed"
    ) -> xr.DataArray:
        """Return the credible interval of a quantity of ``draws`` for each run.

        All of them are quantities of the mean curve, without the noise of single runs.

        Parameters
        ----------
        of : str
            Name of the quantity, such as ``"equivalent_compute"``.
        prob : float
            Probability inside.
        kind : {"equal-tailed", "hdi"}
            Kind of interval.

        Raises
        ------
        InputError
            If there is no such quantity.
        """
        if of not in self.draws:
            raise InputError(f"of is {of!r}; take one of {', '.join(map(str, self.draws))}.")
        return interval(self.draws[of], prob=prob, kind=kind)

    def to_frame(
        self, *, prob: float = DEFAULT_PROB, kind: IntervalKind = "equal-tailed"
    ) -> pd.DataFrame:
        """Return one row a run: sizes, loss, and the median of each quantity.

        ``_lower`` and ``_upper`` bound the interval of probability `prob` of each quantity of
        the mean curve; ``probability_as_high`` and ``probability_as_low`` are of a new run.
        """
        frame = self.runs.frame[[*self.runs.sizes, "loss"]].rename_axis("row")
        for name in map(str, self.draws):
            frame[name] = quantile(self.draws[name], 0.5).values
            lower, upper = self.interval(name, prob=prob, kind=kind).values
            frame[f"{name}_lower"], frame[f"{name}_upper"] = lower, upper
        return frame.assign(
            probability_as_high=self.probability_as_high.values,
            probability_as_low=self.probability_as_low.values,
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The same in sentences, some for each run: medians and 90% equal-tailed intervals."""
        return tuple(
            printable(sentence)
            for row, run in self.to_frame().iterrows()
            for sentence in self._words_of(row, run)
        )

    def _words_of(self, row: Hashable, run: pd.Series) -> Iterator[str]:
        shown = partial(_shown, run, with_interval=not is_point(self.draws["excess"]))
        yield (
            f"Row {row} ({format_quantity(run['n_params'], kind='n_params')} on "
            f"{format_quantity(run['tokens'], kind='tokens')}): loss {run['loss']:.4g}, "
            f"{shown('excess', '+.4f')} nats from {self.curve} ({run['expected_loss']:.4g}). "
            + _verdict(run["probability_as_high"], run["probability_as_low"])
        )
        yield f"At the same tokens per parameter {self.curve} " + (
            f"has that loss at {shown('equivalent_compute', '.3g')} times the run's compute."
            if np.isfinite(run["equivalent_compute"])
            else "never has a loss that low."
        )
        shares = {size: run[f"share_{size}"] for size in SIZES if f"share_{size}" in run}
        if len(shares) > 1:
            most = max(shares, key=lambda size: shares[size])
            yield (
                f"What limits it most is {_NOUNS[most]}: {shown(f'share_{most}', '.0%')} of what "
                f"unlimited {' and '.join(_NOUNS[size] for size in shares)} would gain one by one."
            )
        spent = [size for size in SIZES if f"gain_{size}" in run]
        gains = " or ".join(
            f"{shown(f'gain_{size}', '.4f')} nats if spent on {_NOUNS[size]}" for size in spent
        )
        yield f"10% more compute gains {gains}{self._better(row)}."

    def _better(self, row: Hashable) -> str:
        """Return on which of two sizes compute is better spent, with its probability."""
        if not {"gain_n_params", "gain_tokens"} <= set(self.draws):
            return ""
        run = self.draws.sel(run=row)
        on_data = float((run["gain_tokens"] > run["gain_n_params"]).mean(SAMPLE_DIMS))
        better = _NOUNS["tokens" if on_data > 0.5 else "n_params"]
        if is_point(self.draws["excess"]):
            return f"; {better} gains more"
        probability = max(on_data, 1 - on_data)
        shown = "more than 0.999" if probability > 0.999 else f"{probability:.3g}"
        return f"; {better} gains more with probability {shown}"

    @printed
    def __repr__(self) -> str:
        title = (
            f"{len(self.runs)} new {'run' if len(self.runs) == 1 else 'runs'} against the mean "
            f"curve of {self.label}: {shown_in_words(self.draws['excess'])}"
            + ("" if is_point(self.draws["excess"]) else " of the mean curve")
        )
        return "\n".join([title, *(f"- {sentence}" for sentence in self.words)])


def diagnose_run(
    source: LawDraws,
    new_runs: Runs | object,
    *,
    seed: int | np.random.Generator | None = None,
) -> RunDiagnosis:
    """Return how new runs lie against the mean curve of a law, and what limits them.

    The curve of a fit with discrepancy is the law times what the discrepancy is at the run's own
    sizes; shares and returns are those of the law.

    Parameters
    ----------
    source : Fit or PublishedLaw
        The law to hold them against. Of a published law the noise is not known: then
        ``probability_as_high`` and ``probability_as_low`` are NaN.
    new_runs : Runs or data frame
        Runs that were not fitted, with ``loss`` and what else `read_runs` needs.
    seed : int or Generator, optional
        Source of the noise of new runs, of which one a draw is simulated at each run's sizes,
        and of the discrepancy there.

    Returns
    -------
    RunDiagnosis

    Raises
    ------
    RunsError
        If a table holds cells that cannot be used.
    InputError
        If there is no run, or the law reads a column that the runs do not have.
    """
    check_source(source)
    k = source.flops_per_param_token
    runs = new_runs if isinstance(new_runs, Runs) else read_runs(new_runs, flops_per_param_token=k)
    if not len(runs):
        raise InputError(f"{runs.source} holds no run to diagnose. Give at least one.")
    forecasts = forecast(source, runs, seed=seed)
    points, expected = forecasts.points, forecasts.mean_curve
    loss = expected.isel(chain=0, draw=0, drop=True).copy(data=runs.frame["loss"].to_numpy())
    by_law = law_loss(source, points)
    draws = expected.to_dataset(name="expected_loss").assign(
        {
            "excess": (loss - expected).assign_attrs(units="nats per token"),
            "equivalent_compute": _equivalent_compute(source, points, loss * by_law / expected),
            **_limits(source, points, by_law),
            **_returns(source, points, expected),
        }
    )
    new_run = forecasts.new_run
    if new_run is None:
        as_high = as_low = loss.copy(data=np.full(len(runs), np.nan))
    else:
        as_high, as_low = (new_run >= loss).mean(SAMPLE_DIMS), (new_run <= loss).mean(SAMPLE_DIMS)
    return RunDiagnosis(
        source.label,
        runs,
        draws.rename(point="run").assign_coords(run=np.arange(len(runs))),
        as_high.rename("probability_as_high").rename(point="run"),
        as_low.rename("probability_as_low").rename(point="run"),
        _MEAN_CURVE if discrepancy_of(source) is None else _WITH_DISCREPANCY,
    )


def _equivalent_compute(source: LawDraws, points: xr.Dataset, loss: xr.DataArray) -> xr.DataArray:
    """Return the factor on compute at which the mean curve has the losses, by bisection."""
    import xarray as xr

    def curve(log_factor: xr.DataArray) -> xr.DataArray:
        on_compute: xr.DataArray = xr.ufuncs.exp(log_factor)
        on_each: xr.DataArray = xr.ufuncs.exp(log_factor / 2)
        factors: dict[Kind, xr.DataArray | float] = {
            "n_params": on_each,
            "tokens": on_each,
            "flops": on_compute,
        }
        return law_loss(source, _scaled(points, factors))

    furthest = float(np.log(MOST_FACTOR))
    shape = law_loss(source, points)
    low, high = xr.full_like(shape, -furthest), xr.full_like(shape, furthest)
    never, always = curve(high) > loss, curve(low) < loss
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        enough = curve(middle) <= loss
        low, high = low.where(enough, middle), high.where(~enough, middle)
    factor: xr.DataArray = xr.ufuncs.exp((low + high) / 2)
    return factor.where(~never, np.inf).where(~always, 0.0).assign_attrs(units="1")


def _limits(
    source: LawDraws, points: xr.Dataset, expected: xr.DataArray
) -> dict[str, xr.DataArray]:
    """Return each size's share of what unlimited sizes would gain one by one."""
    read = [size for size in SIZES if size in source.law.covariates]
    falls = {
        size: expected - law_loss(source, points.assign({size: points[size] * _UNLIMITED}))
        for size in read
    }
    total = sum(falls.values())
    return {f"share_{size}": fall / total for size, fall in falls.items()}


def _returns(
    source: LawDraws, points: xr.Dataset, expected: xr.DataArray
) -> dict[str, xr.DataArray]:
    """Return the slope of the loss, and what 10% more compute gains, for each size to spend on."""
    found = {}
    for size in _to_spend_on(source):
        up, down = (_loss_with(source, points, size, np.exp(h)) for h in (_STEP, -_STEP))
        slope = (up - down) / (2 * _STEP / np.log(2))
        found[f"per_doubling_{size}"] = slope.assign_attrs(units="nats per token and doubling")
        gain = expected - _loss_with(source, points, size, MORE_COMPUTE)
        found[f"gain_{size}"] = gain.assign_attrs(units="nats per token")
    return found


def _to_spend_on(source: LawDraws) -> list[Kind]:
    """Return model size and tokens as far as the law reads them, else compute."""
    read = [size for size in SIZES if size in source.law.covariates]
    return [size for size in read if size != "flops"] or read


def _loss_with(source: LawDraws, points: xr.Dataset, size: Kind, factor: float) -> xr.DataArray:
    """Return the loss with one size times a factor, and compute too, since C = k N D."""
    return mean_loss(source, _scaled(points, {size: factor, "flops": factor}))


def _scaled(points: xr.Dataset, factors: Mapping[Kind, xr.DataArray | float]) -> xr.Dataset:
    """Return the points with sizes times factors, where they have these sizes."""
    return points.assign(
        {size: points[size] * factor for size, factor in factors.items() if size in points}
    )


def _shown(run: pd.Series, name: str, digits: str, *, with_interval: bool) -> str:
    """Return a median with its interval, for people."""
    middle, low, high = (
        "infinity" if np.isinf(run[column]) else format(run[column], digits)
        for column in (name, f"{name}_lower", f"{name}_upper")
    )
    return f"{middle} [{low}, {high}]" if with_interval else middle


def _verdict(as_high: float, as_low: float) -> str:
    """Return how probable a new run as far out is, in a sentence."""
    if np.isnan(as_high):
        return "The noise of single runs is not known."
    side, tail = ("high", as_high) if as_high < as_low else ("low", as_low)
    off = 2 * tail < OFF_CURVE
    chance = "less than 0.001" if tail < 0.001 else f"{tail:.2g}"
    return f"A new run there is at least as {side} with probability {chance}: " + (
        "off the curve." if off else "within the noise of single runs."
    )
