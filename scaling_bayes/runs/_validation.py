"""Cells to numbers, with every problem of the table in one error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd

from scaling_bayes.errors import Problem
from scaling_bayes.runs._cells import Fault, read_cells, read_labels
from scaling_bayes.runs._flops import flops_fault, overflowed, warn_of_constant
from scaling_bayes.runs._left_out import comparable
from scaling_bayes.runs._names import NUMERIC
from scaling_bayes.runs._problems import error_of, whole_table
from scaling_bayes.runs._schema import failures_of_cells, failures_of_rows
from scaling_bayes.runs._select import picked
from scaling_bayes.runs._sources import Table
from scaling_bayes.units import SIZES, Kind

_COLUMN_OF_FACT: Final = {
    "tokens_per_param": "tokens",
    "non_embedding_share": "n_params_non_embedding",
    "flops_ratio": "flops",
}

Faults = dict[tuple[int, str], Fault]
"""What is wrong with cells, by position of the row and name of the column."""


def check(
    table: Table,
    *,
    convert_loss: Callable[[np.ndarray], np.ndarray],
    flops_per_param_token: float,
    flops_tolerance: float,
    where: str | None,
) -> pd.DataFrame:
    """Return the rows kept, with sizes completed, losses converted and cells as numbers.

    Raises
    ------
    RunsError
        If any cell of the rows kept cannot be used, or no row is kept.
    InputError
        If the query cannot be evaluated.
    """
    raw, k = table.frame, flops_per_param_token
    frame, faults, unusable = _numbers_of(raw)
    frame["loss"] = convert_loss(frame["loss"].to_numpy(dtype=float))
    known = tuple(name for name in SIZES if name in raw)
    several = len(known) > 1
    blank = _blank_sizes(SIZES if several else known, frame, faults, unusable)
    for row, fault in overflowed(frame, k).items():
        faults[row, "flops"] = fault
    if several:
        _complete_sizes(frame, k)
    keep = np.ones(len(frame), dtype=bool) if where is None else picked(frame, where)
    if not keep.any():
        raise whole_table(table.source, f"has no runs where {where}", "Keep some rows")

    for failure in failures_of_cells(
        frame, [n for n in NUMERIC if n in frame and n not in unusable]
    ):
        faults.setdefault((failure.position, failure.column), failure.fault)
    faults = _without_consequences(faults, blank, raw, unusable)
    sound = keep.copy()
    sound[[row for row, _ in faults]] = False
    ratio = np.array([])
    if several and not unusable:
        facts = _facts(frame[sound], {n: rows[sound] for n, rows in blank.items()}, k)
        ratio = facts["flops_ratio"].dropna().to_numpy()
        faults |= _row_faults(facts, sound, flops_tolerance, flops_fault(ratio, k, flops_tolerance))
    faults = {place: fault for place, fault in faults.items() if keep[place[0]]}
    problems = [
        *(Problem(None, name, None, *fault) for name, fault in unusable.items()),
        *_problems_of_cells(raw, frame, blank, faults),
        *_repetitions(frame[sound], table.row_word),
    ]
    if problems:
        raise error_of(table.source, table.row_word, problems)
    warn_of_constant(ratio, k, table.source)
    return frame[keep] if "weight" in frame else frame[keep].assign(weight=1.0)


def _numbers_of(raw: pd.DataFrame) -> tuple[pd.DataFrame, Faults, dict[str, Fault]]:
    """Return the table as numbers, the faults of its cells, and its unusable columns."""
    frame = raw.copy()
    faults: Faults = {}
    unusable: dict[str, Fault] = {}
    for name in NUMERIC:
        if name not in raw:
            continue
        cells = read_cells(raw[name], name)
        frame[name] = cells.values
        faults |= {(row, name): fault for row, fault in cells.faults.items()}
        if cells.column_fault is not None:
            unusable[name] = cells.column_fault
    if "group" in raw:
        frame["group"], missing = read_labels(raw["group"])
        faults |= {(row, "group"): fault for row, fault in missing.items()}
    return frame, faults, unusable


def _blank_sizes(
    names: tuple[Kind, ...], frame: pd.DataFrame, faults: Faults, unusable: dict[str, Fault]
) -> dict[str, np.ndarray]:
    """Return for each size the rows, of shape (run,), in which the table leaves it blank."""
    blank: dict[str, np.ndarray] = {}
    for name in names:
        if name in frame and name not in unusable:
            blank[name] = np.isnan(frame[name].to_numpy())
            blank[name][[row for row, column in faults if column == name]] = False
        else:
            blank[name] = np.full(len(frame), name not in unusable)
    return blank


def _complete_sizes(frame: pd.DataFrame, k: float) -> None:
    """Fill in each size from the two others, where it is blank and they are not."""
    given = {name: frame[name].to_numpy() if name in frame else np.nan for name in SIZES}
    n_params, tokens, flops = (given[name] for name in SIZES)
    with np.errstate(all="ignore"):  # impossible sizes are named later, with their cells
        thirds = (flops / (k * tokens), flops / (k * n_params), k * n_params * tokens)
    for name, third in zip(SIZES, thirds, strict=True):
        frame[name] = np.where(np.isnan(given[name]), third, given[name])


def _without_consequences(
    faults: Faults, blank: dict[str, np.ndarray], raw: pd.DataFrame, unusable: dict[str, Fault]
) -> Faults:
    """Return the faults but those of blank sizes that follow from others."""
    n_blank = np.sum([np.zeros(len(raw)), *blank.values()], axis=0)

    def follows(row: int, name: str) -> bool:
        if len(blank) < 2 or name not in SIZES or not blank[name][row]:
            return False
        if n_blank[row] > 1:
            return name not in raw
        others = set(SIZES) - {name}
        return any((row, other) in faults or other in unusable for other in others)

    return {place: fault for place, fault in faults.items() if not follows(*place)}


def _facts(rows: pd.DataFrame, blank: dict[str, np.ndarray], k: float) -> pd.DataFrame:
    """Return what must hold between the cells of a row, of shape (run, fact)."""
    facts = pd.DataFrame({"tokens_per_param": rows["tokens"] / rows["n_params"]})
    ratio = rows["flops"] / (k * rows["n_params"] * rows["tokens"])
    facts["flops_ratio"] = ratio.mask(np.any([blank[name] for name in SIZES], axis=0))
    share = rows.get("n_params_non_embedding", np.nan) / rows["n_params"]
    facts["non_embedding_share"] = share.mask(blank["n_params"])
    return facts


def _row_faults(
    facts: pd.DataFrame, sound: np.ndarray, flops_tolerance: float, flops: Fault
) -> Faults:
    """Return the faults of sound cells that do not fit together."""
    positions = np.flatnonzero(sound)
    failures = failures_of_rows(facts, flops_tolerance=flops_tolerance, flops=flops)
    return {
        (int(positions[failure.position]), _COLUMN_OF_FACT[failure.column]): failure.fault
        for failure in failures
    }


def _problems_of_cells(
    raw: pd.DataFrame, frame: pd.DataFrame, blank: dict[str, np.ndarray], faults: Faults
) -> list[Problem]:
    order = {name: i for i, name in enumerate([*NUMERIC, "group"])}
    problems = []
    for (row, name), (reason, remedy) in sorted(
        faults.items(), key=lambda fault: (fault[0][0], order[fault[0][1]])
    ):
        derived = name in blank and bool(blank[name][row]) and not np.isnan(frame[name].iloc[row])
        cell = frame[name].iloc[row] if derived else raw[name].iloc[row]
        why = f"{reason} (it follows from the other two sizes)" if derived else reason
        problems.append(Problem(_plain(raw.index[row]), name, _plain(cell), why, remedy))
    return problems


def _repetitions(rows: pd.DataFrame, row_word: str) -> list[Problem]:
    """Return the rows that repeat an earlier one in every column."""
    cells = comparable(rows)
    if not cells.duplicated(keep="first").any():
        return []
    either = cells.duplicated(keep=False).to_numpy()
    twins = cells[either]
    groups = twins.groupby(list(twins.columns), dropna=False, sort=False)
    number = groups.ngroup().to_numpy().tolist()
    first: dict[int, object] = {}
    problems = []
    for label, group in zip(twins.index, number, strict=True):
        if group in first:
            reason = f"repeats {row_word} {first[group]} in every column"
            remedy = (
                'Delete it, or pass duplicates="drop"; if it is another run, tell the two apart by '
                "a column such as seed"
            )
            problems.append(Problem(_plain(label), None, None, reason, remedy))
        else:
            first[group] = _plain(label)
    return problems


def _plain(value: object) -> object:
    """Return a NumPy scalar as the Python object that it stands for."""
    return value.item() if isinstance(value, np.generic) else value
