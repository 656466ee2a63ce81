from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import scaling_bayes as sb

HEAVY = (
    "pymc",
    "pytensor",
    "numba",
    "nutpie",
    "arviz_base",
    "arviz_stats",
    "matplotlib",
    "pandas",
    "xarray",
    "scipy",
    "rich",
    "cyclopts",
)
FIRST_MINUTES = {
    *("read_runs", "Runs", "laws", "noise", "fit", "Fit", "Fitter", "load", "SamplerSettings"),
    *("forecast", "Forecast", "allocate", "Allocation", "loss_given_up", "compute_to_reach"),
    *("build_model", "Law", "Prior", "datasets", "errors", "units"),
}


@pytest.mark.parametrize("name", sorted(sb.__all__))
def test_every_public_name_resolves_and_is_documented(name):
    found = getattr(sb, name)
    assert inspect.getdoc(found), f"{name} has no docstring"
    assert name in dir(sb)


def test_the_names_of_the_main_job_are_public():
    assert set(sb.__all__) >= FIRST_MINUTES


@pytest.mark.parametrize("module", ["laws", "noise", "datasets", "errors", "runs"])
def test_names_that_a_module_exports_resolve(module):
    found = __import__(f"scaling_bayes.{module}", fromlist=["_"])
    for name in getattr(found, "__all__", ()):
        assert getattr(found, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="fitt"):
        sb.fitt  # noqa: B018


def test_the_version_is_that_of_the_distribution():
    assert sb.__version__[0].isdigit()


def test_import_loads_nothing_heavy():
    script = f"import sys, scaling_bayes; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == []
