"""What is left, and what is said, where the disk is full."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

import scaling_bayes as sb

PROGRAM = [sys.executable, "-c", "import sys; from scaling_bayes.cli import main; sys.exit(main())"]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 200 kB; skip where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    runs = sb.datasets.load_tiny_transformers().where("part in ('isoflop', 'rectangle')")
    runs.frame.to_csv(path, index=False)
    return path


SAVE = dedent(
    """
    import sys
    from pathlib import Path
    import scaling_bayes as sb

    disk, elsewhere = Path(sys.argv[1]), Path(sys.argv[2])
    settings = sb.SamplerSettings(progressbar=False)
    runs = sb.datasets.load_tiny_transformers()
    fit = sb.fit(runs, sb.laws.PowerLaw("flops"), discrepancy=None, settings=settings, seed=1)
    for _ in range(5):
        try:
            fit.save(disk / "fit.nc")
        except sb.errors.InputError as error:
            print(error)
    assert sb.load(fit.save(elsewhere)).draws.equals(fit.draws)
    """
)


def test_a_fit_is_still_in_memory_and_can_be_saved_elsewhere(full, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SAVE, str(full), str(tmp_path / "fit.nc")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert f"{full / 'fit.nc'} cannot be written: No space left on device" in line
        assert "draws are still in memory: save this fit to another path" in line
    assert list(full.iterdir()) == []


def test_the_command_saves_a_fit_to_the_temporary_folder(full, table, tmp_path, monkeypatch):
    refuge = tmp_path / "refuge"
    refuge.mkdir()
    monkeypatch.setenv("TMPDIR", str(refuge))
    target = full / "fit.nc"
    words = ["fit", table, "--law", "power-c", "--law-alone", "--output", target]
    done = subprocess.run([*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{target} cannot be written: No space left on device" in done.stderr
    (rescued,) = refuge.glob("scaling-bayes-*/fit.nc")
    assert f"The fit is saved to {rescued} instead" in done.stderr
    assert len(sb.load(rescued).draws) == 3
    assert list(full.iterdir()) == []


def test_a_picture_that_has_no_room_leaves_nothing(full, table, tmp_path):
    fit = tmp_path / "fit.nc"
    settings = sb.SamplerSettings(progressbar=False)
    law = sb.laws.PowerLaw("flops")
    sb.fit(sb.read_runs(table), law, discrepancy=None, settings=settings, seed=1).save(fit)
    (full / "rest").write_bytes(bytes(190_000))
    target = full / "loss.png"
    words = ["plot", fit, "--output", target]
    done = subprocess.run([*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{target} cannot be written: No space left on device" in done.stderr
    assert [entry.name for entry in full.iterdir()] == ["rest"]
