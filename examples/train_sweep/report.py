"""How the pre-registered forecasts did, and whether the law is adequate.

    python report.py --table tiny_transformers.csv --output-dir report

Judges `preregistered/forecasts.csv`, as it was written before the held-out runs were trained, by
their losses. Then fits Chinchilla's law to the `train` split with two seeds of the sampler, and
compares the spread of runs around it with the spread between seeds of the same run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import scaling_bayes as sb
from scaling_bayes import plots

HERE = Path(__file__).parent
COVERAGES = (0.5, 0.8, 0.9)
SAMPLER_SEEDS = (1, 2)
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

    fits = [sb.fit(train, sb.laws.Chinchilla(), seed=seed) for seed in SAMPLER_SEEDS]
    print("Chinchilla's law, by two seeds of the sampler:", two_seeds(fits), sep="\n", end="\n\n")
    print("Is the law adequate?", adequacy(fits[0]), sep="\n")
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    kaplan = sb.fit(train, sb.laws.Kaplan(), seed=SAMPLER_SEEDS[0])
    pictures = {
        "held_out": plots.plot_held_out({"Chinchilla": fits[0], "Kaplan": kaplan}, held_out),
        "isoflop": plots.plot_isoflop(fits[0], held_out=held_out),
        "residuals": plots.plot_residuals(fits[0]),
    }
    for name, axes in pictures.items():
        axes.figure.savefig(arguments.output_dir / f"{name}.png", dpi=150)


def judge(forecasts: pd.DataFrame, held_out: pd.DataFrame) -> pd.DataFrame:
    """Set each forecast beside the truth.

    Returns
    -------
    DataFrame
        One row for each forecaster, kind of forecast (mean curve or new run) and run: the truth,
        the median, the share of the forecast below the truth (``pit``), and the CRPS, as twice
        the mean quantile loss over the quantiles that were written down (Gneiting and Ranjan
        2011, equation 6).
    """
    truth = held_out.set_index("run")["loss"]

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
    """Return coverage, CRPS and errors of each forecaster, averaged over the runs."""
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


def adequacy(fit: sb.Fit) -> str:
    """Compare the scatter of runs around the law with that of seeds around their own mean."""
    log_loss = np.log(fit.runs.frame["loss"])
    curve = fit.forecast(fit.runs).mean_curve.median(["chain", "draw"]).to_numpy()
    around_law = np.sqrt(((log_loss - np.log(curve)) ** 2).sum() / (len(log_loss) - N_PARAMETERS))
    point = [fit.runs.frame[name] for name in ("n_params", "tokens")]
    repeated = log_loss[log_loss.groupby(point).transform("size") > 1]
    between_seeds = np.sqrt(repeated.groupby(point).var().mean())
    return (
        f"Spread of log loss around the law: {100 * around_law:.2f}% ({len(log_loss)} runs); "
        f"between seeds of one (N, D): {100 * between_seeds:.2f}% ({len(repeated)} runs). "
        f"Ratio {around_law / between_seeds:.1f}; it would be 1 for a law without error."
    )


if __name__ == "__main__":
    main()
