"""Fetched tables equal the published ones, and converters give them back byte for byte.

The true files of upstream are not here. Upstream's form is rebuilt from the published tables,
which shows that a converter restores names, types, order and text of every row; not that the
true files have this form. A fetch checks that by the hash of what it has converted.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import pickle

import numpy as np
import pandas as pd
import pytest

from scaling_bayes import datasets
from scaling_bayes.datasets import (
    _chinchilla_fig4,
    _clark_routed,
    _datablations,
    _gadre_overtraining,
    _porian_isoflop,
    _published_table,
    _steplaw_dense,
)
from scaling_bayes.runs import Runs


@pytest.mark.parametrize(
    ("name", "n_rows"),
    [
        ("chinchilla_fig4", 245),
        ("clark_routed", 5576),
        ("datablations", 308),
        ("gadre_overtraining", 104),
        ("porian_isoflop", 1745),
        ("steplaw_dense", 1911),
    ],
)
def test_fetched_tables_are_the_published_ones(real_data, monkeypatch, name, n_rows):
    path = real_data(f"{name}.csv")
    monkeypatch.setenv("SCALING_BAYES_DATA", str(path.parent))
    fetched = getattr(datasets, f"fetch_{name}")()
    frame = fetched.frame if isinstance(fetched, Runs) else fetched
    published = pd.read_csv(path, dtype={"flops": float})
    assert len(frame) == n_rows
    assert set(frame) - set(published) <= {"weight", "n_params"}
    for column in published:
        ours, theirs = (table[column].convert_dtypes() for table in (frame, published))
        pd.testing.assert_series_equal(ours, theirs, check_exact=True)


def test_step_law_has_the_size_that_upstream_counts(real_data, monkeypatch):
    monkeypatch.setenv("SCALING_BAYES_DATA", str(real_data("steplaw_dense.csv").parent))
    frame = datasets.fetch_steplaw_dense().frame
    assert (frame["n_params"] == frame["n_params_non_embedding"]).all()


def chinchilla_files(table):
    names = {"n_params": "Model Size", "flops": "Training FLOP", "svg_x": "x", "svg_y": "y"}
    points = table.rename(columns={**names, "svg_hex_color": "hex_color"})
    points = points.assign(color=points["hex_color"]).drop(columns=["tokens", "besiroglu_included"])
    return {"data/svg_extracted_data.csv": points.to_csv(index=False).encode()}


def steplaw_files(table):
    names = {
        "n_params_non_embedding": "N",
        "tokens": "D",
        "loss": "smooth loss",
        "loss_raw": "loss",
        "batch_sequences": "bs",
        "iterations": "ti",
        "hidden": "h",
        "ffn_hidden": "ffnh",
        "heads": "numh",
        "layers": "numl",
    }
    grid = table.drop(columns="flops").rename(columns=names)
    return {"data/dense_lr_bs_loss.csv": grid.to_csv(index=False).encode()}


def clark_files(table):
    names = {
        "n_params": "dense_parameter_count",
        "n_params_total": "total_parameter_count",
        "group": "router_type",
        "loss": "loss_validation",
    }
    untrained = table[table["step"] == "10000"].assign(step="0")
    curves = pd.concat([untrained, table]).drop(columns="is_final").rename(columns=names)
    shuffled = curves.sample(frac=1, random_state=1)
    return {"data/curves.csv.gz": gzip.compress(shuffled.to_csv(index=False).encode())}


def gadre_files(table):
    folders = {"c4_val": "c4_val/shard-{0..10}.tar", "val_de-en_100": "de-en/val_de-en_100.tar"}
    files = {}
    for row in table.to_dict("records"):
        ends = {"loss_sequences_lower_95": "lo95", "loss_sequences_upper_95": "hi95"}
        interval = {key: float(row[f"loss_c4_val_{end}"]) for key, end in ends.items()}
        sets = [name for name in row if name.startswith("loss_") and not name.endswith("95")]
        model = {
            "name": row["run"],
            "dataset_name": row["group"],
            "hyperparameters": {
                "model": f"training/open_lm_configs/{row['model']}.json",
                "params": int(row["n_params"]),
                "params_no_embed": int(row["n_params_non_embedding"]),
                "tokens": int(row["tokens"]),
                "lr": float(row["lr"]),
                "wd": float(row["weight_decay"]),
                "global_bs": int(row["batch_sequences"]),
                "chinchilla_multiplier": float(row["token_multiplier"]) / 20,
            },
            "results": [
                {
                    "loss": float(row[name]),
                    "val_data": [folders.get(name[5:], f"{name[5:]}/00000001.tar")],
                    **interval,
                }
                for name in sets
            ],
        }
        tasks = {name[4:]: float(row[name]) for name in row if name.startswith("acc_")}
        files[f"exp_data/models/{row['run']}.json"] = json.dumps(model).encode()
        files[f"exp_data/evals/evaluation_{row['run']}_heavy.json"] = json.dumps(
            {"eval_metrics": {"icl": tasks}}
        ).encode()
    assert set(files) == set(_gadre_overtraining.SOURCE.paths)
    return files


def porian_files(table):
    numbers = ["n_params", "tokens", "flops", "loss"]
    table = table.astype(dict.fromkeys(numbers, float))
    labels = ["dataset", "hparams", "warmup", "decay", "param_count", "loss_split"]
    files = {}
    for name, rows in table.groupby("source_file", sort=False):
        settings = []
        for values, points in rows.groupby(labels, sort=False):
            levels = [{"n_interp": None, "flops": 1e15}]
            for flops, level in points.groupby("flops", sort=False):
                n, t, loss = (
                    level[column].reset_index(drop=True)
                    for column in ("n_params", "tokens", "loss")
                )
                levels.append({"flops": flops, "orig_n": n, "orig_t": t, "orig_loss": loss})
            data = pd.DataFrame(levels, dtype=object)
            data.columns = data.columns.astype(object)
            setting = dict(zip(labels, values, strict=True))
            setting["val"] = setting.pop("loss_split")
            settings.append({**setting, "data": data, "max_loss": np.float64(6.0)})
        summary = pd.DataFrame(settings, dtype=object)
        summary.columns = summary.columns.astype(object)
        files[f"data/{name}.pickle.xz"] = lzma.compress(pickle.dumps(summary), preset=0)
    return files


def datablations_files(table):
    sizes = {
        "7m": 7.098752e06,
        "14m": 1.41e07,
        "20m": 19.703712e06,
        "25m": 35.5e06,
        "44m": 4.4e07,
        "83m": 8.27e07,
        "146m": 1.465e08,
        "196m": 201.236224e06,
        "220m": 2.205e08,
        "221m": 2.205e08,
        "280m": 2.81e08,
        "421m": 4.212e08,
        "574m": 573.7e06,
        "619m": 6.187e08,
        "1b1": 1.0963e09,
        "1b5": 1.5173e09,
        "2b2": 2.160013824e09,
        "2b8": 2.81e09,
        "3b8": 3.581186048e09,
        "3b9": 3.89971072e09,
        "4b2": 4.2465e09,
        "8b7": 8.67e09,
    }
    losses = dict(zip(table["run"], table["loss"].astype(float), strict=True))
    fitted = table.loc[table["in_published_fit"] == "1", "run"]
    unfinished = {"3b926b400m": 0}
    cells = [{"source": []} for _ in range(26)]
    cells[1]["source"] = [f"NAMES_TO_VAL_LOSSES = {losses | unfinished}\nPARAMS_MAP = {sizes}"]
    cells[25]["source"] = [f"NAMES_TO_VAL_LOSSES = {dict.fromkeys(fitted, 2.0) | unfinished}"]
    return {"utils/parametric_fit.ipynb": json.dumps({"cells": cells}).encode()}


@pytest.mark.parametrize(
    ("module", "upstream"),
    [
        (_chinchilla_fig4, chinchilla_files),
        (_clark_routed, clark_files),
        (_datablations, datablations_files),
        (_gadre_overtraining, gadre_files),
        (_porian_isoflop, porian_files),
        (_steplaw_dense, steplaw_files),
    ],
    ids=lambda value: value.SOURCE.name if hasattr(value, "SOURCE") else "",
)
def test_converters_give_back_the_published_bytes(real_data, module, upstream):
    path = real_data(f"{module.SOURCE.name}.csv")
    files = upstream(pd.read_csv(path, dtype=str, keep_default_na=False))
    content = _published_table.csv_text(module.convert(files))
    assert content == path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == module.SOURCE.sha256
