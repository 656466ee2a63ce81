"""The file: written with a checksum after it, and checked before anything of it is used."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes import discrepancy, laws, noise
from scaling_bayes._files.sealed import NoSealError, SealError, sealed, unsealed
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes._fit.grouping import Groups, runs_by_group
from scaling_bayes._fit.storage.description import declared, runs_from_dict, runs_to_dict
from scaling_bayes._fit.storage.pooled_values import check_pooled_values
from scaling_bayes._fit.storage.stored_values import ValuesError, check_values
from scaling_bayes._fit.storage.structure import attributes_of, check_structure
from scaling_bayes._inference.kernel.pooled_density import GROUP
from scaling_bayes._version import __version__
from scaling_bayes.discrepancy import Discrepancy
from scaling_bayes.errors import FileFormatError, InputError, OtherKindError
from scaling_bayes.laws import Law, PowerSum
from scaling_bayes.noise import Noise
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 1
"""Of fits without discrepancy; versions of before there was any read it too."""
DISCREPANCY_FORMAT = 2
"""Of fits with discrepancy."""
POOLED_FORMAT = 3
"""Of fits whose groups vary around common parameters."""
FORMAT_KEY = "scaling_bayes_format"
VERSION_KEY = "scaling_bayes_version"
SEALED_KEY = "scaling_bayes_sealed"
"""Attribute of files that have a checksum at their end; before there were any, files lack it."""
MOST_BYTES = 2**31
"""Longest file that is written or read."""


def write(
    data_tree: xr.DataTree,
    path: Path,
    *,
    law: Law,
    noise: Noise,
    discrepancy: Discrepancy | None,
    runs: Runs,
    groups: Groups | None = None,
) -> None:
    """Write a fit to a temporary file beside `path`, then rename it to `path`.

    HDF5 ends the process where the disk is full, so that the file is made in memory.

    Parameters
    ----------
    data_tree : DataTree
        Posterior and what belongs to it.
    path : Path
        Where to; an older file is replaced only when the new one is whole.
    law, noise, discrepancy, runs, groups
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
        SEALED_KEY: 1,
        "law": json.dumps(law.to_dict()),
        "noise": json.dumps(noise.to_dict()),
        "runs": json.dumps(runs_to_dict(runs)),
    }
    if discrepancy is not None:
        described.attrs |= {
            FORMAT_KEY: DISCREPANCY_FORMAT,
            "discrepancy": json.dumps(discrepancy.to_dict()),
        }
    if groups is not None:
        described.attrs |= {FORMAT_KEY: POOLED_FORMAT, "groups": json.dumps(groups.to_dict())}
    content = sealed(_netcdf(described))
    if len(content) > MOST_BYTES:
        raise InputError(
            f"{path} cannot be written: it would take {len(content):.2g} bytes, and fits are read "
            f"up to {MOST_BYTES:.2g}. Keep fewer draws."
        )
    write_whole(path, content)


