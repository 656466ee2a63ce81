"""Laws, runs and one fit that the tests of the core share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes.discrepancy import Smooth
from scaling_bayes.errors import ConvergenceError
from scaling_bayes.units import SIZES

SIGMA = 0.005
"""Scale of the noise of simulated runs."""


OF_SIZES = [name for name, make in sb.laws.REGISTRY.items() if set(make().covariates) <= set(SIZES)]


@pytest.fixture(params=sorted(OF_SIZES))
def law(request: pytest.FixtureRequest) -> sb.Law:
    """Every law of N, D and C that the package ships, one after the other."""
    return sb.laws.REGISTRY[request.param]()


@pytest.fixture(
    params=[
        name for name in sorted(OF_SIZES) if isinstance(sb.laws.REGISTRY[name](), sb.laws.PowerSum)
    ]
)
def sum_of_powers(request: pytest.FixtureRequest) -> sb.laws.PowerSum:
    """Every law of N, D and C that the package ships whose terms are known."""
    return sb.laws.REGISTRY[request.param]()


@pytest.fixture(scope="session")
def truth() -> sb.laws.PublishedLaw:
    """Return the law that simulated runs follow."""
    return sb.laws.Chinchilla.published["besiroglu2024"]


@pytest.fixture(scope="session")
def simulate(truth: sb.laws.PublishedLaw) -> Callable[..., sb.Runs]:
    """Return a function that simulates a sweep over two decades of size and of tokens."""

    def simulated(n_runs: int, *, seed: int = 1) -> sb.Runs:
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(
            {
                "n_params": 10 ** rng.uniform(7.5, 9.5, n_runs),
                "tokens": 10 ** rng.uniform(9, 11, n_runs),
            }
        )
        mean = truth.law.loss(SimpleNamespace(**truth.values), frame)
        frame["loss"] = mean * np.exp(SIGMA * rng.standard_t(8, n_runs))
        return sb.read_runs(frame)

    return simulated


@pytest.fixture(scope="session")
def runs(simulate: Callable[..., sb.Runs]) -> sb.Runs:
    """Forty simulated runs."""
    return simulate(40)


@pytest.fixture(scope="session")
def quiet() -> sb.SamplerSettings:
    """Return the default settings without a progress bar."""
    return sb.SamplerSettings(progressbar=False)


@pytest.fixture(scope="session")
def fitter(quiet: sb.SamplerSettings) -> sb.Fitter:
    """Chinchilla's law, compiled once for every test that samples it."""
    return sb.Fitter(sb.laws.Chinchilla(), settings=quiet, discrepancy=None)


@pytest.fixture(scope="session")
def fit(fitter: sb.Fitter, runs: sb.Runs) -> sb.Fit:
    """Chinchilla's law fitted to the simulated runs."""
    return fitter.fit(runs, seed=1)


@dataclass(frozen=True)
class Bent:
    """A law with a wave of six decades of compute on it, which no power law can follow for long.

    Runs lie from the law by the height of the wave at most, and scatter by sigma, on log loss.
    """

    law: sb.laws.PublishedLaw
    height: float = 0.03
    sigma: float = 0.003

    def shift(self, flops: np.ndarray) -> np.ndarray:
        return self.height * np.sin(2 * np.pi * np.log10(flops / 1e18) / 6)

    def simulate(self, n_runs: int, low: float, high: float, *, seed: int) -> sb.Runs:
        """Return runs between two budgets."""
        rng = np.random.default_rng(seed)
        flops = 10 ** rng.uniform(np.log10(low), np.log10(high), n_runs)
        ratio = 10 ** rng.uniform(0, 2.5, n_runs)
        n_params = np.sqrt(flops / (6 * ratio))
        frame = pd.DataFrame({"n_params": n_params, "tokens": n_params * ratio})
        mean = self.law.law.loss(SimpleNamespace(**self.law.values), frame)
        scatter = self.sigma * rng.standard_normal(n_runs)
        frame["loss"] = mean * np.exp(self.shift(flops) + scatter)
        return sb.read_runs(frame)


@pytest.fixture(scope="session")
def bent(truth: sb.laws.PublishedLaw) -> Bent:
    """Return the law with a wave on it."""
    return Bent(truth)


@pytest.fixture(scope="session")
def bent_runs(bent: Bent) -> sb.Runs:
    """Sixty runs that follow the wave."""
    return bent.simulate(60, 1e18, 3e20, seed=0)


@pytest.fixture(scope="session")
def smooth_fitter(quiet: sb.SamplerSettings) -> sb.Fitter:
    """Chinchilla's law with discrepancy, compiled once."""
    return sb.Fitter(sb.laws.Chinchilla(), discrepancy=Smooth(), settings=quiet)


@pytest.fixture(scope="session")
def smooth_fit(smooth_fitter: sb.Fitter, bent_runs: sb.Runs) -> sb.Fit:
    """Chinchilla's law with discrepancy, fitted to bent runs."""
    return smooth_fitter.fit(bent_runs, seed=1)


