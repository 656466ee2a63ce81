"""The tables of the documentation, from the scored runs that table.py has written."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from allocation_tables import allocation_parts
from forecast_tables import curve_parts, forecast_parts, with_scores
from weights import counted


def report(folder: Path) -> str:
    """Return the tables of a folder that table.py has written to, in Markdown."""
    tables = {
        name: pd.read_parquet(folder / f"{name}.parquet")
        for name in ("points", "allocation", "failures", "warnings")
    }
    points = with_scores(tables["points"])
    parts = [
        *forecast_parts(points),
        *allocation_parts(tables["allocation"]),
        *curve_parts(points),
        "**Refits that failed**",
        counted(tables["failures"], ["method", "kind", "step", "error"]),
        "**Refits that warned**",
        counted(tables["warnings"], ["method", "kind", "warning"]),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(report(Path(sys.argv[1])))
