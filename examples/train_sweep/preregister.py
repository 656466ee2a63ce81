"""Say what the held-out runs will be, and what their losses will be, before they are trained.

    python preregister.py --table tiny_transformers.csv

Fits the runs of the table whose split is `train`. The allocation of Chinchilla's law for 5, 10
and 20 times the largest compute decides the held-out runs: at its optimum and away from it.
Writes three tables: the runs, the forecasts of their losses as quantiles, and the allocation.
Laws are taken for the truth, and every run for a test of its own, as they were when the forecasts
in `preregistered` were written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import least_squares
import numpy as np
import pandas as pd
import plan
from table import name_of

import scaling_bayes as sb

HERE = Path(__file__).parent
SEED = 1
BUDGETS = (5, 10, 20)  # in units of the sweep's largest compute
# budget, and size in units of the compute-optimal one
HELD_OUT = ((5, 1 / 2), (5, 1), (5, 3), (10, 1), (10, 2), (20, 1.5))
FROM_FLOPS = 1e11  # where the second fit of Chinchilla's law begins
PROBABILITIES = np.arange(0.005, 1, 0.01).round(3)


class OfRows(sb.noise.StudentT):
    """Noise of which runs of one size share nothing, as it was when the forecasts were written."""

    name = "student-t-of-rows"


def main() -> None:
    """Read the command line, fit, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=Path("tiny_transformers.csv"))
    parser.add_argument("--folder", type=Path, default=HERE / "preregistered")
    arguments = parser.parse_args()
    runs = sb.read_runs(arguments.table, where="split == 'train'")
    refuse_hindsight(arguments.table, arguments.folder)
    fits = {
        "Chinchilla": sb.fit(
            runs, sb.laws.Chinchilla(), discrepancy=None, noise=OfRows(), seed=SEED
        ),
        "Kaplan": sb.fit(runs, sb.laws.Kaplan(), discrepancy=None, noise=OfRows(), seed=SEED),
        "coupled": sb.fit(runs, sb.laws.Coupled(), discrepancy=None, noise=OfRows(), seed=SEED),
        f"Chinchilla, C from {FROM_FLOPS:.0e}": sb.fit(
            runs.above(flops=FROM_FLOPS),
            sb.laws.Chinchilla(),
            discrepancy=None,
            noise=OfRows(),
            seed=SEED,
        ),
    }
    allocation = pd.concat(
        {law: allocated(fit) for law, fit in fits.items()}, names=["law", "budget"]
    )
    held_out = chosen(fits["Chinchilla"])
    arguments.folder.mkdir(exist_ok=True)
    allocation.to_csv(arguments.folder / "allocation.csv", float_format="%.6g")
    held_out.to_csv(arguments.folder / "runs.csv", float_format="%.6g")
    forecasts(fits, held_out).to_csv(arguments.folder / "forecasts.csv", float_format="%.6f")
    for fit in fits.values():
        print(fit.summary(), end="\n\n")
    print(allocation.to_string(), held_out.to_string(), sep="\n\n")


def refuse_hindsight(table: Path, folder: Path) -> None:
    """Raise an error if forecasts are written down already, or held-out runs trained."""
    if (folder / "forecasts.csv").exists():
        raise FileExistsError(f"{folder} holds forecasts already. Name another --folder.")
    if (pd.read_csv(table)["split"] == "held_out").any():
        raise ValueError(f"{table} holds held-out runs: it is too late to forecast them.")


def allocated(fit: sb.Fit) -> pd.DataFrame:
    """Return the compute-optimal size and tokens for each budget, with 90% intervals."""
    return fit.allocate(flops=[budget * plan.LARGEST for budget in BUDGETS]).to_frame()


def chosen(fit: sb.Fit) -> pd.DataFrame:
    """Return the runs to train: shapes of the ladder nearest to the wanted sizes."""
    rows = []
    for budget, factor in HELD_OUT:
        flops = budget * plan.LARGEST
        optimum = fit.allocate(flops=flops).recommended["n_params"].item()
        shape = plan.nearest_shape(factor * optimum)
        point = plan.point("held_out", shape, flops / (6 * shape.n_params))
        rows.append(
            {
                "run": name_of(point),
                "budget": budget,
                "size_over_optimum": shape.n_params / optimum,
                "width": shape.width,
                "depth": shape.depth,
                "batch": point.batch,
                "steps": point.steps,
                "n_params": shape.n_params,
                "tokens": point.tokens,
                "flops": point.flops,
            }
        )
    return pd.DataFrame(rows).set_index("run")


def forecasts(fits: dict[str, sb.Fit], held_out: pd.DataFrame) -> pd.DataFrame:
    """Return the quantiles of each run's loss by each way of forecasting."""
    points = held_out[["n_params", "tokens"]]
    draws: dict[tuple[str, str], np.ndarray] = {}
    for law, fit in fits.items():
        forecast = fit.forecast(points, seed=SEED)
        for of in ("mean_curve", "new_run"):
            stacked = forecast.draws(of).stack(sample=("chain", "draw"))
            draws[law, of] = stacked.transpose("sample", "point").to_numpy()
    habit = least_squares.bootstrap(fits["Chinchilla"].runs, points, seed=SEED)
    draws |= {("least squares, bootstrap", of): values for of, values in habit.items()}
    return pd.concat(
        {
            key: pd.DataFrame(
                np.quantile(values, PROBABILITIES, axis=0),
                index=pd.Index(PROBABILITIES, name="probability"),
                columns=held_out.index,
            ).stack()
            for key, values in draws.items()
        },
        names=["forecaster", "of"],
    ).rename("loss")


if __name__ == "__main__":
    main()
