"""Whether a file is laid out as a fit is, before anything of it is loaded.

HDF5 can point into other files, declare sizes that no file has, go round in circles, and run
filters of others. A fit has none of it, so that a file which does is refused.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

MOST_OBJECTS = 1_000
"""Groups and arrays in a file; a fit has about sixty."""
MOST_TEXTS = 32
"""Texts in one attribute; the most dims that an array can have."""


class StructureError(ValueError):
    """A file is laid out as no fit is."""


def attributes_of(content: bytes) -> dict[str, Any]:
    """Return the attributes of the file itself, and nothing else of it."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        return {name: _attribute(file, name, len(content)) for name in file.attrs}


def check_structure(content: bytes) -> None:
    """Refuse what no fit has: links, other kinds of storage, more data than the file is long.

    Parameters
    ----------
    content : bytes
        A file in HDF5.

    Raises
    ------
    StructureError
        If there is such a thing.
    """
    import h5py

    declared = 0
    with h5py.File(io.BytesIO(content), "r") as file:
        for n_objects, (name, found) in enumerate(_objects(file, depth=0), start=1):
            if n_objects > MOST_OBJECTS:
                raise StructureError(f"it holds more than {MOST_OBJECTS} groups and arrays")
            declared += sum(_length(_attribute(found, each, len(content))) for each in found.attrs)
            if isinstance(found, h5py.Dataset):
                declared += _checked_size(name, found)
            if declared > len(content):
                raise StructureError(
                    f"with {name!r} it declares {declared} bytes of data, and it is only "
                    f"{len(content)} bytes long"
                )


def _objects(group: h5py.Group, *, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield every group and array, each of which is reached in one way only."""
    import h5py

    yield group.name, group
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise StructureError(f"{name!r} is a link to somewhere else")
        found = group[name]
        if h5py.h5o.get_info(found.id).rc != 1:
            raise StructureError(f"{name!r} is reached in more than one way")
        if isinstance(found, h5py.Dataset):
            yield found.name, found
        elif isinstance(found, h5py.Group) and depth == 0:
            yield from _objects(found, depth=1)
        else:
            raise StructureError(f"{name!r} is neither an array nor a group of arrays")


def _checked_size(name: str, dataset: h5py.Dataset) -> int:
    """Return how many bytes an array of numbers takes, which must be in the file as they are."""
    import h5py

    if dataset.dtype.kind not in "biuf":
        raise StructureError(f"{name!r} holds {dataset.dtype}, and not numbers")
    layout = dataset.id.get_create_plist()
    if layout.get_external_count() or dataset.is_virtual:
        raise StructureError(f"the data of {name!r} are in another file")
    if layout.get_layout() == h5py.h5d.CHUNKED or layout.get_nfilters():
        raise StructureError(f"{name!r} is stored in chunks or compressed")
    return int(dataset.nbytes)


def _attribute(owner: h5py.Group | h5py.Dataset, name: str, n_bytes: int) -> Any:
    """Return an attribute that is no longer than the file."""
    import h5py

    stored = owner.attrs.get_id(name)
    kind, n_values = stored.get_type(), stored.get_space().get_simple_extent_npoints()
    is_text = isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()
    if n_values * kind.get_size() > n_bytes:
        raise StructureError(f"the attribute {name!r} is longer than the file")
    if n_values > MOST_TEXTS and (is_text or kind.detect_class(h5py.h5t.VLEN)):
        raise StructureError(f"the attribute {name!r} holds {n_values} texts or lists")
    return owner.attrs[name]


def _length(value: Any) -> int:
    """Return about how many bytes an attribute takes in memory."""
    import numpy as np

    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return sum(map(_length, value.flat))
    return len(value) if isinstance(value, str | bytes) else int(np.asarray(value).nbytes)
