"""Learn the prior of the scale of the discrepancy from the sweeps that chose the kernel.

Each sweep over N and D is fitted whole with a prior of tau so wide that the runs speak (log tau
has standard deviation 2). What they say, Normal in log tau with that prior divided out, goes into
a hierarchical model: sweeps differ within their source, and sources from each other. Printed is
what it predicts for a sweep of a new source, which `scaling_bayes.discrepancy.Smooth` has as its
prior.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
from common import arguments
from sweeps import Sweep, sweeps

import scaling_bayes as sb

WIDE = sb.Prior("LogNormal", mu=np.log(0.05), sigma=2.0)


def evidence(fitter: sb.Fitter, sweep: Sweep, seed: int) -> dict[str, object]:
    """Return mean and standard deviation of the likelihood of log tau, taken as Normal."""
    fit = fitter.fit(sweep.runs, seed=seed)
    log_tau = np.log(fit.data_tree["posterior"]["tau"].to_numpy())
    prior_mean, prior_sd = WIDE.parameters["mu"], WIDE.parameters["sigma"]
    precision = 1 / log_tau.var() - 1 / prior_sd**2
    mean = (log_tau.mean() / log_tau.var() - prior_mean / prior_sd**2) / precision
    return {
        "sweep": sweep.name,
        "source": sweep.source,
        "runs": len(sweep.runs),
        "tau": float(np.exp(np.median(log_tau))),
        "mean": mean,
        "sd": precision**-0.5,
    }


def predicted(table: pd.DataFrame, seed: int) -> tuple[float, float]:
    """Return mean and standard deviation of log tau in a sweep of a new source."""
    source, sources = pd.factorize(table["source"])
    with pm.Model():
        centre = pm.Normal("centre", np.log(0.05), 1)
        between, within = pm.HalfNormal("between", 1), pm.HalfNormal("within", 1)
        of_source = pm.Normal("of_source", 0, 1, shape=len(sources))
        of_sweep = pm.Normal("of_sweep", 0, 1, shape=len(table))
        log_tau = centre + between * of_source[source] + within * of_sweep
        pm.Normal("evidence", log_tau, table["sd"], observed=table["mean"])
        posterior = pm.sample(
            nuts_sampler="nutpie", target_accept=0.99, random_seed=seed, progressbar=False
        )["posterior"]
    rng = np.random.default_rng(seed)
    spread = np.hypot(posterior["between"].to_numpy(), posterior["within"].to_numpy())
    new = posterior["centre"].to_numpy() + spread * rng.standard_normal(spread.shape)
    return float(new.mean()), float(new.std())


def main() -> None:
    """Fit every sweep, join what they say, and print the prior."""
    parser = arguments(__doc__)
    parser.add_argument("--seed", type=int, default=1, help="(default: 1)")
    options = parser.parse_args()
    fitter = sb.Fitter(
        sb.laws.Chinchilla(),
        discrepancy=sb.discrepancy.Smooth(priors={"tau": WIDE}),
        settings=sb.SamplerSettings(progressbar=False),
    )
    learned_from = [
        sweep for sweep in sweeps(options.data) if sweep.kind == "joint" and sweep.chose_kernel
    ]
    if options.quick:
        learned_from = learned_from[:2]
    table = pd.DataFrame([evidence(fitter, sweep, options.seed) for sweep in learned_from])
    print(table.round(3).to_string(index=False))
    mean, sd = predicted(table, options.seed)
    print(
        f"\nA sweep of a new source: tau ~ LogNormal(mu = log({np.exp(mean):.3f}), "
        f"sigma = {sd:.2f})"
    )


if __name__ == "__main__":
    main()