@pytest.fixture(scope="session")
def thin_fit(smooth_fit: sb.Fit) -> sb.Fit:
    """Every tenth draw of the law with discrepancy, for what is worked out draw by draw."""
    tree = smooth_fit.data_tree
    posterior = tree["posterior"].to_dataset().isel(draw=slice(None, None, 10))
    return replace(smooth_fit, data_tree=tree.assign({"posterior": xr.DataTree(posterior)}))


@pytest.fixture(scope="session")
def default_fit(bent_runs: sb.Runs, quiet: sb.SamplerSettings) -> sb.Fit:
    """What is fitted to bent runs when no law is named."""
    return sb.fit(bent_runs, settings=quiet, seed=1)


@pytest.fixture(scope="session")
def compute_fit(bent: Bent, quiet: sb.SamplerSettings) -> sb.Fit:
    """A power law in compute with its discrepancy, fitted to runs of 20 tokens a parameter."""
    flops = np.geomspace(1e18, 3e20, 40)
    n_params = np.sqrt(flops / 120)
    frame = pd.DataFrame({"n_params": n_params, "tokens": 20 * n_params})
    mean = bent.law.law.loss(SimpleNamespace(**bent.law.values), frame)
    scatter = bent.sigma * np.random.default_rng(3).standard_normal(len(frame))
    frame["loss"] = mean * np.exp(bent.shift(flops) + scatter)
    return sb.fit(sb.read_runs(frame), sb.laws.PowerLaw("flops"), settings=quiet, seed=1)


@pytest.fixture(scope="session")
def plain_fit(fitter: sb.Fitter, bent_runs: sb.Runs) -> sb.Fit:
    """Chinchilla's law alone, fitted to the same runs."""
    return fitter.fit(bent_runs, seed=1)


class Steep(Smooth):
    """A discrepancy that the package does not ship."""

    name = "steep"
    lengths = (np.log(10.0), np.log(50.0))


@pytest.fixture(scope="session")
def steep() -> type[Smooth]:
    """Return a discrepancy that the package does not ship."""
    return Steep


@pytest.fixture(scope="session")
def prior_source() -> Callable[..., SimpleNamespace]:
    """Return a function that makes a source of forecasts out of draws from a law's priors."""

    def from_prior(law: sb.Law, *, draws: int, seed: int = 0) -> SimpleNamespace:
        rng = np.random.default_rng(seed)
        values = {
            name: (("chain", "draw"), pm.draw(prior.dist(), draws, random_seed=rng)[None])
            for name, prior in law.priors.items()
        }
        return SimpleNamespace(
            label=f"prior of {law.name}",
            law=law,
            draws=xr.Dataset(values),
            noise=None,
            noise_draws=None,
            flops_per_param_token=6.0,
        )

    return from_prior


@pytest.fixture(scope="session")
def sweep() -> sb.Runs:
    """Sixty runs along the curve that the oracle knows; five at each of twelve budgets."""
    rng = np.random.default_rng(1)
    flops = np.repeat(np.geomspace(1e18, 1e21, 12), 5)
    n_params = 0.1 * flops**0.5 * np.tile(np.geomspace(0.5, 2, 5), 12)
    loss = (1.5 + (1e18 / flops) ** 0.15) * np.exp(0.02 * rng.standard_normal(60))
    return sb.read_runs(
        pd.DataFrame(
            {
                "n_params": n_params,
                "flops": flops,
                "tokens": flops / (6 * n_params),
                "loss": loss,
                "examples": np.arange(60.0),
            }
        )
    )


@pytest.fixture(scope="session")
def make_oracle() -> Callable[..., object]:
    """Return a function that makes a forecaster of the sweep, which notes down its fits.

    It knows the curve and the noise. Its classes are local, and so are pickled whole: other
    processes cannot import this module.
    """

    def make(log_path: Path | None = None, *, stop_at: int = 0, fail_below: float = 0.0) -> object:
        @dataclass(frozen=True)
        class Fitted:
            sigma: float
            label: str = "oracle"

            def forecast(self, points: sb.Runs, *, seed: int) -> sb.Forecast:
                flops = points.frame["flops"].to_numpy()
                rng = np.random.default_rng(seed)
                dims = ("chain", "draw", "point")
                curve = np.log(1.5 + (1e18 / flops) ** 0.15)
                near = curve + 1e-4 * rng.standard_normal((1, 500, len(flops)))
                new = curve + self.sigma * rng.standard_normal((1, 500, len(flops)))
                return sb.Forecast(
                    self.label,
                    xr.Dataset({"flops": ("point", flops)}),
                    xr.DataArray(np.exp(near), dims=dims),
                    xr.DataArray(np.exp(new), dims=dims),
                )

        @dataclass(frozen=True)
        class Oracle:
            sigma: float = 0.02

            def fit(self, runs: sb.Runs, *, seed: int) -> Fitted:
                if len(runs) < fail_below:
                    raise ConvergenceError("no draws were good")
                if log_path is not None:
                    with log_path.open("a") as log:
                        log.write(f"{len(runs)}\n")
                    if stop_at and len(log_path.read_text().split()) == stop_at:
                        raise KeyboardInterrupt
                return Fitted(self.sigma)

        return Oracle()

    return make
