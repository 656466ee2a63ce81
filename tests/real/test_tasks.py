"""Accuracy of the OLMo 2 models from their ladder of small runs (Bhagia et al. 2024)."""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._task.task_table import checked

pytestmark = [pytest.mark.slow, pytest.mark.long]

PUBLISHED = {
    "mmlu_avg_test": 0.67,
    "hellaswag_val": 2.54,
    "arc_challenge_test": 17.45,
    "arc_easy_test": 11.39,
    "piqa_val": 1.06,
    "csqa_val": 4.73,
    "socialiqa_val": 2.68,
    "openbookqa_test": 7.76,
}
"""Relative errors of the 13B model's accuracy in percent, by the published two steps."""

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The benchmark that does the published steps again."""
    folder = Path(__file__).parents[2] / "benchmarks"
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("tasks", folder / "tasks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(folder))
    return module


@pytest.fixture(scope="module")
def scored(benchmark, real_data) -> pd.DataFrame:
    folder = real_data("olmo_ladder_tasks.csv").parent
    real_data("olmo_ladder_task_checkpoints.csv")
    found = benchmark.olmo(folder, sb.SamplerSettings(draws=500, progressbar=False), None)
    logger.info("\n%s", found.round(3).to_string())
    return found


@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.ScalingBayesWarning")
def test_the_published_errors_are_those_of_two_steps(scored):
    errors = scored[scored["model"] == "13B-5T"].set_index("task")["two-step error"].abs()
    for task, published in PUBLISHED.items():
        assert errors[task] == pytest.approx(published, abs=0.05), task


@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.ScalingBayesWarning")
def test_one_posterior_of_both_is_nearer_and_its_intervals_hold(scored):
    errors = scored.groupby("model")[["error", "two-step error"]].agg(lambda x: x.abs().mean())
    logger.info("\n%s", errors.round(2).to_string())
    assert (errors["error"] < errors["two-step error"]).all()
    assert errors.loc["13B-5T", "error"] < sum(PUBLISHED.values()) / len(PUBLISHED)
    # Of 16 intervals of 90%, 14 are expected; fewer than 11 would have a probability of 0.2%.
    assert scored["held"].sum() >= 11


def test_a_task_that_no_small_run_has_learned_is_refused(real_data):
    table = pd.read_csv(real_data("olmo_ladder_tasks.csv"))
    small = table[(table["task"] == "mmlu_avg_test") & (table["n_params"] < 2e8)]
    first = small.assign(loss=small["task_loss"], n_questions=500)
    with pytest.raises(sb.errors.InputError, match="no run of the task is off chance"):
        checked(first, 0.25)
