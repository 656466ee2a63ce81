"""The command ``check``: whether a fit's law describes its runs."""

from __future__ import annotations

from math import isnan
from typing import Annotated

from cyclopts import Parameter

from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import Answer, records, show, table_of
from scaling_bayes.cli._options import DEFAULT_SHAPE, FitFile, OwnLaw, Shape
from scaling_bayes.cli._remedies import in_options
from scaling_bayes.cli._sources import discrepancy_name, fit_at

EXAMPLES = """\
Examples
  scaling-bayes check fit.nc
  scaling-bayes check fit.nc --csv > trends.csv
  scaling-bayes check fit.nc --json > check.json"""

_TABLES = ("trends", "groups", "outliers", "sensitivity", "identifiability")


def check(
    fit_file: FitFile,
    /,
    *,
    law: OwnLaw = None,
    seed: Annotated[int, Parameter(help="Seed of the replicated runs.")] = 1,
    shape: Shape = DEFAULT_SHAPE,
) -> None:
    """Check a saved fit: residuals, outliers, and what the priors and the runs decide.

    Residuals are compared with those of runs replicated from the fit. CSV holds the trends, JSON
    all tables.
    """
    fit = fit_at(fit_file, law)
    checked = fit.check(seed=seed)
    tables = {name: getattr(checked, name).reset_index() for name in _TABLES}
    trends = tables["trends"]
    document = {
        "source": fit.label,
        "discrepancy": discrepancy_name(fit),
        "words": list(checked.words),
        **{name: records(table) for name, table in tables.items()},
    }
    shown = table_of(
        f"Residuals of {fit.label} against those of replicated runs",
        ["quantity", "against", "size", "unit", "90% of replicates", "p"],
        [
            [
                str(row["quantity"]),
                "" if row["against"] is None else str(row["against"]),
                _numbers.number(row["size"]),
                str(row["unit"]),
                _numbers.bounds(row["replicated_lower"], row["replicated_upper"], _numbers.number),
                "" if isnan(row["p"]) else f"{row['p']:.3f}",
            ]
            for row in trends.to_dict("records")
        ],
        caption="p: share of replicates at least as far out, two-sided, of one quantity by itself; "
        "none where law and discrepancy take the quantity up, so that it cannot be tested.",
    )
    show(
        Answer([shown], [], trends, document, opening=[in_options(each) for each in checked.words]),
        shape,
    )
