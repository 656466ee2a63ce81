"""Finished refits of a backtest as files."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from scaling_bayes._evidence.backtest.refit import Outcome, Plan, Refit
from scaling_bayes._fit.kept import describe, digest_of, file_in, folder_at, keep, kept_at
from scaling_bayes._prediction.forecaster import Forecaster
from scaling_bayes._version import __version__
from scaling_bayes.runs import Runs

FORMAT = 1


class Store:
    """A folder with one file for each finished refit: Parquet, and a checksum after it.

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
        self._directory = folder_at(directory)
        shared = {
            "format": FORMAT,
            "version": __version__,
            "runs": digest_of(runs),
            "plan": asdict(plan),
        }
        self._described = {
            name: json.dumps(shared | {"forecaster": describe(forecaster, name)}, sort_keys=True)
            for name, forecaster in forecasters.items()
        }

    def path(self, refit: Refit) -> Path:
        """Return the file of a refit, whether it is there or not."""
        key = f"{self._described[refit.law]}\0{refit.law}\0{refit.cut.hex()}"
        return file_in(self._directory, key, ".parquet")

    def read(self, refit: Refit) -> Outcome | None:
        """Return what a refit gave; None if there is no file, or it is damaged."""
        content = kept_at(self.path(refit))
        if content is None:
            return None
        points = pd.read_parquet(io.BytesIO(content))
        rest = {name: points.attrs.pop(name) for name in ("allocation", "failures")}
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
        keep(self.path(refit), points.to_parquet())
