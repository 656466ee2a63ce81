"""A fit as one NetCDF file, which plain ArviZ opens too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_bayes import discrepancy, laws, noise
from scaling_bayes._atomic import replacing
from scaling_bayes._version import __version__
from scaling_bayes.discrepancy import Discrepancy
from scaling_bayes.errors import FileFormatError, InputError
from scaling_bayes.laws import Law
from scaling_bayes.noise import Noise
from scaling_bayes.parameters import Declared
from scaling_bayes.priors import Prior
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 1
"""Of fits without discrepancy; versions of before there was any read it too."""
DISCREPANCY_FORMAT = 2
"""Of fits with discrepancy."""
FORMAT_KEY = "scaling_bayes_format"
VERSION_KEY = "scaling_bayes_version"


def write(
    data_tree: xr.DataTree,
    path: Path,
    *,
    law: Law,
    noise: Noise,
    discrepancy: Discrepancy | None,
    runs: Runs,
) -> None:
    """Write a fit to a temporary file beside `path`, then rename it to `path`.

    Parameters
    ----------
    data_tree : DataTree
        Posterior and what belongs to it.
    path : Path
        Where to; an older file is replaced only when the new one is whole.
    law, noise, discrepancy, runs
        What the posterior is of; kept as text in the attributes of the file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    if not path.parent.is_dir():
        raise InputError(
            f"{path} cannot be written: there is no folder {path.parent}. Make it first."
        )
    described = data_tree.copy()
    described.attrs |= {
        FORMAT_KEY: FORMAT,
        VERSION_KEY: __version__,
        "law": json.dumps(law.to_dict()),
        "noise": json.dumps(noise.to_dict()),
        "runs": json.dumps(_runs_to_dict(runs)),
    }
    if discrepancy is not None:
        described.attrs |= {
            FORMAT_KEY: DISCREPANCY_FORMAT,
            "discrepancy": json.dumps(discrepancy.to_dict()),
        }
    try:
        with replacing(path) as temporary:
            described.to_netcdf(temporary, engine="h5netcdf")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error}. Give a file in a folder that you may write to, "
            "and look for room on the disk."
        ) from error


def read(
    path: Path,
    *,
    law: Law | None,
    noise_model: Noise | None,
    discrepancy_model: Discrepancy | None,
) -> tuple[Law, Noise, Runs, xr.DataTree, Discrepancy | None]:
    """Read what `write` wrote.

    Parameters
    ----------
    path : Path
        The file.
    law, noise_model, discrepancy_model
        Needed where the fit is of a law, noise or discrepancy that this package does not know.

    Raises
    ------
    FileFormatError
        If the file is missing, is not NetCDF, was not written by this package, was written
        in another format, or holds another law than the one given.
    """
    import xarray as xr

    if not path.is_file():
        raise FileFormatError(f"{path}: there is no such file.")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as stored:
            data_tree = stored.load()
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path} is not a NetCDF file that can be read: {error}") from error
    attrs = data_tree.attrs
    if FORMAT_KEY not in attrs:
        raise FileFormatError(
            f"{path} was not written by scaling_bayes (it has no attribute {FORMAT_KEY}). "
            "Open it with arviz.from_netcdf."
        )
    if attrs[FORMAT_KEY] not in (FORMAT, DISCREPANCY_FORMAT):
        raise FileFormatError(
            f"{path} has format {attrs[FORMAT_KEY]} and was written by scaling_bayes "
            f"{attrs.get(VERSION_KEY, 'of unknown version')}; this version reads formats {FORMAT} "
            f"and {DISCREPANCY_FORMAT}. Read it with that version, or fit again."
        )
    try:
        parts = {name: json.loads(attrs[name]) for name in ("law", "noise", "runs")}
        parts["discrepancy"] = json.loads(attrs.get("discrepancy", "null"))
    except (KeyError, ValueError) as error:
        raise FileFormatError(
            f"{path} is damaged: its description cannot be read ({error!r}). Fit again."
        ) from error
    stored_discrepancy = parts["discrepancy"]
    if stored_discrepancy is None and discrepancy_model is not None:
        raise FileFormatError(
            f"{path} holds a fit without discrepancy; the discrepancy given is "
            f"{discrepancy_model.name!r}. Load it without one, or fit again."
        )
    return (
        _declared(path, "law", parts["law"], law, laws.REGISTRY),
        _declared(path, "noise", parts["noise"], noise_model, noise.REGISTRY),
        _runs_from_dict(parts["runs"]),
        data_tree,
        None
        if stored_discrepancy is None
        else _declared(
            path, "discrepancy", stored_discrepancy, discrepancy_model, discrepancy.REGISTRY
        ),
    )


def _declared[Model: Declared](
    path: Path,
    role: str,
    stored: Mapping[str, Any],
    given: Model | None,
    registry: Mapping[str, Callable[..., Model]],
) -> Model:
    """Return the model that a file describes, or the one given if they agree."""
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


def _runs_to_dict(runs: Runs) -> dict[str, Any]:
    # Text keeps every digit of a float, and whatever a further column holds.
    return {
        "source": runs.source,
        "flops_per_param_token": runs.flops_per_param_token,
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


def _runs_from_dict(stored: Mapping[str, Any]) -> Runs:
    columns = {
        name: pd.Series(column["values"], dtype=column["dtype"])
        for name, column in stored["columns"].items()
    }
    return Runs(
        pd.DataFrame(columns),
        source=stored["source"],
        flops_per_param_token=stored["flops_per_param_token"],
    )
