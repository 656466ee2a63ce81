"""The runs that the benchmarks fit, and the arguments that all of them take."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import scaling_bayes as sb

TRUTH = {"E": 1.817, "A": 482.0, "B": 2085.0, "alpha": 0.348, "beta": 0.366}
CUTS = (2e19, 5e19, 1e20, 3e20, 1e21)
"""Compute in FLOPs: runs below are fitted, and the others forecast."""
DEFAULT_FOLDER = Path(__file__).parents[2] / "shared" / "data"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the arguments that all benchmarks take."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("SCALING_BAYES_DATA", DEFAULT_FOLDER)),
        help="folder that holds chinchilla_fig4.csv (default: %(default)s; $SCALING_BAYES_DATA)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: shows that it runs, measures nothing"
    )
    return parser


def chinchilla_runs(folder: Path) -> sb.Runs:
    """Return the 240 Chinchilla runs of Besiroglu et al. 2024, or as many simulated ones."""
    path = folder / "chinchilla_fig4.csv"
    if path.is_file():
        return sb.read_runs(path, where="besiroglu_included == 1")
    print(
        f"{path} is not there, so 240 runs are simulated instead. "
        "For the real ones pass --data or set SCALING_BAYES_DATA.",
        file=sys.stderr,
    )
    return sb.read_runs(simulated_runs(240))


def simulated_runs(n_rows: int) -> pd.DataFrame:
    """Return runs that follow Chinchilla's law with heavy-tailed noise of 0.4 percent."""
    rng = np.random.default_rng(20240415)
    n_params = np.exp(rng.uniform(np.log(6e7), np.log(1.6e10), n_rows))
    tokens_per_param = np.exp(rng.uniform(np.log(1), np.log(300), n_rows))
    tokens = tokens_per_param * n_params
    mean = (
        TRUTH["E"] + TRUTH["A"] / n_params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
    )
    loss = mean * np.exp(0.004 * rng.standard_t(3, n_rows))
    return pd.DataFrame({"n_params": n_params, "tokens": tokens, "loss": loss})
