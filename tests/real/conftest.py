"""Fits to real runs, each made once for all tests.

The tests log their figures: ``pytest tests/real --log-cli-level=INFO`` shows them.
"""

from __future__ import annotations

import pytest

import scaling_bayes as sb


@pytest.fixture(scope="session")
def settings() -> sb.SamplerSettings:
    return sb.SamplerSettings(progressbar=False)


@pytest.fixture(scope="session")
def chinchilla_runs(real_data) -> sb.Runs:
    """Return the 240 rows that Besiroglu et al. 2024 fit."""
    return sb.read_runs(real_data("chinchilla_fig4.csv"), where="besiroglu_included == 1")


@pytest.fixture(scope="session")
def chinchilla_fit(chinchilla_runs, settings) -> sb.Fit:
    return sb.fit(
        chinchilla_runs, sb.laws.Chinchilla(), settings=settings, seed=1, discrepancy=None
    )


@pytest.fixture(scope="session")
def kaplan_fit(chinchilla_runs, settings) -> sb.Fit:
    return sb.fit(chinchilla_runs, sb.laws.Kaplan(), settings=settings, seed=1, discrepancy=None)
