"""The command ``backtest``: how forecasts from the smaller runs would have done."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from scaling_bayes._files.user_path import writable
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes.cli import _numbers
from scaling_bayes.cli import _options as options
from scaling_bayes.cli._answer import Answer, csv_of, note, records, show, table_of
from scaling_bayes.cli._options import DEFAULT_SHAPE, Shape
from scaling_bayes.cli._reading import announce, names_of, read_table
from scaling_bayes.cli._sources import law_named, noise_named
from scaling_bayes.errors import InputError
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

    from scaling_bayes import Forecaster, Law
    from scaling_bayes.cli._options import DiscrepancyChoice

EXAMPLES = """\
Examples
  scaling-bayes backtest runs.csv --discrepancy none --discrepancy smooth
  scaling-bayes backtest runs.csv --law kaplan --cut 1e20 --cut 1e21
  scaling-bayes backtest runs.csv --baseline broken --directory refits"""


class Baseline(Enum):
    """How the field forecasts, each with the class of `scaling_bayes.baselines` that does it."""

    HUBER_BOOTSTRAP = "HuberBootstrap"
    LEAST_SQUARES = "LogLinearLeastSquares"
    BROKEN = "BrokenLaw"
    LAST_SLOPE = "LastSlope"


def backtest(
    runs: options.RunsFile,
    /,
    *,
    law: Annotated[tuple[str, ...], Parameter(help=f"May be repeated: any of {options.LAWS}")] = (
        "coupled",
    ),
    noise_model: options.NoiseName = "student-t",
    discrepancy: Annotated[
        tuple[options.DiscrepancyChoice, ...],
        Parameter(help=f"{options.DISCREPANCY} May be repeated: each law is tested with each."),
    ] = ("smooth",),
    baseline: Annotated[
        tuple[Baseline, ...],
        Parameter(show_default=False, help="A habit of the field to set beside; may be repeated."),
    ] = (),
    cut: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False,
            help="Fit below it, forecast from it on; may be repeated. By default the levels with "
            "35, 50, 65 and 80% of the runs below.",
        ),
    ] = (),
    along: Annotated[str, Parameter(help="The column that is cut.")] = "flops",
    where: options.Where = None,
    column: options.Column = (),
    flops_per_param_token: options.FlopsPerParamToken = FLOPS_PER_PARAM_TOKEN,
    flops_tolerance: options.FlopsTolerance = options.DEFAULT_FLOPS_TOLERANCE,
    directory: Annotated[
        str | None,
        Parameter(help="Folder to keep finished refits in; a second call goes on from there."),
    ] = None,
    output: Annotated[
        str | None, Parameter(help="CSV file for every forecast beside the loss observed.")
    ] = None,
    seed: options.SamplingSeed = 0,
    shape: Shape = DEFAULT_SHAPE,
) -> None:
    """Fit laws to the runs below each cut, and score their forecasts of the larger ones."""
    laws = [law_named(text) for text in dict.fromkeys(law)]
    chosen_noise = noise_named(noise_model)
    names = names_of(column)
    target = None if output is None else writable(output, "--output")

    import scaling_bayes as sb

    table = read_table(
        runs,
        names=names,
        where=where,
        flops_per_param_token=flops_per_param_token,
        flops_tolerance=flops_tolerance,
    )
    announce(table, laws, shape)
    forecasters: dict[str, Forecaster] = {
        _name(each, error): sb.Fitter(
            each, noise=chosen_noise, discrepancy=None if error == "none" else error
        )
        for each in laws
        for error in dict.fromkeys(discrepancy)
    }
    for habit in dict.fromkeys(baseline):
        forecasters[habit.name.lower().replace("_", "-")] = getattr(sb.baselines, habit.value)()
    tested = sb.backtest(
        table,
        forecasters,
        cuts=cut or None,
        along=along,
        seed=seed,
        directory=directory,
    )
    pooled = tested.pooled().reset_index()
    document = {
        "along": along,
        "pooled": records(pooled),
        "scores": records(tested.scores.reset_index(drop=True)),
        "allocation": records(tested.allocation),
        "failures": records(tested.failures),
    }
    failed = [
        f"{row['law']} failed below {row['cut']:.3g}: {row['message']}"
        for row in tested.failures.to_dict("records")
    ]
    show(Answer([_table(pooled, along)], failed, tested.scores, document), shape)
    if target is not None:
        _write(tested.points, target)


def _name(law: Law, discrepancy: DiscrepancyChoice) -> str:
    return f"{law.name} alone" if discrepancy == "none" else law.name


def _table(pooled: pd.DataFrame, along: str) -> Group:
    shown = {
        "law": "",
        "of": "interval of",
        "n_scored": "runs",
        "coverage_50": "50%",
        "coverage_80": "80%",
        "coverage_90": "90%",
        "coverage_95": "95%",
        "width_90": "width",
        "crps": "CRPS",
        "rmse": "RMSE",
        "bias": "bias",
    }
    return table_of(
        f"Forecasts of runs at or above each cut in {along}, fitted to those below",
        list(shown.values()),
        [
            [
                row["law"],
                row["of"].replace("_", " "),
                str(row["n_scored"]),
                *(_numbers.number(row[name]) for name in list(shown)[3:]),
            ]
            for row in pooled.to_dict("records")
        ],
        caption="Share of runs inside equal-tailed intervals of 50 to 95%, all cuts together; "
        "width of the 90% interval, CRPS, root-mean-square error and bias of log loss.",
    )


def _write(points: pd.DataFrame, target: Path) -> None:
    if target.suffix.lower() != ".csv":
        raise InputError(f"--output {target}: the name must end in .csv.")
    write_whole(target, csv_of(points).encode())
    note(f"Wrote {target}")
