"""How the pre-registered forecasts did, and whether the law is adequate.

    python report.py --table tiny_transformers.csv --output-dir report

Judges `preregistered/forecasts.csv`, as it was written before the held-out runs were trained, by
their losses. Then fits Chinchilla's law to the `train` split again, with two seeds of the sampler,
to all runs and to those from 1e11 FLOPs up, each time as if the law were true; compares the spread
of runs around it with the spread between seeds of the same run; and draws these fits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import plan
from preregister import BUDGETS, FROM_FLOPS, OfRows

import scaling_bayes as sb
from scaling_bayes import plots

HERE = Path(__file__).parent
COVERAGES = (0.5, 0.8, 0.9)
SAMPLER_SEEDS = (1, 2)
LEVELS = [*plan.LEVELS[-4:], *(budget * plan.LARGEST for budget in BUDGETS[:2])]
N_PARAMETERS = 5  # of Chinchilla's law


def main() -> None:
    """Read the command line, print tables, draw pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=Path("tiny_transformers.csv"))
    parser.add_argument("--folder", type=Path, default=HERE / "preregistered")
    parser.add_argument("--output-dir", type=Path, default=Path("report"))
    arguments = parser.parse_args()
    runs = sb.read_runs(arguments.table)
    train, held_out = runs.where("split == 'train'"), runs.where("split == 'held_out'")
    judged = judge(pd.read_csv(arguments.folder / "forecasts.csv"), held_out.frame)
    print("Held-out runs, nats per byte:", per_run(judged).to_string(), sep="\n", end="\n\n")
    print(f"Scores over {len(held_out)} runs:", scores(judged).to_string(), sep="\n", end="\n\n")

    splits = {"all runs": train, f"C from {FROM_FLOPS:.0e}": train.above(flops=FROM_FLOPS)}
    fits = {}
    for which, runs in splits.items():
        by_seed = [alone(runs, sb.laws.Chinchilla(), seed) for seed in SAMPLER_SEEDS]
        print(f"Chinchilla's law, {which}:", two_seeds(by_seed), sep="\n", end="\n\n")
        print(adequacy(by_seed[0]).to_string(), end="\n\n")
        fits[f"Chinchilla, {which}"] = by_seed[0]
    whole, upper = fits.values()
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    rivals = {"Kaplan": sb.laws.Kaplan(), "coupled": sb.laws.Coupled()}
    fits |= {name: alone(train, law, SAMPLER_SEEDS[0]) for name, law in rivals.items()}
    pictures = {
        "held_out": plots.plot_held_out(fits, held_out),
        "isoflop": plots.plot_isoflop(upper, held_out=held_out, flops=LEVELS),
        "residuals": plots.plot_residuals(whole),
        "upper_residuals": plots.plot_residuals(upper),
    }
    for name, axes in pictures.items():
        axes.figure.savefig(arguments.output_dir / f"{name}.png", dpi=130)


def alone(runs: sb.Runs, law: sb.Law, seed: int) -> sb.Fit:
    """Fit a law that is taken for the truth, with noise as it was then."""
    return sb.fit(runs, law, discrepancy=None, noise=OfRows(), seed=seed)


def judge(forecasts: pd.DataFrame, held_out: pd.DataFrame) -> pd.DataFrame:
    """Set each forecast beside the truth.

    Returns
    -------
    DataFrame
        One row for each forecaster, kind of forecast (mean curve or new run) and run: the truth,
        the median, the share of the forecast below the truth (``pit``), and the CRPS, as twice
        the mean quantile loss over the quantiles that were written down (Gneiting and Ranjan
        2011, equation 6).

    Raises
    ------
    KeyError
        If a run is not trained yet.
    """
    truth = held_out.set_index("run")["loss"]
    if missing := set(forecasts["run"]) - set(truth.index):
        raise KeyError(f"no row yet of {sorted(missing)}: finish `sweep.py held-out`.")

    def of_one(quantiles: pd.DataFrame) -> pd.Series:
        observed = truth[quantiles["run"].iloc[0]]
        p, q = quantiles["probability"].to_numpy(), quantiles["loss"].to_numpy()
        return pd.Series(
            {
                "truth": observed,
                "median": np.interp(0.5, p, q),
                **{f"q{bound:g}": np.interp(bound, p, q) for bound in (0.05, 0.95)},
                "pit": np.interp(observed, q, p, left=0.0, right=1.0),
                "crps": 2 * np.mean(((observed < q) - p) * (q - observed)),
            }
        )

    grouped = forecasts.groupby(["forecaster", "of", "run"], sort=False)
    return grouped[["run", "probability", "loss"]].apply(of_one)


def per_run(judged: pd.DataFrame) -> pd.DataFrame:
    """Return the truth of each run beside each forecaster's 90% interval of a new run."""
    new_run = judged.xs("new_run", level="of")
    words = new_run.apply(lambda row: f"[{row['q0.05']:.4f}, {row['q0.95']:.4f}]", axis=1)
    table = words.unstack("forecaster", sort=False)
    table.insert(0, "truth", new_run["truth"].groupby("run", sort=False).first())
    return table


def scores(judged: pd.DataFrame) -> pd.DataFrame:
    """Return coverage, CRPS and errors of each forecaster, over the runs.

    What is counted as inside is the loss of single runs, which the interval of a mean curve is
    not meant to hold.
    """
    grouped = judged.groupby(["forecaster", "of"], sort=False)
    log_error = np.log(judged["median"] / judged["truth"])
    keys = ["forecaster", "of"]
    inside = {
        f"inside {prob:.0%}": (abs(judged["pit"] - 0.5) <= prob / 2).groupby(keys, sort=False).sum()
        for prob in COVERAGES
    }
    return pd.DataFrame(
        {
            **inside,
            "CRPS, 1e-3 nats": 1e3 * grouped["crps"].mean(),
            "mean error, %": 100 * log_error.groupby(keys, sort=False).mean(),
            "RMS error, %": 100 * (log_error**2).groupby(keys, sort=False).mean() ** 0.5,
        }
    ).round(3)


def two_seeds(fits: list[sb.Fit]) -> str:
    """Return median and 90% equal-tailed interval of each parameter, by each fit."""
    tables = {
        f"sampler seed {seed}": fit.summary().to_frame()[["median", "lower", "upper"]]
        for seed, fit in zip(SAMPLER_SEEDS, fits, strict=True)
    }
    return pd.concat(tables, axis=1).to_string(float_format="{:.4g}".format)


def adequacy(fit: sb.Fit) -> pd.Series:
    """Compare the scatter of runs around the law with that of seeds around their own mean."""
    log_loss = np.log(fit.runs.frame["loss"])
    curve = fit.forecast(fit.runs).mean_curve.median(["chain", "draw"]).to_numpy()
    around_law = np.sqrt(((log_loss - np.log(curve)) ** 2).sum() / (len(log_loss) - N_PARAMETERS))
    point = [fit.runs.frame[name] for name in ("n_params", "tokens")]
    repeated = log_loss[log_loss.groupby(point).transform("size") > 1]
    by_point = repeated.groupby(point).std()
    between_seeds = np.sqrt((by_point**2).mean())
    return pd.Series(
        {
            "runs": len(log_loss),
            "spread around the law, %": 100 * around_law,
            "points with several seeds": len(by_point),
            "spread between seeds, %": 100 * between_seeds,
            "smallest of a point, %": 100 * by_point.min(),
            "largest of a point, %": 100 * by_point.max(),
            "ratio": around_law / between_seeds,
        }
    ).round(2)


if __name__ == "__main__":
    main()
