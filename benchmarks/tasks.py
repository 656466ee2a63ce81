"""Accuracy of the OLMo 2 models, forecast from small runs, against the published way.

Bhagia et al. 2024 (arXiv:2412.04403) forecast eight tasks of the 13B model in two steps: task loss
by a Huber fit in N and D to 16 runs, and accuracy by a sigmoid in that loss, least squares on all
checkpoints. `two_step` does that again. Beside it stands `sb.fit_task` on the 16 runs alone, with
its 90% interval (equal-tailed, of what a new run scores). Then the mean over 17 tasks of Gadre et
al. 2024 (arXiv:2403.08540): error of the 1.4B model trained for long and of the 6.9B one.

Printed are relative errors of the accuracy, in percent. Link and priors were chosen by looking at
the OLMo tasks, and not at those of Gadre et al.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from measure import print_table
from scipy.optimize import curve_fit, minimize
from scipy.special import expit, huber, logsumexp
from sweep import arguments

import scaling_bayes as sb

DELTA = 1e-3
STARTS = [
    (a, b, np.log(floor), power, power)
    for a in (0.0, 5.0, 10.0)
    for b in (0.0, 5.0, 10.0)
    for floor in (0.3, 0.8)
    for power in (0.2, 0.5)
]
GADRE_TASKS = (
    "bigbench_operators",
    "pubmed_qa_labeled",
    "hellaswag_zeroshot",
    "boolq",
    "arc_easy",
    "coqa",
    "bigbench_dyck_languages",
    "lambada_openai",
    "bigbench_novel_concepts",
    "winograd",
    "bigbench_cs_algorithms",
    "commonsense_qa",
    "bigbench_qa_wikidata",
    "hellaswag",
    "copa",
    "squad",
    "piqa",
)
GADRE_QUESTIONS = 50_000
"""About as many as the 17 tasks have together."""


def two_step(rows: pd.DataFrame, checkpoints: pd.DataFrame, targets: pd.DataFrame) -> np.ndarray:
    """Return the accuracy of models by the published two steps.

    Parameters
    ----------
    rows : DataFrame
        The runs of the ladder, for one task.
    checkpoints : DataFrame
        Columns ``run``, ``loss`` and ``accuracy`` of theirs.
    targets : DataFrame
        The models, with ``n_params`` and ``tokens``.
    """
    log_n, log_d = np.log(rows["n_params"]), np.log(rows["tokens"])
    log_loss = np.log(rows["task_loss_avg5"])

    def curve(p: np.ndarray, log_n: object, log_d: object) -> np.ndarray:
        a, b, e, alpha, beta = p
        terms = [a - alpha * np.asarray(log_n), b - beta * np.asarray(log_d)]
        return np.asarray(logsumexp([*terms, np.broadcast_to(e, np.shape(log_n))], axis=0))

    def objective(p: np.ndarray) -> float:
        return float(huber(DELTA, log_loss - curve(p, log_n, log_d)).sum())

    simplex = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-9, "fatol": 1e-12}
    fits = [minimize(objective, start, method="L-BFGS-B") for start in STARTS]
    best = min(fits, key=lambda fit: fit.fun)
    for _ in range(3):  # a simplex that has shrunk too early starts anew
        best = minimize(objective, best.x, method="Nelder-Mead", options=simplex)
    loss = np.exp(curve(best.x, np.log(targets["n_params"]), np.log(targets["tokens"])))
    smoothed = [
        own.iloc[int(np.ceil(0.1 * len(own))) :].rolling(5, min_periods=1).mean()
        for _, own in checkpoints.groupby("run")[["loss", "accuracy"]]
    ]
    points = pd.concat([*smoothed, pd.DataFrame({"loss": [0.0], "accuracy": [1.0]})])

    def sigmoid(x: np.ndarray, a: float, x0: float, k: float, b: float) -> np.ndarray:
        return np.asarray(a * expit(k * (x - x0)) + b)

    start = (points["accuracy"].min() - 1.0, 0.9, 3.0, 1.0)
    bounds = ([-np.inf, 0.0, 0.0, 0.0], [0.0, np.inf, np.inf, 1.0])
    found, _ = curve_fit(
        sigmoid, points["loss"], points["accuracy"], start, bounds=bounds, maxfev=100_000
    )
    return sigmoid(loss, *found)


def ladder(folder: Path) -> pd.DataFrame:
    """Return the eight tasks of the published set."""
    table = pd.read_csv(folder / "olmo_ladder_tasks.csv")
    return table[table["in_main_set"] == 1]


def checkpoints_of(folder: Path, task: str, runs: pd.Series) -> pd.DataFrame:
    """Return task losses and accuracies of the checkpoints of some runs."""
    table = pd.read_csv(folder / "olmo_ladder_task_checkpoints.csv")
    (column,) = [
        name
        for name in table
        if name.startswith("loss_") and task.startswith(name.removeprefix("loss_"))
    ]
    named = {column: "loss", column.replace("loss_", "acc_"): "accuracy"}
    return table[table["run"].isin(runs)].rename(columns=named)[["run", "loss", "accuracy"]]


def ours(
    rows: pd.DataFrame, chance: float, settings: sb.SamplerSettings, loss_unit: str
) -> sb.TaskFit:
    """Return the accuracy of a task fitted to final points alone."""
    frame = rows[["n_params", "tokens", "loss", "accuracy", "n_questions"]]
    runs = sb.read_runs(frame, loss_unit=loss_unit)
    fit = sb.fit(runs, settings=settings, on_failure="warn", seed=1)
    careful = sb.SamplerSettings(
        draws=settings.draws, tune=1000, target_accept=0.95, progressbar=False
    )
    return sb.fit_task(fit, chance=chance, settings=careful, on_failure="warn", seed=1)


def scored(task: sb.TaskFit, targets: pd.DataFrame) -> pd.DataFrame:
    """Return the forecast accuracy of each model with its interval, and whether that holds."""
    forecast = task.forecast(targets[["n_params", "tokens"]], seed=1)
    frame = forecast.to_frame()
    observed = targets["accuracy"].to_numpy()
    return pd.DataFrame(
        {
            "model": targets["run"].to_numpy(),
            "accuracy": frame["accuracy"],
            "lower": frame["new_run_lower"],
            "upper": frame["new_run_upper"],
            "came to": observed,
            "error": 100 * (frame["accuracy"] / observed - 1),
            "held": (frame["new_run_lower"] < observed) & (observed < frame["new_run_upper"]),
        }
    )


def olmo(folder: Path, settings: sb.SamplerSettings, tasks: int | None) -> pd.DataFrame:
    """Return one row a task and model."""
    rows = []
    table = ladder(folder)
    table = table.assign(loss=table["task_loss_avg5"], accuracy=table["accuracy_avg5"])
    for name, own in list(table.groupby("task", sort=False))[:tasks]:
        fitted, targets = own[own["in_published_fit"] == 1], own[own["split"] == "target"]
        task = ours(fitted, float(own["chance"].iloc[0]), settings, "bits_per_byte")
        checkpoints = checkpoints_of(folder, str(name), fitted["run"])
        found = scored(task, targets)
        published = two_step(fitted, checkpoints, targets)
        found["two-step error"] = 100 * (published / found["came to"] - 1)
        rows.append(found.assign(task=name))
    return pd.concat(rows)


def gadre(folder: Path, settings: sb.SamplerSettings) -> pd.DataFrame:
    """Return one row a large model of Gadre et al., whose score is the mean over 17 tasks."""
    table = pd.read_csv(folder / "gadre_overtraining.csv")
    table = table[table["group"] == "rpj"]
    accuracy = table[[f"acc_{name}" for name in GADRE_TASKS]].mean(axis=1)
    table = table.assign(accuracy=accuracy, n_questions=GADRE_QUESTIONS).dropna(subset="accuracy")
    large = table["flops"] > 1e21
    task = ours(table[~large], 0.05, settings, "nats_per_token")
    return scored(task, table[large]).assign(task="mean of 17, Gadre et al.")


def main() -> None:
    """Print both tables."""
    options = arguments(__doc__).parse_args()
    warnings.simplefilter("ignore", sb.errors.ScalingBayesWarning)
    settings = sb.SamplerSettings(draws=500 if options.quick else 1000, progressbar=False)
    table = olmo(options.data, settings, 1 if options.quick else None)
    print_table("Accuracy of the OLMo 2 models", table.to_dict("records"))
    errors = table.assign(ours=table["error"].abs(), two_step=table["two-step error"].abs())
    means = errors.groupby("model")[["ours", "two_step", "held"]].mean().reset_index()
    print_table("Mean over tasks of the relative error", means.to_dict("records"))
    if not options.quick:
        print_table("Mean over 17 tasks", gadre(options.data, settings).to_dict("records"))


if __name__ == "__main__":
    main()
