"""A table of task losses and accuracies, checked."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_bayes.errors import InputError
from scaling_bayes.runs._names import listed

LOSS, ACCURACY, QUESTIONS = "loss", "accuracy", "n_questions"
_FEWEST = 5
_OFF_CHANCE = 3.0
"""Standard errors of an accuracy from chance, that are no accident among a few dozen runs."""
_SHOWN = 5


def checked(table: object, chance: float) -> pd.DataFrame:
    """Return loss, accuracy and number of questions of each run.

    Parameters
    ----------
    table : DataFrame
        With these columns.
    chance : float
        Accuracy of guessing.

    Raises
    ------
    InputError
        If a column is missing, a cell cannot be used, there are fewer than five runs, or the
        accuracy of none is off chance.
    """
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"tasks is a {type(table).__name__}; give a DataFrame of runs.")
    missing = [name for name in (LOSS, ACCURACY, QUESTIONS) if name not in table]
    if missing:
        raise InputError(
            f"the table of the task has no column {' and '.join(missing)}; it has "
            f"{', '.join(map(str, table))}. Give the task's loss, its accuracy from 0 to 1, and "
            "the number of questions."
        )
    frame: pd.DataFrame = (
        table[[LOSS, ACCURACY, QUESTIONS]].apply(pd.to_numeric, errors="coerce").astype(float)
    )
    rules = {
        LOSS: ((frame[LOSS] > 0) & np.isfinite(frame[LOSS]), "a positive number"),
        ACCURACY: (frame[ACCURACY].between(0, 1), "a share from 0 to 1"),
        QUESTIONS: (
            (frame[QUESTIONS] >= 1) & (frame[QUESTIONS] % 1 == 0),
            "a whole number of questions",
        ),
    }
    for name, (holds, needed) in rules.items():
        bad = table.loc[~holds.to_numpy(), name]
        if len(bad):
            cells = listed((f"row {row}: {cell!r}" for row, cell in bad.items()), most=_SHOWN)
            raise InputError(f"{name} is not {needed} in {cells}. Mend or leave out these.")
    if len(frame) < _FEWEST:
        raise InputError(
            f"the table of the task has {len(frame)} runs; give {_FEWEST} at least, since a "
            "sigmoid has four parameters."
        )
    error = np.sqrt(chance * (1 - chance) / frame[QUESTIONS])
    off = (frame[ACCURACY] - chance).abs() / error
    if off.max() < _OFF_CHANCE:
        best = frame.loc[off.idxmax()]
        raise InputError(
            f"no run of the task is off chance: accuracy {best[ACCURACY]:.3f} of "
            f"{best[QUESTIONS]:.0f} questions is {off.max():.1f} standard errors from {chance:g}. "
            "Nothing can be said of where accuracy goes: give larger runs, or another task."
        )
    return frame
