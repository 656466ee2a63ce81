from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from textwrap import dedent

import pytest

from scaling_bayes._files.sealed import NoSealError, SealError, sealed, unsealed
from scaling_bayes._files.whole_files import write_whole
from scaling_bayes.errors import InputError

MACHINE = re.sub(r"\W", "", platform.node())[:20]


@pytest.fixture
def ended() -> int:
    """Return the id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_file_appears_and_is_replaced(tmp_path):
    path = tmp_path / "file"
    for content in (b"", b"old", b"new\n" * 10**5):
        write_whole(path, content)
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(28, "No space left on device"), InputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_where_it_fails_the_older_file_stays_and_nothing_else(
    tmp_path, monkeypatch, failing, error, raised
):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(raised):
        write_whole(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_of_the_same_file_is_removed_and_nothing_else(tmp_path, ended):
    path = tmp_path / "file.nc"
    stale = tmp_path / f".file.nc-{MACHINE}-{ended}-0123abcd.part"
    others = [
        tmp_path / f".file.nc-{MACHINE}-{os.getppid()}-0123abcd.part",
        tmp_path / f".file.nc-elsewhere-{ended}-0123abcd.part",
        tmp_path / f".other.nc-{MACHINE}-{ended}-0123abcd.part",
        tmp_path / f"file.nc-{MACHINE}-{ended}-0123abcd.part",
    ]
    for left in (stale, *others):
        left.write_text("half")
    write_whole(path, b"whole")
    assert set(tmp_path.iterdir()) == {path, *others}


def test_a_process_that_is_killed_while_it_writes_leaves_what_the_next_write_removes(tmp_path):
    path = tmp_path / "file"
    killed = dedent(
        f"""
        import os, signal
        from pathlib import Path
        from scaling_bayes._files.whole_files import write_whole
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        write_whole(Path({str(path)!r}), b"half")
        """
    )
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    write_whole(path, b"whole")
    assert list(tmp_path.iterdir()) == [path]


def test_a_limit_on_the_size_of_files_is_an_error_as_any_other(tmp_path):
    path = tmp_path / "file"
    limited = dedent(
        f"""
        import resource
        from pathlib import Path
        from scaling_bayes._files.whole_files import write_whole
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_whole(Path({str(path)!r}), bytes(2000))
        except ValueError as error:
            print(error)
        """
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"cannot be written: File too large. Give a file in a folder" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"x", b"\n", bytes(10**5), sealed(b"sealed twice")])
def test_what_was_sealed_comes_back_and_damage_does_not(content):
    whole = sealed(content)
    assert unsealed(whole) == content
    for place in {0, len(content) // 2, len(whole) - 1}:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        with pytest.raises(SealError):
            unsealed(bytes(damaged))
    with pytest.raises(NoSealError):
        unsealed(whole[:-1])
