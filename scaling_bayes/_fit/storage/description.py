"""What a posterior is of, as text in the attributes of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling_bayes.errors import FileFormatError
from scaling_bayes.parameters import Declared
from scaling_bayes.priors import Prior
from scaling_bayes.runs import KEPT_UNITS, Runs
from scaling_bayes.units import DEFAULT_LOSS_UNIT


def declared[Model: Declared](
    path: Path,
    role: str,
    stored: Mapping[str, Any],
    given: Model | None,
    registry: Mapping[str, Callable[..., Model]],
) -> Model:
    """Return the model that a file describes, or the one given if they agree.

    Raises
    ------
    FileFormatError
        If they do not, or the package ships no such model.
    """
    name = stored["name"]
    if given is None:
        default = registry[name]() if name in registry else None
        if default is None or default.to_dict()["class"] != stored.get("class"):
            raise FileFormatError(
                f"{path} holds a fit with {role} {name!r} (class {stored.get('class')}), which "
                f"scaling_bayes does not ship. Pass it: sb.load(path, {role}=...)."
            )
        priors = {key: Prior.from_dict(value) for key, value in stored["priors"].items()}
        if priors.keys() != default.priors.keys():
            raise FileFormatError(
                f"{path} holds a fit with {role} {name!r} and parameters {', '.join(priors)}; "
                f"this version of it has {', '.join(default.priors)}. Fit again."
            )
        changed = {key: prior for key, prior in priors.items() if prior != default.priors[key]}
        model = registry[name](priors=changed)
        if model.to_dict() != stored:
            raise FileFormatError(
                f"{path} holds a fit with {role} {name!r} and {_words(stored)}; this version of it "
                f"has {_words(model.to_dict())}. Fit again."
            )
        return model
    if given.to_dict() != stored:
        raise FileFormatError(
            f"{path} holds a fit with {role} {name!r} (class {stored.get('class')}) and "
            f"{_words(stored)}; the {role} given is {given.name!r} (class "
            f"{given.to_dict()['class']}) with {_words(given.to_dict())}."
        )
    return given


def _words(described: Mapping[str, Any]) -> str:
    """Return the priors of a model, and whatever else it is made of."""
    priors = (f"{name} ~ {Prior.from_dict(prior)}" for name, prior in described["priors"].items())
    others = (
        f"{name} {value}"
        for name, value in described.items()
        if name not in ("name", "class", "priors")
    )
    return f"priors {', '.join([*priors, *others])}"


def runs_to_dict(runs: Runs) -> dict[str, Any]:
    """Return runs as plain data, for JSON."""
    # Text keeps every digit of a float, and whatever a further column holds.
    return {
        "source": runs.source,
        "flops_per_param_token": runs.flops_per_param_token,
        "loss_unit": runs.loss_unit,
        "columns": {
            str(name): {"dtype": _dtype(column), "values": [_plain(value) for value in column]}
            for name, column in runs.frame.items()
        },
    }


def _dtype(column: pd.Series) -> str | None:
    """Return the dtype to restore; None where pandas is to infer it from plain values."""
    dtype = column.dtype
    return str(dtype) if dtype.kind in "biufMm" or dtype in ("object", "str") else None


def _plain(value: Any) -> Any:
    """Return a cell as JSON knows it: a number, text, a truth value, or null if missing."""
    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, int | float | str | None) else str(value)


def runs_from_dict(stored: Mapping[str, Any]) -> Runs:
    """Return the runs that `runs_to_dict` described.

    Raises
    ------
    ValueError
        If columns differ in length, hold anything but plain cells, or have a type of another kind.
    """
    columns = {name: _column(name, **column) for name, column in stored["columns"].items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError("the columns of its runs differ in length")
    return Runs(
        pd.DataFrame(columns),
        source=str(stored["source"]),
        flops_per_param_token=_positive(stored["flops_per_param_token"]),
        loss_unit=_unit(stored.get("loss_unit", DEFAULT_LOSS_UNIT)),
    )


def _unit(words: Any) -> str:
    if words not in KEPT_UNITS:
        raise ValueError(f"its losses are in {words!r}, not in {', '.join(KEPT_UNITS)}")
    return str(words)


def _column(name: str, dtype: str | None, values: list[Any]) -> pd.Series:
    kind = "O" if dtype in (None, "object", "str") else pd.api.types.pandas_dtype(dtype).kind
    if kind not in "ObiufMm" or not all(map(pd.api.types.is_scalar, values)):
        raise ValueError(f"the column {name!r} of its runs holds {dtype}")
    return pd.Series(values, dtype=dtype)


def _positive(number: Any) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < np.inf:
        raise ValueError(f"the FLOPs per parameter and token of its runs are {number!r}")
    return number
