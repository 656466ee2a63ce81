"""A table of training runs: read, checked and selected."""

from __future__ import annotations

from scaling_bayes.runs._accuracies import read_accuracies
from scaling_bayes.runs._architecture import (
    Architecture,
    FlopCount,
    ParameterCount,
    count_flops,
    count_parameters,
)
from scaling_bayes.runs._covariates import COVARIATES, Covariate, beyond_budget, covariate, read_at
from scaling_bayes.runs._loss_curves import Curves
from scaling_bayes.runs._loss_units import KEPT_UNITS
from scaling_bayes.runs._one_row import SEED_SD, run_column
from scaling_bayes.runs._read import read_runs
from scaling_bayes.runs._read_curves import read_curves
from scaling_bayes.runs._runs import Runs

__all__ = [
    "COVARIATES",
    "KEPT_UNITS",
    "SEED_SD",
    "Architecture",
    "Covariate",
    "Curves",
    "FlopCount",
    "ParameterCount",
    "Runs",
    "beyond_budget",
    "count_flops",
    "count_parameters",
    "covariate",
    "read_accuracies",
    "read_at",
    "read_curves",
    "read_runs",
    "run_column",
]
