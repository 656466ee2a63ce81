"""Saved fits that were damaged or made up by somebody: one clear error, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import scaling_bayes as sb
from scaling_bayes._sealed import sealed, unsealed
from scaling_bayes._storage._file import SEALED_KEY
from scaling_bayes.errors import ConvergenceError, FileFormatError, ScalingBayesError

MANY = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Content(bytes):
    """What a file holds before its checksum; too long to be shown where a test fails."""

    def __repr__(self) -> str:
        return f"Content of {len(self)} bytes"


@pytest.fixture(scope="module")
def content(smooth_fit: sb.Fit, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """Every fourth draw of a fit."""
    tree = smooth_fit.data_tree.copy()
    for group in ("posterior", "sample_stats"):
        tree[group] = tree[group].to_dataset().isel(draw=slice(None, None, 4))
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    dataclasses.replace(smooth_fit, data_tree=tree).save(path)
    return Content(unsealed(path.read_bytes()))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "fit.nc"


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Return a way to damage bytes: flips, blocks of zeros, cuts, parts that stand twice."""
    kind = draw(st.sampled_from(["flip", "zeros", "cut", "twice", "noise"]))
    place, other = draw(st.floats(0, 1)), draw(st.floats(0, 1))
    length, seed = draw(st.integers(1, 4096)), draw(st.integers(0, 2**32 - 1))

    def mutated(content: bytes) -> bytes:
        at = int(place * (len(content) - 1))
        if kind == "cut":
            return content[:at]
        if kind == "twice":
            begin = int(other * (len(content) - 1))
            part = content[begin : begin + length]
            return content[:at] + part + content[at + len(part) :]
        whole = bytearray(content)
        if kind == "flip":
            whole[at] ^= 1 << seed % 8
        elif kind == "zeros":
            whole[at : at + length] = bytes(len(whole[at : at + length]))
        else:
            part = whole[at : at + length]
            whole[at : at + length] = np.random.default_rng(seed).bytes(len(part))
        return bytes(whole)

    return mutated


@settings(MANY, max_examples=500)
@given(mutate=mutations())
def test_damage_is_told_by_the_checksum(content, target, mutate):
    whole = sealed(content)
    damaged = mutate(whole)
    target.write_bytes(damaged)
    if damaged == whole:
        sb.load(target)
        return
    with pytest.raises(FileFormatError, match=r"fit\.nc"):
        sb.load(target)


@MANY
@given(mutate=mutations())
def test_damage_that_was_sealed_anew_is_an_error_of_the_package(content, target, mutate):
    target.write_bytes(sealed(mutate(content)))
    # What is left may be a sound fit: a flipped bit of a draw is a draw.
    try:
        loaded = sb.load(target)
    except ScalingBayesError:
        return
    assert np.isfinite(loaded.draws.to_array()).all()


TEXTS = ("law", "noise", "runs", "discrepancy")
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@MANY
@given(name=st.sampled_from(TEXTS), path=st.lists(st.integers(0, 9), max_size=4), value=VALUES)
def test_malformed_descriptions_are_errors_of_the_package(content, target, name, path, value):
    target.write_bytes(content)
    with h5py.File(target, "r+") as file:
        described = json.loads(file.attrs[name])
        node, parent, key = described, None, None
        for step in path:
            keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            parent, key = node, keys[step % len(keys)]
            node = node[key]
            if not isinstance(node, dict | list):
                break
        if parent is None:
            described = value
        else:
            parent[key] = value
        file.attrs[name] = json.dumps(described)
    target.write_bytes(sealed(target.read_bytes()))
    with suppress(ScalingBayesError):
        sb.load(target)


def changed(content: bytes, target: Path, change: Callable[[h5py.File], None]) -> Path:
    """Write a file that was changed as HDF5, and sealed anew."""
    target.write_bytes(content)
    with h5py.File(target, "r+") as file:
        change(file)
    target.write_bytes(sealed(target.read_bytes()))
    return target


def external_link(file: h5py.File) -> None:
    file["posterior/secret"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File) -> None:
    file["posterior/again"] = h5py.SoftLink("/posterior/L_inf")


def outside_storage(file: h5py.File) -> None:
    file["posterior"].create_dataset("secret", (64,), "u1", external=[("/etc/passwd", 0, 64)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((8,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (8,))
    file["posterior"].create_virtual_dataset("secret", layout)


def huge(file: h5py.File) -> None:
    file["posterior"].create_dataset("huge", (10**12,), "f8", chunks=(2**16,))


def nothing(file: h5py.File) -> None:
    del file["posterior/L_inf"]


def not_a_number(file: h5py.File) -> None:
    file["posterior/L_inf"][...] = np.nan


def negative(file: h5py.File) -> None:
    file["posterior/L_inf"][...] *= -1


def text(file: h5py.File) -> None:
    del file["posterior/L_inf"]
    file["posterior"]["L_inf"] = np.array([b"1.7"] * 4)


def other_losses(file: h5py.File) -> None:
    file["observed_data/log_loss"][...] *= 1.01


@pytest.mark.parametrize(
    "change",
    [
        *(external_link, soft_link, outside_storage, virtual, huge),
        *(nothing, not_a_number, negative, text, other_losses),
    ],
)
def test_what_no_fit_has_is_refused(content, target, change):
    with pytest.raises(FileFormatError, match=r"fit\.nc is damaged: .*fit again"):
        sb.load(changed(content, target, change))


def test_draws_that_did_not_converge_are_refused_as_in_a_fresh_fit(content, target):
    def apart(file: h5py.File) -> None:
        file["posterior/L_inf"][0] *= 0.5

    path = changed(content, target, apart)
    with pytest.raises(ConvergenceError, match="R-hat of L_inf"):
        sb.load(path)
    with pytest.warns(sb.errors.ConvergenceWarning, match="R-hat of L_inf"):
        loaded = sb.load(path, on_failure="warn")
    assert "convergence" in {doubt.kind for doubt in loaded.doubts}


def test_a_file_of_before_there_was_a_checksum_is_read(content, target):
    def unmarked(file: h5py.File) -> None:
        del file.attrs[SEALED_KEY]

    path = changed(content, target, unmarked)
    path.write_bytes(unsealed(path.read_bytes()))
    assert sb.load(path).law == sb.load(path).law


def test_others_open_a_file_with_a_checksum(content, target):
    target.write_bytes(sealed(content))
    with xr.open_datatree(target) as tree:
        assert "posterior" in tree.children


def test_a_full_disk_costs_neither_the_posterior_nor_the_process(tmp_path):
    program = f"""
import resource
import scaling_bayes as sb

runs = sb.datasets.load_tiny_transformers()
fit = sb.fit(runs, seed=0, settings=sb.SamplerSettings(progressbar=False))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    fit.save({str(tmp_path / "fit.nc")!r})
except sb.errors.InputError as error:
    print(error)
print(len(fit.draws))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300
    )
    assert "fit.nc cannot be written" in ran.stdout
    assert "still in memory" in ran.stdout
    assert list(tmp_path.iterdir()) == []
