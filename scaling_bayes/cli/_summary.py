"""The command ``summary``: what a fit says of its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import Answer, records, show, table_of
from scaling_bayes.cli._options import DEFAULT_VIEW, FitFile, OwnLaw, View
from scaling_bayes.cli._sources import discrepancy_name, fit_at, pooled_at
from scaling_bayes.errors import OtherKindError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Group

    from scaling_bayes import Fit, PooledFit

EXAMPLES = """\
Examples
  scaling-bayes summary fit.nc
  scaling-bayes summary fit.nc --prob 0.5 --interval hdi
  scaling-bayes summary fit.nc --json > parameters.json
  scaling-bayes summary mine.nc --law my_laws.py:MyLaw"""

_IN_UNIT: dict[str, Callable[[float], str]] = {
    "parameters": _numbers.n_params,
    "tokens": _numbers.tokens,
}

_DERIVED = {"a": "N* grows as C^a", "b": "D* grows as C^b"}


def summary(fit_file: FitFile, /, *, law: OwnLaw = None, view: View = DEFAULT_VIEW) -> None:
    """Show the parameters of a saved fit, with intervals and diagnostics."""
    try:
        answer = summary_of(fit_at(fit_file, law), view)
    except OtherKindError:
        answer = pooled_summary_of(pooled_at(fit_file, law), view)
    show(answer, view)


def pooled_summary_of(fit: PooledFit, view: View) -> Answer:
    """Return the parameters of a fit of groups in a table and in words."""
    summary = fit.summary(prob=view.prob, kind=view.interval)
    frame = summary.to_frame().reset_index()
    borrowed = fit.borrowed.reset_index()
    document = {
        "law": fit.law.name,
        "noise": fit.noise.name,
        "groups": list(fit),
        "source": fit.runs.source,
        "n_runs": len(fit.runs),
        "prob": view.prob,
        "interval": view.interval,
        "parameters": records(frame),
        "borrowed": records(borrowed),
        "words": list(summary.words),
    }
    kinds = list(borrowed.columns[2:])
    tables = [
        table_of(
            f"Posterior of {fit.law.name} by {fit.groups.by}, {fit.runs.counted} from "
            f"{fit.runs.source}",
            ["", fit.groups.by, "median", f"{view.percent} interval"],
            [
                [
                    row["parameter"],
                    row["group"],
                    _numbers.number(row["median"]),
                    _numbers.bounds(row["lower"], row["upper"], _numbers.number),
                ]
                for row in frame.to_dict("records")
            ],
            caption="all: what groups share; common: what they vary around. Intervals: "
            f"{view.interval_in_words}, of the parameters.",
        ),
        table_of(
            "How much of what is known of a group comes from the others",
            [fit.groups.by, "runs", *kinds],
            [
                [row["group"], str(row["n_runs"]), *(f"{row[kind]:.0%}" for kind in kinds)]
                for row in borrowed.to_dict("records")
            ],
        ),
    ]
    doubts = set(map(str, fit.doubts))
    words = [each for each in summary.words if each not in doubts]
    return Answer(tables, words, frame, document, doubts=fit.doubts)


def summary_of(fit: Fit, view: View) -> Answer:
    """Return the parameters of a fit in a table and in words."""
    summary = fit.summary(prob=view.prob, kind=view.interval)
    frame = summary.to_frame().reset_index()
    diagnostics = fit.diagnostics
    document = {
        "law": fit.law.name,
        "noise": fit.noise.name,
        "discrepancy": discrepancy_name(fit),
        "source": fit.runs.source,
        "n_runs": len(fit.runs),
        "prob": view.prob,
        "interval": view.interval,
        "parameters": records(frame),
        "diagnostics": {
            "converged": diagnostics.converged,
            "n_draws": diagnostics.n_draws,
            "n_divergent": diagnostics.n_divergent,
            "bfmi": diagnostics.bfmi,
        },
        "words": list(summary.words),
    }
    tables = [_table(fit, frame.to_dict("records"), view)]
    doubts = set(map(str, fit.doubts))
    words = [each for each in summary.words if each not in doubts]
    return Answer(tables, words, frame, document, doubts=fit.doubts)


def _table(fit: Fit, rows: list[dict[Any, Any]], view: View) -> Group:
    parameters = (*fit.law.parameters, *fit.noise.parameters)
    error = ""
    if fit.discrepancy is not None:
        parameters = (*parameters, *fit.discrepancy.parameters)
        error = f" and {fit.discrepancy.name} discrepancy"
    meanings = {each.name: each.description for each in parameters} | _DERIVED
    shown = "; ".join(
        f"{row['parameter']}: {meanings[row['parameter']]}"
        for row in rows
        if row["parameter"] in meanings
    )
    return table_of(
        f"Posterior of {fit.law.name} with {fit.noise.name} noise{error} on log loss, "
        f"{fit.runs.counted} from {fit.runs.source}",
        ["", "median", f"{view.percent} interval", "sd", "R-hat", "ESS", "unit"],
        [_cells(row) for row in rows],
        caption=f"{shown}. Intervals: {view.interval_in_words}, of the parameters. ESS: the "
        "smaller of those of the centre and of the tails.",
    )


def _cells(row: dict[Any, Any]) -> list[str]:
    words = _IN_UNIT.get(row["unit"], _numbers.number)
    return [
        row["parameter"],
        words(row["median"]),
        _numbers.bounds(row["lower"], row["upper"], words),
        words(row["sd"]),
        f"{row['r_hat']:.3f}",
        f"{min(row['ess_bulk'], row['ess_tail']):.0f}",
        "" if row["unit"] == "1" else row["unit"],
    ]
