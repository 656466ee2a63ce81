"""Time of 200 refits of 240 rows, with and without discrepancy, against as many bootstraps.

Refits are shared out to one process a core, as a backtest with ``n_jobs=-1`` does, each of which
has fitted once before; and made one after the other in one process.

A backtest, a cross-validation or a calibration study is made of refits. Each here is of the same
rows with other noise of 0.2 percent. The bootstrap, the field's habit, is
`scaling_bayes.baselines.HuberBootstrap` with 300 resamples. Target: under 90 seconds on 2 cores.
"""

from __future__ import annotations

import os
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import joblib
import numpy as np
from measure import print_table
from sweep import arguments, chinchilla_runs

import scaling_bayes as sb


def refitted(forecaster: sb.Forecaster, runs: sb.Runs, samples: list[sb.Runs]) -> float:
    """Return the seconds that refits take, once one has compiled."""
    forecaster.fit(runs, seed=0)
    start = time.perf_counter()
    for seed, sample in enumerate(samples):
        forecaster.fit(sample, seed=seed)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__).parse_args()
    n_refits, n_resamples = (2, 10) if options.quick else (200, 300)
    runs = chinchilla_runs(options.data)
    rng = np.random.default_rng(0)
    samples = [
        sb.Runs(runs.frame.assign(loss=runs.frame["loss"] * np.exp(0.002 * noise)))
        for noise in rng.standard_normal((n_refits, len(runs)))
    ]
    law, smooth = sb.laws.Chinchilla(), sb.discrepancy.Smooth()
    usual = sb.SamplerSettings(progressbar=False)
    short = sb.SamplerSettings(draws=500, progressbar=False)
    habit = f"Huber + {n_resamples} bootstraps"
    forecasters: dict[str, sb.Forecaster] = {
        "law alone, 4 x 1000 draws": sb.Fitter(law, settings=usual, discrepancy=None),
        "with discrepancy, 4 x 1000 draws": sb.Fitter(law, discrepancy=smooth, settings=usual),
        "with discrepancy, 4 x 500 draws": sb.Fitter(law, discrepancy=smooth, settings=short),
        habit: sb.baselines.HuberBootstrap(n_resamples=n_resamples),
    }
    n_processes = 1 if options.quick else joblib.cpu_count()
    alone, shared = {}, {}
    for name, forecaster in forecasters.items():
        alone[name] = refitted(forecaster, runs, samples)
        parallel = joblib.Parallel(n_jobs=n_processes)
        shares = [samples[i::n_processes] for i in range(n_processes)]
        shared[name] = max(
            parallel(joblib.delayed(refitted)(forecaster, runs, share) for share in shares)
        )
    print_table(
        f"{n_refits} refits of {len(runs)} rows, compiled before",
        [
            {
                "how": name,
                "seconds, one process": alone[name],
                "ratio": alone[name] / alone[habit],
                f"seconds, {n_processes} processes": shared[name],
                "ratio ": shared[name] / shared[habit],
            }
            for name in forecasters
        ],
    )


if __name__ == "__main__":
    main()
