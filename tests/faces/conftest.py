"""Fits that the tests of pictures share, and how a command is run."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes.cli import main

BUDGETS = (1e19, 1e20, 1e21)


class CoupledLog(sb.Law):
    """A user's own law: only a formula, so no closed form and no coordinates of its own."""

    name = "coupled-log"
    covariates = ("n_params", "tokens")
    parameters = (
        sb.laws.irreducible_loss(),
        sb.laws.exponent("alpha", r"\alpha", "both sizes"),
        sb.laws.scale("N_c", "N_c", "parameters", median=1e8),
        sb.laws.scale("D_c", "D_c", "tokens", median=1e9),
    )

    def loss(self, p: object, x: object) -> object:
        terms = (p.N_c / x.n_params) ** p.alpha + (p.D_c / x.tokens) ** p.alpha
        return p.L_inf + np.log1p(terms)


def made_up_fit(law: sb.Law, runs: sb.Runs, centre: Mapping[str, float]) -> sb.Fit:
    """Return a fit whose posterior is two per cent of noise around given values."""
    rng = np.random.default_rng(0)
    noise = sb.noise.Normal()
    values = {**centre, "sigma": 0.01}
    posterior = xr.Dataset(
        {
            name: (("chain", "draw"), value * np.exp(0.02 * rng.standard_normal((2, 200))))
            for name, value in values.items()
        }
    )
    stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros((2, 200), dtype=bool)),
            "energy": (("chain", "draw"), rng.standard_normal((2, 200))),
        }
    )
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
    return sb.Fit(law, noise, runs, tree)


@pytest.fixture
def style_kept() -> Iterator[None]:
    """See that a test leaves the style of pictures as it was."""
    style = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == style


@pytest.fixture(scope="session")
def run() -> Callable[..., SimpleNamespace]:
    """Return a function that runs a command in this process: to its exit code, out and err."""

    def ran(*words: object) -> SimpleNamespace:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(word) for word in words])
        return SimpleNamespace(code=code, out=out.getvalue(), err=err.getvalue())

    return ran


@pytest.fixture(scope="session")
def sweep() -> sb.Runs:
    """Return an isoFLOP sweep of three budgets and seven model sizes, from a published law."""
    flops = np.repeat(BUDGETS, 7)
    n_params = np.concatenate([np.geomspace(0.2, 5, 7) * 0.09 * c**0.5 for c in BUDGETS])
    law = sb.laws.Chinchilla.published["besiroglu2024"]
    loss = sb.forecast(law, n_params=n_params, flops=flops).mean_curve.to_numpy().ravel()
    loss = loss * np.exp(0.005 * np.random.default_rng(3).standard_normal(len(flops)))
    tokens = flops / (6 * n_params)
    return sb.read_runs(
        pd.DataFrame({"n_params": n_params, "tokens": tokens, "flops": flops, "loss": loss})
    )


@pytest.fixture(scope="session")
def fit(sweep: sb.Runs) -> sb.Fit:
    """Return the one fit that is sampled."""
    settings = sb.SamplerSettings(draws=500, chains=4, progressbar=False)
    return sb.fit(sweep, sb.laws.Chinchilla(), settings=settings, seed=1, discrepancy=None)


@pytest.fixture(scope="session")
def fit_in_compute() -> sb.Fit:
    """Return a power law in compute over the six smaller Cerebras-GPT models."""
    runs = sb.datasets.load_cerebras_gpt().below(flops=2e22)
    centre = {"L_inf": 1.1, "alpha_C": 0.12, "C_c": 5e19}
    return made_up_fit(sb.laws.PowerLaw("flops"), runs, centre)


@pytest.fixture(scope="session")
def own_law_fit(sweep: sb.Runs) -> sb.Fit:
    """Return a fit of a user's own law."""
    centre = {"L_inf": 1.8, "alpha": 0.35, "N_c": 6e7, "D_c": 1.5e9}
    return made_up_fit(CoupledLog(), sweep, centre)
