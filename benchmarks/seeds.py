"""What fits of seeds and of checkpoints say, with rows that belong together joined or not.

Simulated sweeps follow Chinchilla's law (Besiroglu's constants), at sizes over two decades of N and
of D. Seeds: 14 sizes of eight, noise of 1% that a size has in common and 0.3% of each run; the same
averaged, with ``weight = 8``; checkpoints: ten of each of 25 runs, whose noise of 1% is the same in
all. Asked are 90% intervals (equal-tailed) of the mean curve and of a new run at 1.1e21 and 1.2e22
FLOPs, three and thirty times what most of the largest runs have, of L_inf and of a. ``sigma`` is
its median over the truth, ``width`` that of the interval of a new run at 1.2e22, in percent.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd
from measure import print_table
from scores import PROB, Rows
from sweep import arguments

import scaling_bayes as sb

BY_SIZE, OWN = 0.01, 0.003
TARGETS = pd.DataFrame({"n_params": [3e9, 1e10], "tokens": [6e10, 2e11]})
LAW = sb.laws.Chinchilla()
TRUTH = SimpleNamespace(**LAW.published["besiroglu2024"].values)


def seeds(rng: np.random.Generator) -> pd.DataFrame:
    """Return 14 sizes of eight seeds."""
    sizes = _sizes(14, rng)
    rows = sizes.loc[np.repeat(sizes.index, 8)].reset_index(drop=True)
    luck = np.repeat(BY_SIZE * rng.standard_normal(14), 8) + OWN * rng.standard_normal(112)
    return rows.assign(loss=_loss(rows) * np.exp(luck), seed=np.tile(range(8), 14))


def averaged(rng: np.random.Generator) -> pd.DataFrame:
    """Return their means."""
    means = sb.read_runs(seeds(rng)).means_by_size().frame
    return means.drop(columns=["seed_sd", "flops"])


def checkpoints(rng: np.random.Generator) -> pd.DataFrame:
    """Return ten rows of each of 25 runs."""
    sizes = _sizes(25, rng)
    rows = sizes.loc[np.repeat(sizes.index, 10)]
    rows = rows.assign(run=rows.index.map("run-{}".format)).reset_index(drop=True)
    rows["tokens"] *= np.tile(np.arange(1, 11) / 10, 25)
    luck = np.repeat(BY_SIZE * rng.standard_normal(25), 10)
    return rows.assign(loss=_loss(rows) * np.exp(luck))


def _sizes(n: int, rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {"n_params": 10 ** rng.uniform(7.5, 9.5, n), "tokens": 10 ** rng.uniform(9.3, 11, n)}
    )


def _loss(sizes: pd.DataFrame) -> np.ndarray:
    return np.asarray(LAW.loss(TRUTH, sizes), dtype=float)


def simulated(
    make: Callable[[np.random.Generator], pd.DataFrame], fitter: sb.Fitter, refits: int
) -> dict[str, object]:
    """Return how often intervals hold over refits of simulated sweeps."""
    own = 0.0 if make is checkpoints else OWN
    a = TRUTH.alpha_D / (TRUTH.alpha_N + TRUTH.alpha_D)
    rows = []
    for refit in range(refits):
        rng = np.random.default_rng(1000 + refit)
        frame = make(rng)
        if fitter.noise.name == Rows.name:
            frame = frame.drop(columns="run", errors="ignore")
        fit = fitter.fit(sb.read_runs(frame), seed=refit)
        mean = _loss(TARGETS)
        new = mean * np.exp(BY_SIZE * rng.standard_normal(2) + own * rng.standard_normal(2))
        forecast = sb.forecast(fit, TARGETS, seed=refit)
        low, high = np.log(forecast.interval(PROB, of="new_run").to_numpy())[..., 1]
        rows.append(
            {
                "mean curve": _held(forecast.mean_curve.to_numpy(), mean),
                "new run": _held(forecast.new_run.to_numpy(), new),
                "L_inf": _held(fit.draws["L_inf"].to_numpy()[..., None], TRUTH.L_inf),
                "a": _held(LAW.derived(fit.draws)["a"].to_numpy()[..., None], a),
                "sigma": float(fit.noise_draws["sigma"].median()) / np.hypot(BY_SIZE, own),
                "width": 100 * (high - low),
            }
        )
    table = pd.DataFrame(rows)
    rows_are = "as they are" if fitter.noise.name == Rows.name else "joined"
    return {"sweep": make.__name__, "rows": rows_are, **table.mean().round(2).to_dict()}


def _held(draws: np.ndarray, truth: object) -> float:
    low, high = np.quantile(draws.reshape(-1, draws.shape[-1]), [0.05, 0.95], axis=0)
    return float(np.mean((low < truth) & (truth < high)))


def main() -> None:
    """Fit every kind of sweep in both ways, and print how often intervals hold."""
    options = arguments(__doc__).parse_args()
    refits = 2 if options.quick else 60
    settings = sb.SamplerSettings(progressbar=False)
    warnings.simplefilter("ignore", sb.errors.ScalingBayesWarning)
    fitters = [
        sb.Fitter(LAW, noise=noise, settings=settings, on_failure="warn")
        for noise in (Rows(), None)
    ]
    rows = [
        simulated(make, fitter, refits)
        for make in (seeds, averaged, checkpoints)
        for fitter in fitters
    ]
    print_table(f"Intervals of {100 * PROB:g}% hold, over {refits} sweeps of each kind", rows)


if __name__ == "__main__":
    main()
