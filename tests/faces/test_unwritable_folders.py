"""Fits, models and pictures where neither the home nor what variables name can be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

NOWHERE = f"{os.devnull}/nowhere"
"""A folder that not even root can make."""

USE = dedent(
    """
    import os
    import scaling_bayes as sb

    flags = os.environ.get("PYTENSOR_FLAGS", "")
    settings = sb.SamplerSettings(draws=500, progressbar=False)
    runs = sb.datasets.load_tiny_transformers()
    law = sb.laws.PowerLaw("flops")
    for coordinates in os.environ["COORDINATES"].split():
        fitter = sb.Fitter(law, discrepancy=None, coordinates=coordinates, settings=settings)
        fit = fitter.fit(runs, seed=1)
    sb.plots.plot_loss(fit)
    print(flags)
    """
)


def used(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    quick = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    return subprocess.run(
        [sys.executable, "-c", USE],
        env=inherited | quick | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        # By machine code of the package, and by PyMC.
        {
            "HOME": NOWHERE,
            "TMPDIR": NOWHERE,
            "MPLCONFIGDIR": NOWHERE,
            "COORDINATES": "centred natural",
        },
        pytest.param(
            {
                "HOME": NOWHERE,
                "PYTENSOR_FLAGS": f"floatX=float64,base_compiledir={NOWHERE}",
                "COORDINATES": "natural",
            },
            marks=pytest.mark.long,
        ),
    ],
)
def test_everything_works_and_the_temporary_folder_goes(environment):
    done = used(environment)
    assert done.returncode == 0, done.stderr
    flags = done.stdout.strip()
    before = environment.get("PYTENSOR_FLAGS", "")
    assert flags.startswith(before)
    assert not Path(flags.rpartition("base_compiledir=")[2]).exists()
    named = f"{NOWHERE} cannot be written to, so that every process compiles models of PyMC anew"
    assert (named in done.stderr) is bool(before)
    assert ("Set PYTENSOR_FLAGS=base_compiledir=" in done.stderr) is bool(before)


WARNED = dedent(
    """
    import tempfile, warnings

    def nowhere(**_):
        raise FileNotFoundError("No usable temporary directory found")

    tempfile.mkdtemp = nowhere
    import scaling_bayes
    """
)


def test_without_any_folder_a_sentence_names_the_variable():
    done = subprocess.run(
        [sys.executable, "-c", WARNED],
        env=os.environ | {"HOME": NOWHERE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nor a temporary folder can be written to" in done.stderr
    assert "Set PYTENSOR_FLAGS=base_compiledir=" in done.stderr


def test_a_home_that_can_be_written_is_left_alone(tmp_path):
    code = "import os, scaling_bayes; print(os.environ.get('PYTENSOR_FLAGS'))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTENSOR_FLAGS"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "None\n"
    assert list(tmp_path.iterdir()) == []
