"""Saved fits that somebody else made, or that a disk or a network damaged."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from textwrap import dedent
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._files.sealed import sealed, unsealed
from scaling_bayes._fit.storage.fit_file import SEALED_KEY
from scaling_bayes._fit.storage.structure import MOST_OBJECTS
from scaling_bayes.errors import ConvergenceError, ConvergenceWarning, FileFormatError

N_MUTANTS = 500
TIME_LIMIT, MEMORY_LIMIT = 300, 4 * 2**30
"""Seconds and bytes of address space that all mutants may take together."""

Edit = Callable[[h5py.File], None]


@pytest.fixture(scope="module")
def whole(smooth_fit: sb.Fit, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a fit, as short as one can be that keeps the limits of diagnostics."""
    tree = smooth_fit.data_tree
    stats = tree["sample_stats"].to_dataset()[["energy", "diverging"]]
    tree = tree.assign({"sample_stats": xr.DataTree(stats)})
    fit = sb.Fit(smooth_fit.law, smooth_fit.noise, smooth_fit.runs, tree, smooth_fit.discrepancy)
    return fit.save(tmp_path_factory.mktemp("whole") / "fit.nc").read_bytes()


def edited(whole: bytes, edit: Edit) -> bytes:
    """Return a file that was edited, with a checksum that is right: as a stranger makes it."""
    file = io.BytesIO(unsealed(whole))
    with h5py.File(file, "r+") as opened:
        edit(opened)
    return sealed(file.getvalue())


def replaced(name: str, **options: Any) -> Edit:
    def edit(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **options)

    return edit


def linked(name: str, link: object) -> Edit:
    def edit(file: h5py.File) -> None:
        del file[name]
        file[name] = link

    return edit


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, 1000), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4, 1000))
    del file["posterior/L_inf"]
    file.create_virtual_dataset("posterior/L_inf", layout)


def another_way(name: str, target: str) -> Edit:
    return lambda file: file.__setitem__(name, file[target])


def added(name: str, value: object) -> Edit:
    return lambda file: file.__setitem__(name, value)


def attribute(name: str, value: object) -> Edit:
    return lambda file: file.attrs.__setitem__(name, value)


def removed(name: str) -> Edit:
    return lambda file: file.__delitem__(name)


def crowd(file: h5py.File) -> None:
    for i in range(MOST_OBJECTS):
        file.create_dataset(f"crowd/{i}", (), "f8")


