"""How many rows a fit takes."""

from __future__ import annotations

from typing import Final

from scaling_bayes.errors import InputError
from scaling_bayes.runs import Runs

MOST_ROWS: Final = 200_000
"""Rows that a fit takes: minutes of sampling."""

_BYTES_A_ROW: Final = 4000
"""What a fit with a discrepancy holds for a row; see ``benchmarks/rows.py``."""
_NAMES_OF_RUNS: Final = ("run", "run_id", "run_name", "name", "group")


def check_number(runs: Runs) -> None:
    """Refuse a table with too many rows to be anything but checkpoints.

    Raises
    ------
    InputError
        If there are more than 200,000.
    """
    n_rows = len(runs)
    if n_rows <= MOST_ROWS:
        return
    column = next((name for name in _NAMES_OF_RUNS if name in runs.frame), "n_params")
    raise InputError(
        f"{runs.source} holds {n_rows:,} rows, and a fit takes {MOST_ROWS:,}: these would need "
        f"about {n_rows * _BYTES_A_ROW / 1e9:.0f} GB of memory and hours, and rows count as "
        "independent runs, which checkpoints of one run are not. Keep the last of each run, "
        f'runs.last_of_each("{column}") with the columns that tell runs apart, or fewer rows, '
        f'runs.where("index % {-(-n_rows // MOST_ROWS)} == 0").'
    )
