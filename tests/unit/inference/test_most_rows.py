"""What is said of tables with so many rows that they can only be checkpoints."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import scaling_bayes as sb
from scaling_bayes._inference import most_rows
from scaling_bayes.cli._remedies import in_options
from scaling_bayes.errors import InputError


@pytest.fixture
def checkpoints():
    rng = np.random.default_rng(0)
    n_params, share = np.geomspace(1e7, 1e10, 12), np.geomspace(0.1, 1, 50)
    sizes = pd.DataFrame(
        {
            "n_params": np.repeat(n_params, 50),
            "tokens": np.outer(20 * n_params[::-1], share).ravel(),
            "name": np.repeat([f"run-{i}" for i in range(12)], 50),
        }
    )
    loss = 1.8 + 400 / sizes["n_params"] ** 0.34 + 410 / sizes["tokens"] ** 0.28
    return sizes.assign(loss=loss * np.exp(0.003 * rng.standard_normal(len(loss))))


@pytest.fixture
def refusal(checkpoints, monkeypatch):
    monkeypatch.setattr(most_rows, "MOST_ROWS", 100)
    with pytest.raises(InputError) as caught:
        sb.fit(sb.read_runs(checkpoints), sb.laws.Chinchilla(), discrepancy=None)
    return str(caught.value)


def test_it_names_the_rows_the_memory_and_the_reason(refusal):
    assert "holds 600 rows, and a fit takes 100" in refusal
    assert "GB of memory" in refusal
    assert "rows count as independent runs" in refusal


def test_its_remedies_work(refusal, checkpoints):
    remedies = re.findall(r"runs\.\w+\(\"[^\"]*\"\)", refusal)
    assert len(remedies) == 2
    for remedy in remedies:
        some = eval(remedy, {"runs": sb.read_runs(checkpoints)})
        assert 10 <= len(some) <= 100


def test_its_remedies_on_the_command_line_work(refusal, checkpoints):
    remedies = re.findall(r'--where "([^"]*)"', in_options(refusal))
    assert len(remedies) == 2
    for remedy in remedies:
        assert 10 <= len(sb.read_runs(checkpoints, where=remedy)) <= 100


@pytest.mark.filterwarnings("ignore:By its column")
@pytest.mark.filterwarnings("ignore::scaling_bayes.errors.IdentifiabilityWarning")
def test_a_table_that_names_its_runs_is_fitted_to_their_ends(checkpoints, monkeypatch, quiet):
    monkeypatch.setattr(most_rows, "MOST_ROWS", 100)
    runs = sb.read_runs(checkpoints.rename(columns={"name": "run"}))
    fit = sb.fit(runs, sb.laws.Chinchilla(), discrepancy=None, settings=quiet, seed=1)
    assert len(fit.runs) == 12


def test_recipes_are_refused_as_well(checkpoints, monkeypatch):
    monkeypatch.setattr(most_rows, "MOST_ROWS", 700)
    runs = sb.read_runs(checkpoints)
    with pytest.raises(InputError, match="1,200 rows"):
        sb.compare_recipes({"a": runs, "b": runs}, sb.laws.Chinchilla())


def test_a_run_is_told_by_its_model_size_where_no_column_names_it(checkpoints, monkeypatch):
    monkeypatch.setattr(most_rows, "MOST_ROWS", 100)
    runs = sb.read_runs(checkpoints.drop(columns="name"))
    with pytest.raises(InputError, match=r'runs\.last_of_each\("n_params"\)'):
        sb.fit(runs, sb.laws.Chinchilla(), discrepancy=None)