def values(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Edit:
    def edit(file: h5py.File) -> None:
        file[name][...] = change(file[name][...])

    return edit


def at(place: object, value: object) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[place] = value
        return array

    return change


def fewer_runs(file: h5py.File) -> None:
    stored = json.loads(file.attrs["runs"])
    for column in stored["columns"].values():
        del column["values"][-1]
    file.attrs["runs"] = json.dumps(stored)


TERA = (10**6, 10**6)
LAYOUTS = {
    "external": (
        replaced(
            "posterior/L_inf", shape=(4, 1000), dtype="f8", external=[("/etc/passwd", 0, 10**5)]
        ),
        "in another file",
    ),
    "virtual": (virtual, "in another file"),
    "declared": (replaced("posterior/L_inf", shape=TERA, dtype="f8"), "declares 80000"),
    "chunks": (
        replaced("posterior/L_inf", shape=TERA, dtype="f8", chunks=(9, 9)),
        "in chunks",
    ),
    "compressed": (
        replaced("posterior/L_inf", data=np.ones((4, 1000)), compression="gzip"),
        "compressed",
    ),
    "soft link": (linked("posterior/L_inf", h5py.SoftLink("/posterior/N_c")), "is a link"),
    "external link": (
        linked("posterior/L_inf", h5py.ExternalLink("/etc/passwd", "/x")),
        "is a link",
    ),
    "twice": (another_way("posterior/again", "posterior/L_inf"), "more than one way"),
    "cycle": (another_way("posterior/again", "posterior"), "more than one way"),
    "cycle by the root": (another_way("posterior/again", "/"), "more than one way"),
    "texts": (added("posterior/x", np.array(["a"], h5py.string_dtype())), "not numbers"),
    "records": (added("posterior/x", np.zeros(3, [("a", "f8")])), "not numbers"),
    "type": (added("posterior/x", np.dtype("f8")), "neither an array nor a group"),
    "nested": (lambda file: file.create_group("posterior/a/b"), "neither an array nor a group"),
    "crowd": (crowd, "more than"),
    "many texts": (attribute("x", np.array(["a"] * 99, h5py.string_dtype())), "99 texts"),
}
VALUES = {
    "NaN": (values("posterior/L_inf", lambda x: np.nan * x), "L_inf holds values"),
    "negative": (values("posterior/L_inf", np.negative), "L_inf go from -"),
    "below a bound": (values("posterior/nu", at((0, 0), 1.0)), "nu go from 1 to"),
    "weight": (values("posterior/discrepancy_weight", at(0, np.inf)), "weight holds values"),
    "energy": (values("sample_stats/energy", at(0, np.nan)), "energy holds values"),
    "no group": (removed("sample_stats"), "no group sample_stats"),
    "no draws": (removed("posterior/alpha_N"), "no draws of alpha_N"),
    "no data": (removed("constant_data/weight"), "no data weight"),
    "fewer runs": (fewer_runs, "columns of its runs differ|shape"),
    "other losses": (values("observed_data/log_loss", at(0, 1.0)), "is not that of its runs"),
    "no such row": (values("constant_data/discrepancy_row", at(0, 10**6)), "does not name rows"),
    "row twice": (values("constant_data/discrepancy_row", at(slice(2), 1)), "does not name rows"),
    "coordinates": (attribute("sampling_coordinates", "polar"), "'polar' are unknown"),
}


@pytest.mark.parametrize(("edit", "reason"), [*LAYOUTS.values(), *VALUES.values()])
def test_what_no_fit_holds_is_refused_and_named(whole, tmp_path, edit, reason):
    path = tmp_path / "strange.nc"
    path.write_bytes(edited(whole, edit))
    with pytest.raises(FileFormatError, match=rf"strange\.nc is .*({reason}).*[fF]it again"):
        sb.load(path)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (values("posterior/L_inf", lambda x: x + np.arange(4.0)[:, None]), "R-hat of L_inf"),
        (values("posterior/L_inf", np.ones_like), "R-hat of L_inf is nan"),
        (values("sample_stats/energy", np.ones_like), "E-BFMI is nan"),
        (values("sample_stats/diverging", np.ones_like), "diverged"),
    ],
)
def test_draws_that_did_not_converge_are_what_they_are_after_a_fit(whole, tmp_path, edit, reason):
    path = tmp_path / "strange.nc"
    path.write_bytes(edited(whole, edit))
    with pytest.raises(ConvergenceError, match=rf"strange\.nc did not converge.*{reason}"):
        sb.load(path)
    with pytest.warns(ConvergenceWarning, match=reason):
        assert isinstance(sb.load(path, on_failure="warn"), sb.Fit)


def test_a_file_of_before_there_were_checksums_is_read(whole, tmp_path):
    path = tmp_path / "old.nc"
    path.write_bytes(unsealed(edited(whole, lambda file: file.attrs.__delitem__(SEALED_KEY))))
    assert len(sb.load(path).runs) == 60


def test_a_checksum_that_was_cut_off_is_missed(whole, tmp_path):
    path = tmp_path / "cut.nc"
    path.write_bytes(unsealed(whole))
    with pytest.raises(FileFormatError, match=r"cut\.nc is damaged: the checksum .* is missing"):
        sb.load(path)


@pytest.mark.parametrize("place", np.linspace(0, 1, 20, endpoint=False))
def test_any_flipped_bit_is_noticed(whole, tmp_path, place):
    content = bytearray(whole)
    content[int(place * len(content))] ^= 4
    (tmp_path / "flipped.nc").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"flipped\.nc is damaged: its checksum"):
        sb.load(tmp_path / "flipped.nc")


