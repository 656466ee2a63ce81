"""The rules that cells and rows of a table of runs keep, checked by pandera."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from scaling_bayes._plausible import PLAUSIBLE, Size
from scaling_bayes.runs._cells import Fault

_TWO_SIZES: Final = "Fill it in: every run needs two of n_params, tokens and flops"


@dataclass(frozen=True)
class Rule:
    """What must hold of each cell of a column, and what to say where it does not."""

    holds: Callable[[pd.Series], pd.Series]
    fault: Fault


@dataclass(frozen=True)
class Failure:
    """A cell that breaks a rule, by position of its row."""

    position: int
    column: str
    fault: Fault


def _number_rules(
    least: float | None, too_small: Fault | None, most: float | None, too_large: Fault | None
) -> list[Rule]:
    # Each rule passes what an earlier one names, so that a cell has one fault.
    remedy = "Correct it, or leave the run out"
    rules = [
        Rule(lambda x: x != 0, Fault("is zero", remedy)),
        Rule(lambda x: x >= 0, Fault("is negative", remedy)),
        Rule(lambda x: x != np.inf, Fault("is infinite", remedy)),
    ]
    if least is not None and too_small is not None:
        rules.append(Rule(lambda x: (x >= least) | (x <= 0), too_small))
    if most is not None and too_large is not None:
        rules.append(Rule(lambda x: (x <= most) | (x == np.inf), too_large))
    return rules


def _size_rules(size: Size, if_small: str, if_large: str) -> list[Rule]:
    plausible = PLAUSIBLE[size]
    return _number_rules(
        plausible.least,
        Fault(plausible.too_small, if_small),
        plausible.most,
        Fault(plausible.too_large, if_large),
    )


_TOO_LARGE: Final = "Check its unit: the cell is read as a plain count"
_IN_BILLIONS: Final = (
    "If the column is in millions or billions, write '7B', or multiply by 1e6 or 1e9"
)
_SIZE_UNITS: Final = "Check n_params and tokens: is one of them in thousands, millions or billions"

_RUNS_OF_ROW: Final = (
    "A weight is the number of equal runs that a row is the mean of: 1 for a single run, 3 for the "
    "mean of three seeds"
)
MOST_RUNS_OF_ROW: Final = 1000.0
"""Of a thousand runs with noise of 0.3% the mean has 0.01%, as much as rounding a loss to 2.345."""

_SCATTER: Final = (
    "Give the standard deviation of log loss over the runs that the row is the mean of, such as "
    "0.003; leave it empty in rows of one run"
)
_MOST_SCATTER: Final = 1.0

# Diverged runs at 12 nats are real.
_RULES_OF_CELLS: Final[dict[str, list[Rule]]] = {
    "n_params": _size_rules("n_params", _IN_BILLIONS, _TOO_LARGE),
    "n_params_non_embedding": _number_rules(
        1e2,
        Fault(PLAUSIBLE["n_params"].too_small, _IN_BILLIONS),
        PLAUSIBLE["n_params"].most,
        Fault(PLAUSIBLE["n_params"].too_large, _TOO_LARGE),
    ),
    "tokens": _size_rules(
        "tokens",
        "If the column is in billions, write '300B', or multiply by 1e9",
        _TOO_LARGE,
    ),
    "flops": _size_rules(
        "flops",
        "If the column is in PF-days, write '3.2 PF-days', or multiply by 8.64e19",
        "Check its unit: give FLOPs in all",
    ),
    "loss": _number_rules(
        None,
        None,
        15.0,
        Fault(
            "is more than a model that knows nothing loses (log of the vocabulary, 11 to 13 nats)",
            "If it is a perplexity, take its natural log; if the run diverged, leave it out",
        ),
    ),
    "weight": [
        *_number_rules(
            1.0,
            Fault("is less than one run", _RUNS_OF_ROW),
            MOST_RUNS_OF_ROW,
            Fault("is more runs than anyone averages", _RUNS_OF_ROW),
        ),
        Rule(
            lambda x: (x == x.round()) | (x < 1) | (x > MOST_RUNS_OF_ROW),
            Fault("is not a whole number", _RUNS_OF_ROW),
        ),
    ],
    # Of a row that is one run it is missing.
    "seed_sd": [
        Rule(lambda x: x.isna() | (x >= 0), Fault("is negative", _SCATTER)),
        Rule(
            lambda x: x.isna() | (x <= _MOST_SCATTER) | (x < 0),
            Fault("is more than seeds scatter", _SCATTER),
        ),
    ],
}

_MISSING: Final = {
    "n_params": Fault("is missing", _TWO_SIZES),
    "tokens": Fault("is missing", _TWO_SIZES),
    "flops": Fault("is missing", _TWO_SIZES),
    "loss": Fault("is missing", "Write the final loss in nats per token, or leave the run out"),
    "weight": Fault("is missing", "Write 1 for a single run, or delete the column"),
    "n_params_non_embedding": Fault("is missing", "Fill it in, or delete the column"),
}

_PER_PARAM: Final = PLAUSIBLE["tokens_per_param"]
_RULES_OF_ROWS: Final[dict[str, list[Rule]]] = {
    "tokens_per_param": [
        Rule(lambda x: x >= _PER_PARAM.least, Fault(_PER_PARAM.too_small, _SIZE_UNITS)),
        Rule(lambda x: x <= _PER_PARAM.most, Fault(_PER_PARAM.too_large, _SIZE_UNITS)),
    ],
    "non_embedding_share": [
        Rule(
            lambda x: x <= 1.05,
            Fault(
                "is more than n_params, of which it is a part",
                "Exchange the two, or correct one of them",
            ),
        )
    ],
}


def failures_of_cells(frame: pd.DataFrame, names: Sequence[str]) -> list[Failure]:
    """Return every cell of the named columns that is missing or breaks a rule of its column."""
    return _failures(frame, {name: _RULES_OF_CELLS[name] for name in names}, missing=_MISSING)


def failures_of_rows(facts: pd.DataFrame, *, flops_tolerance: float, flops: Fault) -> list[Failure]:
    """Return every row whose cells do not fit together.

    Parameters
    ----------
    facts : pandas.DataFrame
        Columns ``tokens_per_param``, ``non_embedding_share`` and ``flops_ratio`` = C/(k N D) of
        shape (run,); NaN where a row has no such fact.
    flops_tolerance : float
        Largest distance of the FLOPs ratio from 1.
    flops : Fault
        What to say where it is larger.
    """
    rules = {
        **_RULES_OF_ROWS,
        "flops_ratio": [Rule(lambda x: (x - 1).abs() <= flops_tolerance, flops)],
    }
    return _failures(facts, rules, missing={})


def _failures(
    frame: pd.DataFrame,
    rules: Mapping[str, Sequence[Rule]],
    *,
    missing: Mapping[str, Fault],
) -> list[Failure]:
    import pandera.pandas as pa

    schema = pa.DataFrameSchema(
        {
            name: pa.Column(
                float, [pa.Check(rule.holds) for rule in column], nullable=name not in missing
            )
            for name, column in rules.items()
        }
    )
    try:
        schema.validate(frame.reset_index(drop=True), lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return []
    failures = []
    for column, number, position in zip(
        cases["column"], cases["check_number"], cases["index"], strict=True
    ):
        # pandera numbers the checks of a column; a missing cell breaks none of them.
        fault = missing[column] if pd.isna(number) else rules[column][int(number)].fault
        failures.append(Failure(int(position), column, fault))
    return failures
