"""Finished starts of a replay as files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from scaling_bayes._kept import describe, digest_of, file_in, folder_at, writing
from scaling_bayes._version import __version__

Records = list[dict[str, Any]]


class StartStore:
    """A folder with one JSON file for each finished start.

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
        found = {}
        for start in starts:
            try:
                found[start] = json.loads(self._path(start).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
        return found

    def write(self, start: int, records: Records) -> None:
        """Keep the records of a start; the file appears only when it is whole.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        with writing(self._path(start)) as temporary:
            temporary.write_text(json.dumps(records), encoding="utf-8")

    def _path(self, start: int) -> Path:
        return file_in(self._folder, f"{self._described}\0{start}", ".json")