JUNK = [None, True, -1, 0, 1e308, float("nan"), float("inf"), "", "x", "category", "S1000000000"]
JUNK += [[], [[1]], {}, {"a": {}}, 10**40, "Model", "Truncated", "timedelta64[ns]"]


def places(stored: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where something can be replaced in plain data; of long lists the first two cells."""
    keys = list(stored) if isinstance(stored, dict) else range(min(len(stored), 2))
    for key in keys:
        yield (*path, key)
        if isinstance(stored[key], dict | list):
            yield from places(stored[key], (*path, key))


def with_junk(stored: Any, rng: random.Random) -> Any:
    """Return plain data in which one thing is replaced, taken away, or repeated."""
    changed = deepcopy(stored)
    *way, last = rng.choice(list(places(changed)))
    inside = changed
    for key in way:
        inside = inside[key]
    kind = rng.choice(["replace"] * 4 + ["remove"])
    if kind == "remove":
        del inside[last]
    else:
        inside[last] = rng.choice(JUNK)
    return changed


def descriptions(role: str, stored: Any) -> Iterator[str]:
    yield from ("", "{", "null", "[]", "1", '"x"', "[" * 10**5, "9" * 10**5, "NaN")
    rng = random.Random(role)
    for _ in range(60):
        yield json.dumps(with_junk(stored, rng))


@pytest.mark.parametrize("role", ["law", "noise", "runs", "discrepancy"])
def test_no_description_brings_a_foreign_error(whole, tmp_path, role):
    with h5py.File(io.BytesIO(unsealed(whole))) as file:
        stored = json.loads(file.attrs[role])
    path = tmp_path / "described.nc"
    refused = []
    for text in descriptions(role, stored):
        path.write_bytes(edited(whole, attribute(role, text)))
        try:
            sb.load(path)
        except FileFormatError as error:
            refused.append(str(error))
    assert len(refused) > 30
    assert all(str(path) in message for message in refused)


MUTATE = dedent(
    """
    import json, random, resource, sys, time, warnings
    from pathlib import Path
    import scaling_bayes as sb
    from scaling_bayes._files.sealed import sealed, unsealed
    from scaling_bayes.errors import ScalingBayesError

    source, n_mutants, memory = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    whole = source.read_bytes()
    path = source.with_name("mutant.nc")
    sb.load(source)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    warnings.simplefilter("ignore")

    def damaged(content, rng):
        content = bytearray(content)
        kind = rng.choice(["flips", "byte", "zeros", "cut"])
        if kind == "flips":
            for _ in range(rng.choice([1, 5, 50])):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        elif kind == "byte":
            content[rng.randrange(4000)] = rng.randrange(256)
        elif kind == "zeros":
            length, start = rng.choice([8, 512, 4096]), rng.randrange(len(content))
            content[start : start + length] = bytes(len(content[start : start + length]))
        else:
            del content[rng.randrange(len(content)) :]
        return bytes(content)

    counts = {"loaded": 0, "refused": 0}
    slowest = 0.0
    for seed in range(n_mutants):
        rng = random.Random(seed)
        mutant = damaged(whole, rng) if seed % 2 else sealed(damaged(unsealed(whole), rng))
        path.write_bytes(mutant)
        start = time.perf_counter()
        try:
            sb.load(path)
        except ScalingBayesError:
            counts["refused"] += 1
        else:
            assert not seed % 2 or mutant == whole, seed
            counts["loaded"] += 1
        slowest = max(slowest, time.perf_counter() - start)
    print(json.dumps(counts | {"slowest": slowest}))
    """
)


@pytest.mark.slow
def test_no_damage_brings_a_foreign_error_a_crash_or_a_long_wait(whole, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(whole)
    done = subprocess.run(
        [sys.executable, "-c", MUTATE, str(path), str(N_MUTANTS), str(MEMORY_LIMIT)],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["refused"] > N_MUTANTS / 2
    assert counts["loaded"] + counts["refused"] == N_MUTANTS
    assert counts["slowest"] < 20
    assert Path(path).read_bytes() == whole
