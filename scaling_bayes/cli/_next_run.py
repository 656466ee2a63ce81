"""The command ``next-run``: what candidate runs are worth to a decision, and which to train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import Answer, records, show, table_of
from scaling_bayes.cli._options import DEFAULT_SHAPE, OwnLaw, Shape
from scaling_bayes.cli._plot import picture_at, save_picture
from scaling_bayes.cli._problem import (
    NO_BOUNDS,
    NO_BUDGET,
    NO_DEVICES,
    Bounds,
    Budget,
    Devices,
    decision_by,
)
from scaling_bayes.cli._reading import read_points
from scaling_bayes.cli._sources import fit_at
from scaling_bayes.units import SIZES

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

    from scaling_bayes import RunPlan, RunValues

EXAMPLES = """\
Examples
  scaling-bayes next-run fit.nc candidates.csv --flops 1e24
  scaling-bayes next-run fit.nc candidates.csv --flops 1e24 --budget 3e22
  scaling-bayes next-run fit.nc candidates.csv --flops 1e24 --output values.png"""

_SHOWN = 10


def next_run(
    fit_file: Annotated[str, Parameter(help="A fit that `scaling-bayes fit --output` wrote.")],
    candidates: Annotated[
        str,
        Parameter(
            help="Runs that could be trained, CSV: two of n_params, tokens and flops; optional "
            "cost (FLOPs by default) and weight, the number of equal runs."
        ),
    ],
    /,
    *,
    budget: Budget = NO_BUDGET,
    runs_budget: Annotated[
        str | None,
        Parameter(
            name="--budget", help="What runs may cost together, in the unit of cost: plans several."
        ),
    ] = None,
    refits: Annotated[
        int, Parameter(help="Refits at most, where the draws do not carry an outcome's weights.")
    ] = 20,
    hardware: Devices = NO_DEVICES,
    bounds: Bounds = NO_BOUNDS,
    output: Annotated[
        str | None, Parameter(help="PNG, PDF or SVG file for a picture of the values.")
    ] = None,
    law: OwnLaw = None,
    seed: Annotated[int, Parameter(help="Seed of simulated noise, and of refits.")] = 0,
    shape: Shape = DEFAULT_SHAPE,
) -> None:
    """Say what each candidate run is worth to a decision by expected loss, and which to train."""
    picture = None if output is None else picture_at(output)
    table = read_points(candidates).reset_index(drop=True).rename(index=lambda row: row + 1)
    source = fit_at(fit_file, law)

    import scaling_bayes as sb

    decision = decision_by(
        source, sb.rules.ExpectedLoss(), budget, hardware, bounds, of="mean_curve", seed=seed
    )
    values = sb.next_run(decision, table, most_refits=refits, seed=seed)
    plan = None if runs_budget is None else sb.plan_runs(decision, table, runs_budget, seed=seed)
    show(_answer(values, plan), shape)
    if picture is not None:
        from scaling_bayes import plots

        save_picture(plots.plot_next_run(values), picture)


def _answer(values: RunValues, plan: RunPlan | None) -> Answer:
    """Return the values of single runs, and the plan of several."""
    decision = values.decision
    frame = values.to_frame().reset_index(names="candidate")
    ordered = frame.sort_values("evsi", ascending=False)
    doubts = set(map(str, decision.doubts))
    most, verdict, *words = (each for each in values.words if each not in doubts)
    opening = [
        most,
        verdict,
        f"The decision on {_numbers.flops(decision.budget)}: train {decision.choice}.",
    ]
    document: dict[str, object] = {
        "source": decision.problem.source.label,
        "budget": decision.budget,
        "value_of_perfect_information": values.value_of_perfect_information,
        "values": records(frame),
    }
    tables = [_values(ordered.head(_SHOWN), len(frame))]
    if plan is not None:
        rows = plan.to_frame().reset_index(names="candidate")
        tables.append(_plan(rows, plan))
        words.append(f"The plan ends there because {plan.stopped}.")
        document |= {"runs_budget": plan.budget, "plan": records(rows), "stopped": plan.stopped}
    return Answer(tables, words, frame, document, opening=opening, doubts=decision.doubts)


def _values(frame: pd.DataFrame, n: int) -> Group:
    which = f"The {len(frame)} of {n} candidates" if n > len(frame) else f"{n} candidates"
    return table_of(
        f"{which} with most value",
        ["candidate", "N", "D", "cost", "value", "standard\nerror", "worth", "trusted"],
        [
            [
                str(row["candidate"]),
                *_sizes(row),
                _numbers.number(row["cost"]),
                _value(row["evsi"]),
                _value(row["evsi_se"]),
                _numbers.flops(row["worth_flops"]),
                "yes" if row["trusted"] else "no",
            ]
            for row in frame.to_dict("records")
        ],
        caption="Value: expected value of sample information, in nats per token of the decision's "
        "expected loss. Worth: what its budget would have to grow by to gain as much.",
    )


def _plan(frame: pd.DataFrame, plan: RunPlan) -> Group:
    return table_of(
        f"Runs to train together for {plan.cost:.3g} of {plan.budget:.3g}",
        ["candidate", "N", "D", "cost so far", "value added", "value so far"],
        [
            [
                str(row["candidate"]),
                *_sizes(row),
                _numbers.number(row["cost_so_far"]),
                _value(row["evsi"]),
                _value(row["evsi_joint"]),
            ]
            for row in frame.to_dict("records")
        ],
    )


def _sizes(row: dict[object, float]) -> list[str]:
    return [_numbers.n_params(row[SIZES[0]]), _numbers.tokens(row[SIZES[1]])]


def _value(value: float) -> str:
    """Return a value of information, which may be far smaller than losses."""
    return f"{value:.2g}"
