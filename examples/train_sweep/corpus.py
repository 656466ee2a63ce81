"""The bytes to train on: the source text of the installed Python's standard library."""

from __future__ import annotations

import hashlib
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

VALIDATION_SHARE = 20  # one file in twenty is kept out of training
VALIDATION_BYTES = 500_000  # of these, files are validated on until they hold this much


@dataclass(frozen=True)
class Corpus:
    """Text as bytes, each file on one side of the split.

    Attributes
    ----------
    training : ndarray of uint8
        The training files, one after another.
    validation : ndarray of uint8
        The validation files, one after another.
    validation_file : ndarray of int
        For each byte of ``validation``, the number of its file.
    sha256 : str
        Hash of both sides and of the place where the files begin: two sweeps with the same hash
        were trained and judged on the same text.
    """

    training: np.ndarray
    validation: np.ndarray
    validation_file: np.ndarray
    sha256: str

    @property
    def name(self) -> str:
        """The first digits of the hash."""
        return self.sha256[:16]


@cache
def standard_library() -> Corpus:
    """Read every ``.py`` file of the standard library once.

    Files are put in the order of the SHA-256 of their content. That order is the same on every
    machine, has nothing to do with the alphabet of package names, and brings copies together, of
    which one is kept. The hash also decides the side of the split.

    Returns
    -------
    Corpus
    """
    root = Path(sysconfig.get_path("stdlib"))
    by_hash = {
        hashlib.sha256(content).hexdigest(): content
        for path in root.rglob("*.py")
        if "site-packages" not in path.parts and (content := path.read_bytes())
    }
    training, validation = [], []
    for digest in sorted(by_hash):
        if int(digest[-8:], 16) % VALIDATION_SHARE:
            training.append(by_hash[digest])
        elif sum(map(len, validation)) < VALIDATION_BYTES:
            validation.append(by_hash[digest])
    lengths = [len(content) for content in validation]
    both = hashlib.sha256()
    for side in (training, validation):
        both.update(repr([len(content) for content in side]).encode())
        both.update(b"".join(side))
    return Corpus(
        training=np.frombuffer(b"".join(training), np.uint8),
        validation=np.frombuffer(b"".join(validation), np.uint8),
        validation_file=np.repeat(np.arange(len(lengths)), lengths),
        sha256=both.hexdigest(),
    )


def windows(text: np.ndarray, length: int) -> np.ndarray:
    """Cut a text into pieces of ``length`` + 1 bytes, so that each has ``length`` predictions.

    Neighbours share one byte: the last to be predicted is the first to be read.

    Parameters
    ----------
    text : ndarray, shape (n,)
    length : int

    Returns
    -------
    ndarray, shape ((n - 1) // length, length + 1)
        A view of the text, which cannot be written to.
    """
    return np.lib.stride_tricks.sliding_window_view(text, length + 1)[::length]
