"""Effective draws per second: the package's default against what people use otherwise.

Smallest bulk ESS of the seven natural parameters over the seconds of sampling, 4 x 1000 draws,
the same priors and likelihood everywhere, warm: nothing is compiled while the clock runs. The
package's seconds are those of a whole `Fitter.fit`, its checks included. It warms up for 500 draws
by default. PyMC's default is 1000, and NumPyro, which has none, is shown with both.
Target: 30 times PyMC's own NUTS and 20 times NumPyro with a dense mass matrix, both in natural
coordinates, as a user would write the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import arviz_base
import arviz_stats
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import nutpie
import pymc as pm
import xarray as xr
from measure import print_table
from sweep import arguments, chinchilla_runs

import scaling_bayes as sb

OURS = "scaling_bayes: nutpie low rank, centred"
LAW = sb.laws.Chinchilla()
# A plain Gamma, which every sampler here can be given.
NOISE = sb.noise.StudentT(priors={"nu": sb.Prior("Gamma", alpha=2.0, beta=0.1)})
NAMES = [*LAW.parameter_names, *NOISE.parameter_names]

Sample = Callable[[int], tuple[xr.Dataset, float]]
"""From a seed to draws with dims chain and draw, and the seconds that sampling took."""


def package(runs: sb.Runs, settings: sb.SamplerSettings) -> Sample:
    """Return the package's default: nutpie, low-rank mass matrix, centred coordinates."""
    fitter = sb.Fitter(LAW, noise=NOISE, settings=settings, discrepancy=None)

    def sample(seed: int) -> tuple[xr.Dataset, float]:
        start = time.perf_counter()
        posterior = fitter.fit(runs, seed=seed).data_tree["posterior"].to_dataset()
        return posterior, time.perf_counter() - start

    return sample


def nutpie_diagonal(runs: sb.Runs, settings: sb.SamplerSettings) -> Sample:
    """Return nutpie as it comes: diagonal mass matrix, here in natural coordinates."""
    model = sb.build_model(runs, LAW, noise=NOISE, coordinates="natural")
    compiled = nutpie.compile_pymc_model(model)

    def sample(seed: int) -> tuple[xr.Dataset, float]:
        start = time.perf_counter()
        data_tree = nutpie.sample(
            compiled,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            seed=seed,
            progress_bar=False,
        )
        return data_tree["posterior"].to_dataset(), time.perf_counter() - start

    return sample


def pymc_nuts(runs: sb.Runs, settings: sb.SamplerSettings) -> Sample:
    """Return PyMC's own NUTS with its defaults; PyMC's clock starts after it has compiled."""
    model = sb.build_model(runs, LAW, noise=NOISE, coordinates="natural")

    def sample(seed: int) -> tuple[xr.Dataset, float]:
        data_tree = pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            model=model,
            nuts_sampler="pymc",
            random_seed=seed,
            progressbar=False,
            compute_convergence_checks=False,
            quiet=True,
        )
        posterior = data_tree["posterior"].to_dataset()
        return posterior, float(posterior.attrs["sampling_time"])

    return sample


def numpyro_dense(runs: sb.Runs, settings: sb.SamplerSettings) -> Sample:
    """Return NumPyro's NUTS with a dense mass matrix, its chains one after the other."""
    numpyro.enable_x64()
    priors = {**LAW.priors, **NOISE.priors}
    n_params, tokens, loss = runs.covariates(("n_params", "tokens", "loss")).values()

    def log_normal(name: str) -> jax.Array:
        prior = priors[name].parameters
        return numpyro.sample(name, dist.LogNormal(prior["mu"], prior["sigma"]))

    def model() -> None:
        p = {name: log_normal(name) for name in NAMES if name != "nu"}
        nu = numpyro.sample(
            "nu", dist.Gamma(priors["nu"].parameters["alpha"], priors["nu"].parameters["beta"])
        )
        mean = (
            p["L_inf"] + (p["N_c"] / n_params) ** p["alpha_N"] + (p["D_c"] / tokens) ** p["alpha_D"]
        )
        numpyro.sample("log_loss", dist.StudentT(nu, jnp.log(mean), p["sigma"]), obs=np.log(loss))

    mcmc = numpyro.infer.MCMC(
        numpyro.infer.NUTS(model, dense_mass=True),
        num_warmup=settings.tune,
        num_samples=settings.draws,
        num_chains=settings.chains,
        chain_method="sequential",
        progress_bar=False,
    )

    def sample(seed: int) -> tuple[xr.Dataset, float]:
        start = time.perf_counter()
        mcmc.run(jax.random.key(seed))
        draws = jax.block_until_ready(mcmc.get_samples(group_by_chain=True))
        seconds = time.perf_counter() - start
        arrays = {name: np.asarray(values) for name, values in draws.items()}
        return arviz_base.dict_to_dataset(arrays), seconds

    return sample


def smallest_ess(draws: xr.Dataset) -> float:
    """Return the smallest bulk ESS of the natural parameters."""
    return min(float(ess) for ess in arviz_stats.ess(draws[NAMES], method="bulk").values())


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__).parse_args()
    runs = chinchilla_runs(options.data)
    settings, rounds = sb.SamplerSettings(progressbar=False), 3
    if options.quick:
        settings, rounds = replace(settings, draws=500, chains=2), 1
    habit = replace(settings, tune=2 * settings.tune)
    warm = {
        OURS: package(runs, settings),
        f"NumPyro NUTS dense, natural, warm-up {habit.tune}": numpyro_dense(runs, habit),
    }
    if not options.quick:
        warm |= {
            "nutpie diagonal, natural": nutpie_diagonal(runs, settings),
            f"NumPyro NUTS dense, natural, warm-up {settings.tune}": numpyro_dense(runs, settings),
            f"PyMC NUTS, natural, warm-up {habit.tune}": pymc_nuts(runs, habit),
        }
    for sample in warm.values():
        sample(0)
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in warm}
    for seed in range(1, rounds + 1):
        for name, sample in warm.items():
            draws, seconds = sample(seed)
            figures[name].append((seconds, smallest_ess(draws)))
    per_second = {name: [ess / s for s, ess in pairs] for name, pairs in figures.items()}
    ours = per_second[OURS]
    print_table(
        f"{settings.chains} x {settings.draws} draws on {len(runs)} runs, medians of {rounds} "
        "rounds; targets: 30 times PyMC, 20 times NumPyro",
        [
            {
                "sampler": name,
                "seconds": median(s for s, _ in pairs),
                "min bulk ESS": median(ess for _, ess in pairs),
                "ESS per second": median(per_second[name]),
                "scaling_bayes is faster by": median(
                    a / b for a, b in zip(ours, per_second[name], strict=True)
                ),
            }
            for name, pairs in figures.items()
        ],
    )


if __name__ == "__main__":
    main()