def _netcdf(data_tree: xr.DataTree) -> bytes:
    """Return a file that is made in memory, without asking a cluster of Dask to lock it."""
    here: AbstractContextManager[object] = nullcontext()
    if "dask" in sys.modules:
        import dask.config

        here = dask.config.set(scheduler="threads")
    with here:
        return bytes(data_tree.to_netcdf(engine="h5netcdf"))


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
        in another format, is damaged, or holds another law than the one given.
    """
    content, attrs = _unsealed(path, (FORMAT, DISCREPANCY_FORMAT))
    models, runs = _described(path, attrs, law, noise_model, discrepancy_model)
    with _as_damage(path):
        check_structure(content)
        data_tree = _loaded(content)
        check_values(data_tree, law=models[0], noise=models[1], discrepancy=models[2], runs=runs)
    return models[0], models[1], runs, data_tree, models[2]


def read_pooled(
    path: Path,
    *,
    law: Law | None,
    noise_model: Noise | None,
    discrepancy_model: Discrepancy | None,
) -> tuple[PowerSum, Noise, Groups, Runs, xr.DataTree, Discrepancy | None]:
    """Read what `write` wrote of a pooled fit; see `read`."""
    content, attrs = _unsealed(path, (POOLED_FORMAT,))
    (of_file, noise_of_file, error), runs = _described(
        path, attrs, law, noise_model, discrepancy_model
    )
    with _as_damage(path):
        groups = Groups.from_dict(json.loads(attrs["groups"]))
        if not isinstance(of_file, PowerSum):
            raise ValuesError(f"it pools {of_file.name}, which is not a sum of powers")
        runs_of = runs_by_group(runs, groups.by)
        check_structure(content)
        data_tree = _loaded(content)
        check_pooled_values(
            data_tree,
            law=of_file,
            noise=noise_of_file,
            discrepancy=error,
            groups=groups,
            runs=runs,
            runs_of=runs_of,
        )
        named = {GROUP: list(runs_of)}
        for name in ("posterior", "constant_data"):
            data_tree[name] = type(data_tree)(data_tree[name].to_dataset().assign_coords(named))
    return of_file, noise_of_file, groups, runs, data_tree, error


def _unsealed(path: Path, formats: tuple[int, ...]) -> tuple[bytes, dict[str, Any]]:
    """Return the content of a file, whose checksum is right, and its attributes."""
    whole = _content(path)
    try:
        content = unsealed(whole)
    except NoSealError:
        content = whole
    except SealError as error:
        raise _damaged(path, str(error)) from error
    attrs = _attributes(path, content, formats)
    if SEALED_KEY in attrs and content is whole:
        raise _damaged(path, "the checksum at its end is missing")
    return content, attrs


def _described(
    path: Path,
    attrs: dict[str, Any],
    law: Law | None,
    noise_model: Noise | None,
    discrepancy_model: Discrepancy | None,
) -> tuple[tuple[Law, Noise, Discrepancy | None], Runs]:
    """Return law, noise, discrepancy and runs that the attributes describe."""
    with _as_damage(path):
        parts = {name: json.loads(attrs[name]) for name in ("law", "noise", "runs")}
        parts["discrepancy"] = json.loads(attrs.get("discrepancy", "null"))
        runs = runs_from_dict(parts["runs"])
    stored_discrepancy = parts["discrepancy"]
    if stored_discrepancy is None and discrepancy_model is not None:
        raise FileFormatError(
            f"{path} holds a fit without discrepancy; the discrepancy given is "
            f"{discrepancy_model.name!r}. Load it without one, or fit again."
        )
    with _as_damage(path):
        models = (
            declared(path, "law", parts["law"], law, laws.REGISTRY),
            declared(path, "noise", parts["noise"], noise_model, noise.REGISTRY),
            None
            if stored_discrepancy is None
            else declared(
                path, "discrepancy", stored_discrepancy, discrepancy_model, discrepancy.REGISTRY
            ),
        )
    return models, runs


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise FileFormatError(f"{path}: there is no such file.")
    try:
        n_bytes = path.stat().st_size
        if n_bytes <= MOST_BYTES:
            return path.read_bytes()
    except OSError as error:
        raise FileFormatError(
            f"{path} cannot be read: {error.strerror}. Look whether you may read it."
        ) from error
    raise FileFormatError(
        f"{path} is {n_bytes:.2g} bytes long, and fits have {MOST_BYTES:.2g} at most. Is it a fit?"
    )


def _attributes(path: Path, content: bytes, formats: tuple[int, ...]) -> dict[str, Any]:
    """Return the attributes of a file in a format that this version reads."""
    try:
        attrs = attributes_of(content)
    # HDF5 raises anything at bytes that it did not write.
    except Exception as error:
        raise FileFormatError(
            f"{path} is not a NetCDF file that can be read: {error}. Fit again, or take a copy of "
            "it that is whole."
        ) from error
    if FORMAT_KEY not in attrs:
        raise FileFormatError(
            f"{path} was not written by scaling_bayes (it has no attribute {FORMAT_KEY}). "
            "Open it with arviz.from_netcdf."
        )
    found = np.ravel(attrs[FORMAT_KEY]).tolist()
    pooled = [POOLED_FORMAT]
    if (found == pooled) != (POOLED_FORMAT in formats) and found in (
        [FORMAT],
        [DISCREPANCY_FORMAT],
        pooled,
    ):
        raise OtherKindError(
            f"{path} holds a fit of groups: ask for one of them, as "
            f'sb.PooledFit.load("{path}")["name"] or {path}:name on the command line.'
            if found == pooled
            else f"{path} holds a fit of one law, without groups. Read it with sb.load."
        )
    if len(found) != 1 or found[0] not in formats:
        raise FileFormatError(
            f"{path} has format {', '.join(map(str, found))} and was written by scaling_bayes "
            f"{attrs.get(VERSION_KEY, 'of unknown version')}; this version reads formats {FORMAT} "
            f"to {POOLED_FORMAT}. Read it with that version, or fit again."
        )
    return attrs


def _loaded(content: bytes) -> xr.DataTree:
    """Return what is in a file; numbers stay numbers, whatever their attributes say of dates."""
    import xarray as xr

    with xr.open_datatree(io.BytesIO(content), engine="h5netcdf", decode_times=False) as stored:
        return stored.load()


@contextmanager
def _as_damage(path: Path) -> Iterator[None]:
    """Turn whatever a file makes libraries raise into one error that names the file."""
    try:
        yield
    except FileFormatError:
        raise
    # The file may be a stranger's: JSON, pandas, HDF5, xarray and PyMC raise anything at it.
    except Exception as error:
        raise _damaged(path, str(error).rstrip(".") or repr(error)) from error


def _damaged(path: Path, reason: str) -> FileFormatError:
    return FileFormatError(
        f"{path} is damaged: {reason}. Take a copy of it that is whole, or fit again."
    )
