"""The command ``forecast``: the loss of runs that are not trained yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from scaling_bayes._doubt import doubts_of
from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import Answer, ends_of, left_out, show, table_of
from scaling_bayes.cli._options import DEFAULT_VIEW, At, OwnLaw, Seed, Source, View
from scaling_bayes.cli._points import beyond_runs, check_sizes
from scaling_bayes.cli._reading import read_points
from scaling_bayes.cli._sources import (
    about,
    discrepancy_name,
    is_published,
    source_at,
    source_named,
)
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from rich.console import Group

    from scaling_bayes._prediction.forecast_answer import Of
    from scaling_bayes._prediction.law_draws import LawDraws

EXAMPLES = """\
Examples
  scaling-bayes forecast fit.nc --n-params 70B --tokens 1.4T
  scaling-bayes forecast published:hoffmann2022 --flops 5.76e23 --n-params 70B
  scaling-bayes forecast fit.nc --n-params 7B --n-params 70B --tokens 2T --target 2.0
  scaling-bayes forecast fit.nc --points plans.csv --csv > forecasts.csv
  scaling-bayes forecast fit.nc --reach 2.0 --reach 1.9"""

_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "n_params": ("N", _numbers.n_params),
    "tokens": ("D", _numbers.tokens),
    "flops": ("C", _numbers.flops),
    "loss": ("loss", _numbers.loss),
}
_OF: dict[Of, str] = {"mean_curve": "mean curve", "new_run": "new run"}

_Sizes = Annotated[tuple[str, ...], Parameter(show_default=False)]


def forecast(
    source: Source,
    /,
    *,
    n_params: Annotated[_Sizes, Parameter(help="Model sizes; repeat it for several.")] = (),
    tokens: Annotated[_Sizes, Parameter(help="Training tokens; as many, or one for all.")] = (),
    flops: Annotated[_Sizes, Parameter(help="Compute, instead of one of the other two.")] = (),
    points: Annotated[
        str | None, Parameter(help="CSV or Parquet file with these as columns, one row a point.")
    ] = None,
    target: Annotated[
        float | None, Parameter(help="Also the probability that the loss is below this.")
    ] = None,
    reach: Annotated[
        tuple[float, ...],
        Parameter(show_default=False, help="The compute that it takes to reach this loss."),
    ] = (),
    at: At = (),
    law: OwnLaw = None,
    seed: Seed = 1,
    view: View = DEFAULT_VIEW,
) -> None:
    """Forecast the loss at sizes (N, D), or the compute that a loss takes.

    The mean curve is the law, with its discrepancy if it was fitted with one: the middle of many
    runs. A new run scatters around it.
    """
    sizes = {"n_params": n_params, "tokens": tokens, "flops": flops}
    at_points = bool(points or any(sizes.values()))
    if not (at_points or reach):
        raise InputError(
            "there is nothing to forecast. Give points (--n-params, --tokens, --flops or "
            "--points), or a loss to --reach."
        )
    if target is not None and not at_points:
        raise InputError("--target is the loss to stay below at points, and there are none.")
    if at_points and reach and view.csv:
        raise InputError("--csv holds one table. Ask for points or for --reach, not for both.")
    origin = source_at(source_named(source, law), at)
    parts = {}
    if at_points:
        table = None if points is None else read_points(points)
        parts["forecast"] = _at_points(origin, table, sizes, target=target, seed=seed, view=view)
    if reach:
        parts["reach"] = _to_reach(origin, list(reach), view)
    tables, frames = zip(*parts.values(), strict=True)
    document = {
        "source": origin.label,
        "discrepancy": discrepancy_name(origin),
        "prob": view.prob,
        "interval": view.interval,
    } | {name: frame for name, (_, frame) in parts.items()}
    words = [
        about(origin, view.interval_in_words),
        *beyond_runs(origin, *frames),
        *(left_out(frames[0]) if view.for_people else ()),
    ]
    show(Answer(tables, words, frames[0], document, doubts=doubts_of(origin, "forecast")), view)


def _at_points(
    source: LawDraws,
    points: pd.DataFrame | None,
    given: dict[str, tuple[str, ...]],
    *,
    target: float | None,
    seed: int,
    view: View,
) -> tuple[Group, pd.DataFrame]:
    """Return the forecasts, for people and as they are."""
    import scaling_bayes as sb
    from scaling_bayes._prediction.forecast import points_of

    asked: dict[str, Any] = {name: values or None for name, values in given.items()}
    check_sizes(points_of(source, points, **asked).to_dataframe())
    forecast = sb.forecast(source, points, **asked, seed=seed)
    frame = forecast.to_frame(prob=view.prob, kind=view.interval)
    known = [of for of in _OF if f"{of}_lower" in frame]
    if target is not None:
        frame["target"] = target
        for of in known:
            frame[f"{of}_probability_below"] = forecast.probability_below(target, of=of).values
    return _table(source, ends_of(frame), known, view), frame


def _table(source: LawDraws, frame: pd.DataFrame, known: list[Of], view: View) -> Group:
    texts = [str(name) for name in frame.select_dtypes(exclude="number")]
    sizes = {name: column for name, column in _COLUMNS.items() if name in frame}
    judged = known if "target" in frame else []
    certain = is_published(source)
    heading, judgement = ("below {:g}", _yes_or_no) if certain else ("P(< {:g})", "{:.3f}".format)

    def cells(row: dict[Any, Any]) -> list[str]:
        return [
            *(str(row[name] or "") for name in texts),
            *(words(row[name]) for name, (_, words) in sizes.items()),
            *(
                _numbers.bounds(row[f"{of}_lower"], row[f"{of}_upper"], _numbers.loss)
                for of in known
            ),
            *(judgement(row[f"{of}_probability_below"]) for of in judged),
        ]

    from scaling_bayes._prediction.law_draws import loss_unit_of

    return table_of(
        f"Forecast by {source.label}: loss in {loss_unit_of(source)}",
        [
            *texts,
            *(heading for heading, _ in sizes.values()),
            *(f"{_OF[of]}\n{view.percent} interval" for of in known),
            *(f"{_OF[of]}\n{heading.format(frame['target'].iloc[0])}" for of in judged),
        ],
        [cells(row) for row in frame.to_dict("records")],
    )


def _yes_or_no(probability: float) -> str:
    return "yes" if probability > 0 else "no"


def _to_reach(source: LawDraws, targets: list[float], view: View) -> tuple[Group, pd.DataFrame]:
    """Return the compute that losses take, for people and as it is."""
    import scaling_bayes as sb

    certain = is_published(source)
    frame = sb.compute_to_reach(source, targets).to_frame(prob=view.prob, kind=view.interval)
    table = table_of(
        f"Compute at which {source.label} reaches a loss, spent in the best way",
        ["loss", "median", f"{view.percent} interval", "P(never)"],
        [
            [
                f"{row['target']:g}",
                _numbers.flops(row["flops"]),
                _numbers.bounds(row["flops_lower"], row["flops_upper"], _numbers.flops),
                "" if certain else f"{row['probability_never']:.3f}",
            ]
            for row in frame.to_dict("records")
        ],
    )
    return table, frame
