"""The command ``allocate``: how to spend compute on model size and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import Answer, ends_of, left_out, show, table_of
from scaling_bayes.cli._options import DEFAULT_VIEW, At, OwnLaw, Source, View
from scaling_bayes.cli._points import beyond_runs, check_sizes
from scaling_bayes.cli._sources import about, is_published, source_at, source_named

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from rich.console import Group

    from scaling_bayes import Allocation
    from scaling_bayes._prediction.law_draws import LawDraws

EXAMPLES = """\
Examples
  scaling-bayes allocate fit.nc --flops 1e22 --flops 5.88e23
  scaling-bayes allocate fit.nc --flops 3e4PF-days --tolerance 0.005
  scaling-bayes allocate published:hoffmann2022 --flops 5.76e23
  scaling-bayes allocate fit.nc --flops 1e24 --follow published:kaplan2020 --json"""

_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "n_params": ("N*", _numbers.n_params),
    "tokens": ("D*", _numbers.tokens),
    "tokens_per_param": ("D*/N*", "{:.1f}".format),
    "loss": ("loss", _numbers.loss),
}


def allocate(
    source: Source,
    /,
    *,
    flops: Annotated[tuple[str, ...], Parameter(help="A budget; repeat it for several.")],
    tolerance: Annotated[
        float, Parameter(help="Nats per token above the best that count as equally good.")
    ] = 0.001,
    follow: Annotated[
        str | None,
        Parameter(
            help="Another fit or published law: the loss given up by training where it says."
        ),
    ] = None,
    at: At = (),
    law: OwnLaw = None,
    view: View = DEFAULT_VIEW,
) -> None:
    """Allocate compute: the model size and tokens with the lowest loss, for each budget."""
    import pandas as pd

    import scaling_bayes as sb
    from scaling_bayes._prediction.law_draws import loss_unit_of, sizes

    origin = source_at(source_named(source, law), at)
    budgets = sizes("flops", list(flops))
    check_sizes(pd.DataFrame({"flops": budgets}))
    allocation = sb.allocate(origin, flops=budgets)
    frame = allocation.to_frame(prob=view.prob, kind=view.interval, tolerance=tolerance)
    tables = [_optimum(origin, ends_of(frame)), _recommendation(origin, ends_of(frame), tolerance)]
    words = [
        about(origin, view.interval_in_words),
        "Recommended is the one allocation with the smallest expected loss. Its cost is what it "
        f"gives up against the true optimum, in {loss_unit_of(origin)}.",
        *_growth(frame),
        *beyond_runs(origin, frame),
        *(left_out(frame) if view.for_people else ()),
    ]
    document = {"source": origin.label, "prob": view.prob, "interval": view.interval}
    if follow is not None:
        followed = source_named(follow, law)
        frame = frame.join(_given_up(allocation, followed, view))
        tables.append(_following(followed, ends_of(frame), view))
        words.append(f"Followed: {about(followed, view.interval_in_words)}")
        document["follow"] = followed.label
    document |= {"tolerance": tolerance, "allocation": frame}
    show(Answer(tables, words, frame, document, doubts=allocation.doubts), view)


def _given_up(allocation: Allocation, followed: LawDraws, view: View) -> pd.DataFrame:
    """Return the sizes that another law recommends, and the posterior of what they give up."""
    import pandas as pd

    import scaling_bayes as sb
    from scaling_bayes._intervals import interval, quantile

    def of_part(part: Allocation) -> pd.DataFrame:
        n_params = sb.allocate(followed, flops=part.flops).recommended["n_params"].to_numpy()
        given_up = part.loss_given_up(n_params)
        lower, upper = interval(given_up, prob=view.prob, kind=view.interval).values
        return pd.DataFrame(
            {
                "follow_n_params": n_params,
                "loss_given_up": quantile(given_up, 0.5).values,
                "loss_given_up_lower": lower,
                "loss_given_up_upper": upper,
            }
        )

    return pd.concat([of_part(part) for part in allocation.parts()], ignore_index=True)


def _optimum(source: LawDraws, frame: pd.DataFrame) -> Group:
    def cell(row: dict[Any, Any], name: str, words: Callable[[float], str]) -> str:
        bounds = _numbers.bounds(row[f"{name}_lower"], row[f"{name}_upper"], words)
        return f"{words(row[name])}\n{bounds}".rstrip()

    return table_of(
        f"Compute-optimal allocation by {source.label}",
        ["C", *(heading for heading, _ in _COLUMNS.values())],
        [
            [
                _numbers.flops(row["flops"]),
                *(cell(row, name, words) for name, (_, words) in _COLUMNS.items()),
            ]
            for row in frame.to_dict("records")
        ],
        caption="The loss is that of the mean curve.",
    )


def _growth(frame: pd.DataFrame) -> list[str]:
    """Return the sentence on how N* grows to the largest of the budgets beyond the runs."""
    from scaling_bayes._prediction.allocation import power_of_growth

    return [
        f"Between the largest run fitted and {_numbers.flops(row['flops'])}, N* grows as {power}."
        for row in frame.sort_values("flops").to_dict("records")
        if (power := power_of_growth(row))
    ][-1:]


def _recommendation(source: LawDraws, frame: pd.DataFrame, tolerance: float) -> Group:
    def cost(value: float) -> str:
        # One set of values knows of no optimum but its own.
        return "" if is_published(source) else _numbers.cost(value)

    return table_of(
        "Recommended",
        [
            "C",
            "N",
            "D",
            f"N with expected loss within\n{tolerance:g} nats of the best",
            "cost on\naverage",
            "cost at 95th\npercentile",
        ],
        [
            [
                _numbers.flops(row["flops"]),
                _numbers.n_params(row["recommended_n_params"]),
                _numbers.tokens(row["recommended_tokens"]),
                f"{_numbers.n_params(row['valley_lower'])} to "
                f"{_numbers.n_params(row['valley_upper'])}",
                cost(row["cost_mean"]),
                cost(row["cost_p95"]),
            ]
            for row in frame.to_dict("records")
        ],
    )


def _following(followed: LawDraws, frame: pd.DataFrame, view: View) -> Group:
    return table_of(
        f"Loss given up by training where {followed.label} says",
        ["C", "N there", "nats given up\n(median)", f"{view.percent} interval"],
        [
            [
                _numbers.flops(row["flops"]),
                _numbers.n_params(row["follow_n_params"]),
                _numbers.cost(row["loss_given_up"]),
                _numbers.bounds(
                    row["loss_given_up_lower"], row["loss_given_up_upper"], _numbers.cost
                ),
            ]
            for row in frame.to_dict("records")
        ],
    )
