"""Finished starts of a replay as files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from scaling_bayes._fit.kept import describe, digest_of, file_in, folder_at, keep, kept_at
from scaling_bayes._version import __version__

Records = list[dict[str, Any]]


class StartStore:
    """A folder with one file for each finished start: JSON, and a checksum after it.

    Parameters
    ----------
    directory : str or Path
        The folder; made if it is not there.
    plan : dataclass
        What all starts share: its fields determine the records.

    Raises
    ------
    InputError
        If the folder cannot be made, or a policy cannot be told from another of its class.
    """

    def __init__(self, directory: str | Path, plan: Any) -> None:
        self._folder = folder_at(directory)
        determinants = {each.name: getattr(plan, each.name) for each in fields(plan)}
        runs = determinants.pop("runs")
        described = {name: describe(value, name) for name, value in determinants.items()}
        self._described = json.dumps(
            {"version": __version__, "runs": digest_of(runs), "replay": described}
        )

    def read(self, starts: Iterable[int]) -> dict[int, Records]:
        """Return the records of those starts that are there and whole."""
        kept = {start: kept_at(self._path(start)) for start in starts}
        return {start: json.loads(content) for start, content in kept.items() if content}

    def write(self, start: int, records: Records) -> None:
        """Keep the records of a start; the file appears only when it is whole.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        keep(self._path(start), json.dumps(records).encode())

    def _path(self, start: int) -> Path:
        return file_in(self._folder, f"{self._described}\0{start}", ".json")
