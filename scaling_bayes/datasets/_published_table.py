"""Published tables: from a folder, from the cache, or downloaded and converted."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pandas as pd

from scaling_bayes._files.user_path import path_of
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes.errors import InputError, RunsError

FOLDER_VARIABLE: Final = "SCALING_BAYES_DATA"
_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Source:
    """A table that others published, and how it becomes one of this package.

    Attributes
    ----------
    name : str
        Name of the table; its file is ``<name>.csv``.
    repository : str
        Owner and name of the GitHub repository.
    commit : str
        The commit that the files are taken from.
    paths : tuple of str
        The files in the repository.
    sha256 : str
        Hash of the converted table as CSV text.
    convert : callable
        From the content of the files, by path, to the table.
    """

    name: str
    repository: str
    commit: str
    paths: tuple[str, ...]
    sha256: str
    convert: Callable[[Mapping[str, bytes]], pd.DataFrame]

    def url(self, path: str) -> str:
        """Return the address of one of the files at the commit."""
        return f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{quote(path)}"


def table_file(source: Source) -> Path:
    """Return a CSV file that holds the table exactly as it was published.

    It is looked for in the folder that the environment variable ``SCALING_BAYES_DATA`` names,
    and nowhere else if that is set; otherwise in the user's cache, where it is downloaded to.

    Raises
    ------
    RunsError
        If the table cannot be had, or is not the published one; the message says what helps.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        path = path_of(folder) / f"{source.name}.csv"
        _check_file(path, source)
        return path
    path = _cache() / f"{source.name}.csv"
    if not (path.is_file() and _hash(path.read_bytes()) == source.sha256):
        _write(path, _download_and_convert(source))
    return path


def text_cells(content: bytes) -> pd.DataFrame:
    """Return a CSV file as text cells, so that numbers are rounded only once, by ``float``."""
    return pd.read_csv(io.BytesIO(content), dtype=str)


def csv_text(table: pd.DataFrame) -> bytes:
    """Return the table as CSV: shortest exact floats, lines that end in a line feed, UTF-8."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("scaling_bayes"))


def _check_file(path: Path, source: Source) -> None:
    try:
        found = _hash(path.read_bytes())
    except OSError as error:
        raise RunsError(
            f"{path} cannot be read ({error.strerror}); its sha256 should be {source.sha256}. "
            f"{FOLDER_VARIABLE} names its folder: put the table there, or unset the variable to "
            "download it."
        ) from None
    if found != source.sha256:
        raise RunsError(
            f"{path} is not the published table: its sha256 is {found}, not {source.sha256}. "
            f"Restore it, or unset {FOLDER_VARIABLE} to download the table."
        )


def _download_and_convert(source: Source) -> bytes:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        contents = pool.map(_download, map(source.url, source.paths))
        files = dict(zip(source.paths, contents, strict=True))
    origin = f"{source.name} from {source.repository} at {source.commit}"
    remedy = (
        f"Report it, or set {FOLDER_VARIABLE} to a folder that holds {source.name}.csv with the "
        "published hash."
    )
    try:
        content = csv_text(source.convert(files))
    # A file of another kind than expected makes json, pickle, pandas and others raise anything.
    except Exception as error:
        raise RunsError(f"{origin} cannot be converted ({error!r}). {remedy}") from error
    found = _hash(content)
    if found != source.sha256:
        raise RunsError(
            f"{origin} is not the published table: converted, its sha256 is {found}, "
            f"not {source.sha256}. {remedy}"
        )
    return content


def _download(url: str) -> bytes:
    import pooch

    content = io.BytesIO()
    try:
        pooch.HTTPDownloader()(url, content, None)
    except OSError as error:  # every error of requests is one
        raise RunsError(
            f"{url} cannot be downloaded ({error}). Connect to the network, or set "
            f"{FOLDER_VARIABLE} to a folder that holds the converted table."
        ) from None
    return content.getvalue()


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except (OSError, InputError) as error:
        raise RunsError(
            f"{path} cannot be written ({error}). Make room for the cache there, or set "
            f"{FOLDER_VARIABLE} to a folder that holds the table."
        ) from None
