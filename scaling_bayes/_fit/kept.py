"""Files of finished work, found again by what determines it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling_bayes._files.sealed import SealError, sealed, unsealed
from scaling_bayes._files.user_path import path_of
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes._fit.fitter import Fitter
from scaling_bayes.errors import InputError
from scaling_bayes.parameters import Declared
from scaling_bayes.runs import Runs


def folder_at(directory: str | Path) -> Path:
    """Return a folder, which is made if it is not there.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    folder = path_of(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made a folder: {error}. Give another directory."
        ) from error
    return folder


def file_in(folder: Path, determinants: str, suffix: str) -> Path:
    """Return the file of some work, whether it is there or not."""
    return folder / f"{hashlib.sha256(determinants.encode()).hexdigest()[:40]}{suffix}"


def keep(path: Path, content: bytes) -> None:
    """Write what `kept_at` reads; the file appears only when it is whole.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    write_whole(path, sealed(content))


def kept_at(path: Path) -> bytes | None:
    """Return what `keep` wrote; None if there is no such file, or it is damaged."""
    try:
        return unsealed(path.read_bytes())
    except (OSError, SealError):
        return None


def sentence_on(directory: str | Path | None, finished: str) -> str:
    """Say where finished work is, for the error when the rest cannot go on."""
    if directory is None:
        return f"Nothing is kept: with directory=..., the same call goes on from {finished}."
    return f"{finished[0].upper()}{finished[1:]} are kept in {directory}; the same call goes on."


def describe(thing: object, name: str) -> Any:
    """Return plain data that says what determines the forecasts of a forecaster.

    Parameters
    ----------
    thing : object
        The forecaster, or a part of it.
    name : str
        Name of the forecaster, for the error.

    Raises
    ------
    InputError
        If a part says nothing of itself but its address in memory.
    """
    if isinstance(thing, Fitter):
        public = {part: value for part, value in vars(thing).items() if not part.startswith("_")}
        return {"class": "Fitter"} | {part: describe(value, name) for part, value in public.items()}
    if isinstance(thing, Declared):
        return thing.to_dict()
    if is_dataclass(thing) and not isinstance(thing, type):
        return {"class": f"{type(thing).__module__}.{type(thing).__qualname__}"} | {
            item.name: describe(getattr(thing, item.name), name)
            for item in fields(thing)
            if item.name != "progressbar"
        }
    if isinstance(thing, Mapping):
        return {str(key): describe(value, name) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [describe(value, name) for value in thing]
    if isinstance(thing, np.ndarray):
        return thing.tolist()
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    text = repr(thing)
    if " at 0x" in text:
        raise InputError(
            f"{name!r} holds {text}, which says nothing that results could be found again by. "
            "Make its class a dataclass, or give it a __repr__ that names its settings; or leave "
            "out directory."
        )
    return text


def digest_of(runs: Runs) -> str:
    """Return a digest of a table of runs: names, dtypes and every cell."""
    columns = [(str(name), str(dtype)) for name, dtype in runs.frame.dtypes.items()]
    digest = hashlib.sha256(repr((columns, runs.flops_per_param_token)).encode())
    digest.update(pd.util.hash_pandas_object(runs.frame).to_numpy().tobytes())
    return digest.hexdigest()
