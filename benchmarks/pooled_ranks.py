"""Ranks of true values among the draws of pooled fits: uniform, if the posterior is right.

Common parameters and spreads are drawn from their priors, groups from those, runs from the groups,
and the runs are fitted again (Talts et al. 2018, arXiv:1804.06788). Ranked are the spreads, the
common parameters, those of the smallest group, its loss at ten times the largest size, and that of
a new group. Printed are how often 50% and 90% intervals (equal-tailed) hold the truth, and the
p-value of a chi-squared test that the ranks are uniform. A fit that does not converge is counted
and kept.
"""

from __future__ import annotations

import time
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
from measure import print_table
from scipy import stats
from sweep import arguments

import scaling_bayes as sb
from scaling_bayes._fit.pooled.new_group import from_logs, logs_of
from scaling_bayes._inference.coordinates import references

N_RUNS = {"a": 20, "b": 12, "c": 8, "few": 4}
SETTINGS = sb.SamplerSettings(draws=1000, tune=1000, target_accept=0.95, progressbar=False)
RANKED, BINS = 99, 10
NARROW = {
    "L_inf": sb.Prior("LogNormal", mu=np.log(1.7), sigma=0.2),
    "alpha_N": sb.Prior("LogNormal", mu=np.log(0.35), sigma=0.2),
    "alpha_D": sb.Prior("LogNormal", mu=np.log(0.35), sigma=0.2),
    "N_c": sb.Prior("LogNormal", mu=np.log(1e8), sigma=1.0),
    "D_c": sb.Prior("LogNormal", mu=np.log(1e9), sigma=1.0),
}
"""Priors on both sides: under the default ones some sweeps are such as nobody has."""
LAW = sb.laws.Chinchilla(priors=NARROW)
NOISE = sb.noise.Normal()
GROUPS = sb.Groups("group")
BEYOND = {"n_params": 1e10, "tokens": 1e11}


def drawn(rng: np.random.Generator) -> tuple[sb.Runs, dict[str, float]]:
    """Return runs of groups drawn from the priors, and what is ranked of them."""
    every = LAW.priors | GROUPS.priors | NOISE.priors
    truth = {name: float(prior.draw(1, rng)[0]) for name, prior in every.items()}
    sizes = {
        name: pd.DataFrame(
            {"n_params": 10 ** rng.uniform(7, 9, n), "tokens": 10 ** rng.uniform(8.5, 10, n)}
        )
        for name, n in N_RUNS.items()
    }
    table = pd.concat([frame.assign(loss=1.0, group=name) for name, frame in sizes.items()])
    centres = references(sb.read_runs(table), LAW)
    kinds = {"alpha_N": "exponents", "alpha_D": "exponents", "L_inf": "floor"}
    common = pd.DataFrame({name: [truth[name]] for name in LAW.parameter_names}).to_xarray()
    logs = logs_of(LAW, common, centres)
    frames, losses = [], {}
    for name in (*N_RUNS, "new"):
        own = {
            each: value + truth[f"spread_{kinds.get(each, 'terms')}"] * rng.standard_normal()
            for each, value in logs.items()
        }
        p = SimpleNamespace(
            **{each: float(value[0]) for each, value in from_logs(LAW, own, centres).items()}
        )
        losses[name] = LAW.loss(p, SimpleNamespace(**BEYOND))
        if name == "new":
            continue
        mean = LAW.loss(p, sizes[name])
        noise = np.exp(truth["sigma"] * rng.standard_normal(len(mean)))
        frames.append(sizes[name].assign(loss=mean * noise, group=name))
        if name == "few":
            truth |= {f"{each} of few": value for each, value in vars(p).items()}
    runs = pd.concat(frames, ignore_index=True)
    # Some draws are losses that no table has; to leave them out would cut the prior on one side.
    found = sb.Runs(runs.assign(weight=1.0, flops=6 * runs["n_params"] * runs["tokens"]))
    return found, truth | {"loss of few": losses["few"], "loss of new": losses["new"]}


def ranked(fit: sb.PooledFit, truth: dict[str, float]) -> dict[str, float]:
    """Return the share of thinned draws below each true value."""
    posterior = fit.data_tree["posterior"].to_dataset()
    draws = {name: posterior[name] for name in truth if name in posterior}
    draws |= {f"{name} of few": fit["few"].draws[name] for name in LAW.parameter_names}
    for name in ("few", "new"):
        forecast = fit.forecast(group=name, seed=1, **BEYOND)
        draws[f"loss of {name}"] = forecast.mean_curve
    found = {}
    for name, values in draws.items():
        flat = values.to_numpy().ravel()
        thinned = flat[:: len(flat) // RANKED][:RANKED]
        found[name] = float(np.mean(thinned < truth[name]))
    return found


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--refits", type=int, default=100)
    options = parser.parse_args()
    warnings.simplefilter("ignore", sb.errors.ScalingBayesWarning)
    rng = np.random.default_rng(20261126)
    rows, failed, start = [], 0, time.perf_counter()
    n_refits = 1 if options.quick else options.refits
    for seed in range(n_refits):
        runs, truth = drawn(rng)
        fit = sb.fit(
            runs,
            LAW,
            noise=NOISE,
            discrepancy=None,
            groups=GROUPS,
            settings=SETTINGS,
            on_failure="warn",
            seed=seed,
        )
        failed += not fit.diagnostics.converged
        rows.append(ranked(fit, truth))
    ranks = pd.DataFrame(rows)
    found = []
    for name, column in ranks.items():
        counts = np.bincount(np.minimum((BINS * column).astype(int), BINS - 1), minlength=BINS)
        found.append(
            {
                "of": name,
                "50% holds": float(column.between(0.25, 0.75).mean()),
                "90% holds": float(column.between(0.05, 0.95).mean()),
                "p, uniform": float(stats.chisquare(counts).pvalue),
            }
        )
    print_table(f"Ranks of {n_refits} pooled fits", found)
    seconds = (time.perf_counter() - start) / n_refits
    print(f"{failed} fits did not converge; {seconds:.1f} s a fit.")


if __name__ == "__main__":
    main()
