from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scaling_bayes._inference.identifiability import check_identifiable
from scaling_bayes.errors import IdentifiabilityError, RunsError
from scaling_bayes.laws import Chinchilla
from scaling_bayes.runs import read_runs


@pytest.mark.parametrize(
    ("name", "options", "n_runs"),
    [
        ("chinchilla_fig4", {}, 245),
        ("chinchilla_fig4", {"where": "besiroglu_included == 1"}, 240),
        ("gadre_overtraining", {}, 104),
        ("gadre_overtraining", {"columns": {"loss": "loss_paloma_c4_en"}}, 104),
        ("datablations", {}, 308),
        ("datablations", {"where": "in_published_fit == 1 and variant != 'dedup'"}, 182),
        ("porian_isoflop", {"where": "group == 'rw|tuned|short|const'"}, 244),
        ("steplaw_dense", {"columns": {"n_params": "n_params_non_embedding"}}, 1911),
    ],
)
def test_published_tables_are_read(real_data, name, options, n_runs):
    path = real_data(f"{name}.csv")
    runs = read_runs(path, **options)
    assert len(runs) == n_runs
    table = pd.read_csv(path)
    table = table.query(options["where"]) if "where" in options else table
    loss = table[options.get("columns", {}).get("loss", "loss")]
    np.testing.assert_allclose(runs.frame["loss"], loss, rtol=1e-12)
    product = 6 * runs.frame["n_params"] * runs.frame["tokens"]
    np.testing.assert_allclose(runs.frame["flops"], product, rtol=1e-3)


def test_the_repeated_rows_of_misfitting_are_named_with_the_option_that_leaves_them_out(real_data):
    path = real_data("misfitting.csv")
    with pytest.raises(RunsError, match="line 34: repeats line 33") as caught:
        read_runs(path)
    lines = [problem.row for problem in caught.value.problems]
    where = f"index not in {lines}"
    assert where in str(caught.value)
    assert len(read_runs(path, where=where)) == 261 - len(lines) == 253
    deduplicated = pd.read_csv(path).drop_duplicates()
    assert len(read_runs(deduplicated)) == 253


def test_the_error_of_cerebras_gpt_names_the_tolerance_that_reads_it(real_data):
    path = real_data("cerebras_gpt.csv")
    columns = {"n_params": "n_params_label"}
    with pytest.raises(RunsError, match=r"flops_tolerance=0\.76"):
        read_runs(path, columns=columns)
    assert len(read_runs(path, columns=columns, flops_tolerance=0.76)) == 7


def test_curves_of_tokens_alone_are_read_and_laws_of_more_say_what_is_missing(real_data):
    runs = read_runs(real_data("colpret_curves.csv"), where="loss < 12 and tokens > 1e6")
    assert runs.sizes == ("tokens",)
    with pytest.raises(IdentifiabilityError, match="has tokens but no n_params"):
        check_identifiable(runs, Chinchilla())
