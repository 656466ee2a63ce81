"""Finished refits as files, found again by what determines their numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling_bayes._atomic import replacing
from scaling_bayes._backtest._refit import Outcome, Plan, Refit
from scaling_bayes._fitter import Fitter
from scaling_bayes._forecaster import Forecaster
from scaling_bayes._version import __version__
from scaling_bayes.errors import InputError
from scaling_bayes.parameters import Declared
from scaling_bayes.runs import Runs

FORMAT = 1


class Store:
    """A folder with one Parquet file for each finished refit.

    Parameters
    ----------
    directory : Path
        The folder; made if it is not there.
    runs : Runs
        All runs.
    forecasters : mapping of str to Forecaster
        What is refitted, by name.
    plan : Plan
        What all refits share.

    Raises
    ------
    InputError
        If the folder cannot be made, or a forecaster cannot be told from another of its class.
    """

    def __init__(
        self, directory: Path, runs: Runs, forecasters: Mapping[str, Forecaster], plan: Plan
    ) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{directory} cannot be made a folder: {error}. Give another directory."
            ) from error
        self._directory = directory
        shared = {
            "format": FORMAT,
            "version": __version__,
            "runs": _digest_of(runs),
            "plan": asdict(plan),
        }
        self._described = {
            name: json.dumps(shared | {"forecaster": describe(forecaster, name)}, sort_keys=True)
            for name, forecaster in forecasters.items()
        }

    def path(self, refit: Refit) -> Path:
        """Return the file of a refit, whether it is there or not."""
        key = f"{self._described[refit.law]}\0{refit.law}\0{refit.cut.hex()}"
        return self._directory / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.parquet"

    def read(self, refit: Refit) -> Outcome | None:
        """Return what a refit gave; None if there is no file, or it is damaged."""
        try:
            points = pd.read_parquet(self.path(refit))
            rest = {name: points.attrs.pop(name) for name in ("allocation", "failures")}
        except (OSError, ValueError, KeyError):
            return None
        return Outcome(points, **rest)

    def write(self, refit: Refit, outcome: Outcome) -> None:
        """Keep what a refit gave; the file appears only when it is whole.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        points = outcome.points.copy()
        points.attrs = {"allocation": outcome.allocation, "failures": outcome.failures}
        try:
            with replacing(self.path(refit)) as temporary:
                points.to_parquet(temporary)
        except OSError as error:
            raise InputError(
                f"{self._directory} cannot be written to: {error}. Give a folder that you may "
                "write to, and look for room on the disk."
            ) from error


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


def _digest_of(runs: Runs) -> str:
    """Return a digest of the table of runs: names, dtypes and every cell."""
    columns = [(str(name), str(dtype)) for name, dtype in runs.frame.dtypes.items()]
    digest = hashlib.sha256(repr((columns, runs.flops_per_param_token)).encode())
    digest.update(pd.util.hash_pandas_object(runs.frame).to_numpy().tobytes())
    return digest.hexdigest()
