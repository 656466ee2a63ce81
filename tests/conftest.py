"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from hypothesis import settings

# The first example pays for imports, and machines differ: time is tested where it matters.
settings.register_profile("scaling_bayes", deadline=None)
settings.load_profile("scaling_bayes")
mpl.use("Agg")


@pytest.fixture(autouse=True)
def _no_figure_left() -> Iterator[None]:
    """Close what a test drew, and restore the style, which PreliZ changes where it is imported."""
    with mpl.rc_context():
        yield
    plt.close("all")


@pytest.fixture(scope="session")
def case(real_data: Callable[[str], Path]) -> Callable[[str], Path]:
    """Return a function from the name of a file of the collected cases to its path."""

    def path_of(name: str) -> Path:
        return real_data(f"../cases/{name}")

    return path_of


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Return a function from the name of a real data file to its path; skips if it is absent."""
    folder = Path(
        os.environ.get("SCALING_BAYES_DATA", Path(__file__).parents[2] / "shared" / "data")
    )

    def path_of(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"real data file {name} is not in {folder}; set SCALING_BAYES_DATA")
        return path

    return path_of
