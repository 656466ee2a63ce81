"""The command ``countings``: one law under several counts of parameters."""

from __future__ import annotations

from math import isnan
from typing import Annotated, Any

from cyclopts import Parameter

from scaling_bayes.cli import _numbers
from scaling_bayes.cli import _options as options
from scaling_bayes.cli._answer import Answer, records, show, table_of
from scaling_bayes.cli._options import DEFAULT_SHAPE, Shape
from scaling_bayes.cli._reading import announce, names_of, read_table
from scaling_bayes.cli._sources import law_named
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN

EXAMPLES = """\
Examples
  scaling-bayes countings runs.csv --flops 1e22
  scaling-bayes countings runs.csv --flops 1e22 --law-alone
  scaling-bayes countings runs.csv --flops 1e22 --law chinchilla --json"""


def countings(
    runs: options.RunsFile,
    /,
    *,
    flops: Annotated[tuple[str, ...], Parameter(help="A budget; repeat it for several.")],
    counting: Annotated[
        tuple[str, ...],
        Parameter(help="A column that is taken for N; repeat it for another."),
    ] = ("n_params", "n_params_non_embedding"),
    law: Annotated[str, Parameter(help=f"One of {options.LAWS}")] = "coupled",
    law_alone: Annotated[bool, Parameter(help=options.LAW_ALONE)] = False,
    where: options.Where = None,
    column: options.Column = (),
    flops_per_param_token: options.FlopsPerParamToken = FLOPS_PER_PARAM_TOKEN,
    flops_tolerance: options.FlopsTolerance = options.DEFAULT_FLOPS_TOLERANCE,
    loss_unit: options.LossUnit = None,
    seed: options.SamplingSeed = 1,
    shape: Shape = DEFAULT_SHAPE,
) -> None:
    """Fit a law under several counts of parameters, and show what that does to N*."""
    chosen = law_named(law)

    import scaling_bayes as sb

    table = read_table(
        runs,
        names=names_of(column),
        where=where,
        flops_per_param_token=flops_per_param_token,
        flops_tolerance=flops_tolerance,
        loss_unit=loss_unit,
    )
    announce(table, [chosen], shape)
    found = sb.compare_countings(
        table,
        chosen,
        flops=list(flops),
        countings=counting,
        discrepancy=None if law_alone else "smooth",
        seed=seed,
    )
    frame = found.to_frame()
    shown = table_of(
        f"Compute-optimal sizes by {chosen.name}, by what is counted",
        ["N counted by", "C", "N*", "growth of N*", "elpd"],
        [
            [
                str(row["counting"]),
                _numbers.flops(row["flops"]),
                f"{_numbers.n_params(row['n_params'])}\n"
                + _numbers.bounds(row["n_params_lower"], row["n_params_upper"], _numbers.n_params),
                _growth(row),
                f"{row['elpd']:.1f}",
            ]
            for row in frame.to_dict("records")
        ],
        caption="Medians and 90% equal-tailed intervals. Growth: the exponent of N* in C from the "
        "largest run fitted to C.",
    )
    document = {"law": chosen.name, "words": list(found.words), "countings": records(frame)}
    answer = Answer([shown], [], frame, document, opening=list(found.words), doubts=found.doubts)
    show(answer, shape)


def _growth(row: dict[Any, Any]) -> str:
    """Return the growth of N* and its interval; nothing near the compute of the largest run."""
    if isnan(row["growth"]):
        return ""
    bounds = _numbers.bounds(row["growth_lower"], row["growth_upper"], "{:.2f}".format)
    return f"{row['growth']:.2f}\n{bounds}"
