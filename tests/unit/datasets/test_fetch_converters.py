"""Converters of upstream files, on hand-made input of the same form."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import pickle

import numpy as np
import pandas as pd
import pytest

from scaling_bayes.datasets import (
    _chinchilla_fig4,
    _clark_routed,
    _datablations,
    _gadre_overtraining,
    _porian_isoflop,
    _published_table,
    _steplaw_dense,
)


def lines_of(module, files):
    return _published_table.csv_text(module.convert(files)).decode().splitlines()


def test_chinchilla_leaves_out_the_fifth_largest_loss_and_those_that_equal_it():
    losses = ["2.0", "9.0", "3.1000000000000001", "8", "7", "6", "3.1", "3.0999999999999996"]
    rows = [f"1.5,{n}.25,#abc,{n}e9,{n}e19,#00ff0{n},{loss}" for n, loss in enumerate(losses, 1)]
    text = "\n".join(["x,y,color,Model Size,Training FLOP,hex_color,loss", *rows])
    lines = lines_of(_chinchilla_fig4, {"data/svg_extracted_data.csv": text.encode()})
    assert lines[:2] == [
        "n_params,tokens,flops,loss,svg_x,svg_y,svg_hex_color,besiroglu_included",
        "1000000000.0,1666666666.6666667,1e+19,2.0,1.5,1.25,#00ff01,1",
    ]
    assert [line[-1] for line in lines[1:]] == list("10000001")


def test_steplaw_renames_counts_flops_in_floats_and_keeps_the_order():
    text = (
        "D_N,h,ffnh,numh,numl,lr,bs,exp_name,D,N,ti,loss,smooth loss\n"
        "465.8,960,9368,15,7,0.0003453,736,a,100000000000,214663680,66342,2.413517,2.3976109618296744\n"
        "1,1280,9472,10,10,0.005524,64.0,b,50000000000,429260800,33171,11.09,10.5\n"
    )
    assert lines_of(_steplaw_dense, {"data/dense_lr_bs_loss.csv": text.encode()}) == [
        "n_params_non_embedding,tokens,flops,loss,loss_raw,lr,batch_sequences,iterations,hidden,"
        "ffn_hidden,heads,layers",
        "214663680,100000000000,1.28798208e+20,2.3976109618296744,2.413517,0.0003453,736,66342,960,"
        "9368,15,7",
        "429260800,50000000000,1.2877824e+20,10.5,11.09,0.005524,64,33171,1280,9472,10,10",
    ]


def test_clark_drops_step_0_and_repetitions_marks_the_last_step_and_rounds():
    columns = (
        "hyper_id,step,router_type,num_experts,k,routing_frequency,flop_increase,d_model,num_blocks,"
        "num_heads,kqv_size,seed,total_parameter_count,dense_parameter_count,flops_per_step,"
        "model_size_label,loss_validation,loss_c4,loss_curation_corpus,loss_lambada,loss_pile,"
        "loss_wikitext103"
    )
    dense = "Dense,1,1,0.5,1.0,64,2,1,64,42,1000,1000,556775937933312.0,15M"
    routed = "S-Base,8,1,0.08333333,1.0,64,2,1,64,42,5000,1000,4.5e13,15M"
    rows = [
        f"10,20000,{routed},2.5,,2,2,2,2",
        f"9,20000,{dense},,3,2,2,2,2",
        f"9,10000,{dense},2.8755054999,3,2,2,2,2",
        f"10,0,{routed},11,11,11,11,11,11",
        f"10,10000,{routed},2.7,3,2,2,2,2",
        f"10,10000,{routed},2.7,3,2,2,2,2",
    ]
    content = gzip.compress("\n".join([columns, *rows]).encode())
    lines = lines_of(_clark_routed, {"data/curves.csv.gz": content})
    assert lines[0] == (
        "n_params,n_params_total,num_experts,group,step,is_final,loss,loss_c4,loss_curation_corpus,"
        "loss_lambada,loss_pile,loss_wikitext103,k,routing_frequency,flop_increase,flops_per_step,"
        "d_model,num_blocks,num_heads,kqv_size,seed,model_size_label,hyper_id"
    )
    dense, routed = "1,0.5,1.0,556775937933312.0", "1,0.08333333,1.0,45000000000000.0"
    end = "64,2,1,64,42,15M"
    assert lines[1:] == [
        f"1000,1000,1,Dense,10000,0,2.875505,3.0,2.0,2.0,2.0,2.0,{dense},{end},9",
        f"1000,1000,1,Dense,20000,1,,3.0,2.0,2.0,2.0,2.0,{dense},{end},9",
        f"1000,5000,8,S-Base,10000,0,2.7,3.0,2.0,2.0,2.0,2.0,{routed},{end},10",
        f"1000,5000,8,S-Base,20000,1,2.5,,2.0,2.0,2.0,2.0,{routed},{end},10",
    ]


def gadre_files(run, *, model, accuracy):
    sets = (
        "val_tok_mult/openlm/shard_0.tar",
        "c4_val/shard-{0..10}.tar",
        "de-en/val_de-en_100.tar",
    )
    model = {
        "name": run,
        "dataset_name": run.split("-")[0],
        "hyperparameters": {
            "model": model,
            "tokens": 137788211200,
            "lr": 0.0003,
            "wd": 0.33,
            "global_bs": 512,
            "params": 6889410560,
            "params_no_embed": 6682841088,
            "chinchilla_multiplier": 0.25,
        },
        "results": [
            {
                "loss": loss,
                "loss_sequences_lower_95": loss - 0.5,
                "loss_sequences_upper_95": loss + 0.5,
                "loss_tokens_lower_95": 0.0,
                "val_data": [f"training/eval_data/{path}"],
            }
            for loss, path in enumerate(sets, 2)
        ],
    }
    tasks = {"eval_metrics": {"icl": {"boolq": accuracy, "arc_easy": 0.0}}}
    return {
        f"exp_data/models/{run}.json": json.dumps(model).encode(),
        f"exp_data/evals/evaluation_{run}_heavy.json": json.dumps(tasks).encode(),
    }


def test_gadre_puts_two_files_in_a_row_in_the_order_of_the_runs():
    files = {
        **gadre_files("rpj-b-0.25", model="training/configs/d=96_l=8_h=4.json", accuracy=1 / 3),
        **gadre_files("c4_original-a-0.25", model="open_lm_7b", accuracy=0.20000000298),
    }
    sizes = "6889410560,6682841088,137788211200,5695677343708741632000"
    rest = "5.0,0.0003,0.33,512,2,3,2.5,3.5,4"
    assert lines_of(_gadre_overtraining, files) == [
        "run,n_params,n_params_non_embedding,tokens,flops,loss,group,model,token_multiplier,lr,"
        "weight_decay,batch_sequences,loss_openlm,loss_c4_val,loss_c4_val_lo95,loss_c4_val_hi95,"
        "loss_val_de-en_100,acc_boolq,acc_arc_easy",
        f"c4_original-a-0.25,{sizes},3,c4_original,open_lm_7b,{rest},0.2,0.0",
        f"rpj-b-0.25,{sizes},3,rpj,d=96_l=8_h=4,{rest},0.333333,0.0",
    ]


def test_gadre_has_104_runs():
    runs = _gadre_overtraining.RUN_NAMES
    assert len(runs) == len(set(runs)) == 104
    assert len(_gadre_overtraining.SOURCE.paths) == 208
    assert runs == sorted(runs)


def notebook(*, runs, fitted):
    sizes = "PARAMS_MAP = {'25m': 35.5E+06, '2b8': 2.81E+09, '4b2': 4.2465E+09}"
    trap = "raise SystemExit('the notebook was executed')"
    cells = [{"source": []} for _ in range(26)]
    cells[1]["source"] = [f"{trap}\n", f"NAMES_TO_VAL_LOSSES = {runs}\n", f"{sizes}\n"]
    cells[25]["source"] = [f"NAMES_TO_VAL_LOSSES = {fitted}"]
    cells[7]["source"] = ["!wget not python"]
    return {"utils/parametric_fit.ipynb": json.dumps({"cells": cells}).encode()}


def test_datablations_reads_names_and_skips_what_is_unfinished_or_a_comment():
    runs = """{
        "25m400m100m": 5.799587E+00, # optimal one
        "2b84b84b8": 3.2,
        # "2b855b9bsubopt": 2.632432E+00,
        "2b855b1b25c4seed3": 3.425154E+00,
        "2b836b400m": 0,
        "4b284b12bc4opt2": 2.520537E+00,
        "4b284b84bc4v2seed1": 2.464149E+00,
        "2b8178b178bdedup": 1.087606E+01,
        "2b82b72b7": 2.5,
    }"""
    fitted = '{"2b84b84b8": 3.2, "2b836b400m": 0, "2b8178b178bdedup": 10.9}'
    assert lines_of(_datablations, notebook(runs=runs, fitted=fitted)) == [
        "run,n_params,tokens,unique_tokens,epochs,flops,loss,seed,variant,in_published_fit,source_cell",
        "25m400m100m,35500000.0,400000000.0,100000000.0,4.0,8.52e+16,5.799587,,,0,all_runs",
        "2b84b84b8,2810000000.0,4800000000.0,4800000000.0,1.0,8.0928e+19,3.2,,,1,all_runs",
        "2b855b1b25c4seed3,2810000000.0,55000000000.0,1250000000.0,44.0,9.273e+20,3.425154,3,,0,"
        "all_runs",
        "4b284b12bc4opt2,4246500000.0,84000000000.0,12000000000.0,7.0,2.140236e+21,2.520537,,opt2,0,"
        "all_runs",
        "4b284b84bc4v2seed1,4246500000.0,84000000000.0,84000000000.0,1.0,2.140236e+21,2.464149,1,v2,"
        "0,all_runs",
        "2b8178b178bdedup,2810000000.0,178000000000.0,178000000000.0,1.0,3.00108e+21,10.87606,,dedup,"
        "1,all_runs",
        "2b82b72b7,2810000000.0,2700000000.0,2700000000.0,1.0,4.5522e+19,2.5,,,0,all_runs",
    ]


def test_datablations_does_not_guess_at_a_name_of_another_form():
    files = notebook(runs='{"2b84bperplexity25": 2.7}', fitted="{}")
    with pytest.raises(ValueError, match="2b84bperplexity25"):
        _datablations.convert(files)


def test_datablations_evaluates_literals_only():
    files = notebook(runs="__import__('os').environ", fitted="{}")
    with pytest.raises(ValueError, match="malformed node"):
        _datablations.convert(files)


def porian_summary(dataset, *, levels):
    data = pd.DataFrame(levels, dtype=object)
    data.columns = data.columns.astype(object)
    setting = {
        "dataset": dataset,
        "hparams": "base",
        "warmup": "long",
        "decay": "kaplan",
        "param_count": "standard",
        "val": "val",
        "optimal_pairs": data,
        "fit_results": {"basic": {"n_exponent": np.float64(0.5)}},
        "data": data,
        "max_loss": np.float64(6.0),
    }
    summary = pd.DataFrame([setting], dtype=object)
    summary.columns = summary.columns.astype(object)
    return summary


def porian_level(flops, n_params):
    sizes = pd.Series(n_params)
    loss = 2 + 1 / sizes.astype(float)
    return {
        "n_interp": np.geomspace(1, 2, 3),
        "flops": flops,
        "orig_n": sizes,
        "orig_t": flops / (6 * sizes),
        "orig_loss": loss,
        "n_star_std": np.float64(0.1),
    }


def porian_files(pickled):
    """Return the four upstream files, of which the last two have the same settings."""
    few = {"n_interp": None, "flops": 1e15}  # a level of fewer than three models
    summaries = [
        porian_summary("rw", levels=[few, porian_level(1.25e16, [4.0, 2.0])]),
        porian_summary("owt2", levels=[porian_level(2.5e16, [8])]),
        porian_summary("rw", levels=[porian_level(5e16, [8.0])]),
        porian_summary("rw", levels=[porian_level(1e17, [8.0])]),
    ]
    contents = [lzma.compress(pickled(summary)) for summary in summaries]
    return dict(zip(_porian_isoflop.SOURCE.paths, contents, strict=True))


def pickled_today(summary):
    return pickle.dumps(summary, protocol=5)


def pickled_by_old_versions(summary):
    """Pickle as pandas 1.5 and numpy 1.23 did, which upstream names as its requirements."""
    content = pickle.dumps(summary, protocol=3)
    for new, old in (
        (b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"),
        (b"cpandas\nDataFrame\n", b"cpandas.core.frame\nDataFrame\n"),
        (b"cpandas\nSeries\n", b"cpandas.core.series\nSeries\n"),
        (b"cpandas\nRangeIndex\n", b"cpandas.core.indexes.range\nRangeIndex\n"),
        (b"cpandas\nIndex\n", b"cpandas.core.indexes.base\nIndex\n"),
    ):
        assert content.count(new), new
        content = content.replace(new, old)
    return content


@pytest.mark.parametrize("pickled", [pickled_today, pickled_by_old_versions])
def test_porian_gives_the_points_of_every_level_that_has_some(pickled):
    """The true pickles could not be had: their form is that of upstream's code, written here."""
    settings = "|base|long|kaplan", "base,long,kaplan,standard,val"
    rw, owt2 = (f"{name}{settings[0]},{name},{settings[1]}" for name in ("rw", "owt2"))
    assert lines_of(_porian_isoflop, porian_files(pickled)) == [
        "n_params,tokens,flops,loss,group,dataset,hparams,warmup,decay,param_count,loss_split,"
        "source_file",
        f"4.0,520833333333333.3,1.25e+16,2.25,{rw},summary_df",
        f"2.0,1041666666666666.6,1.25e+16,2.5,{rw},summary_df",
        f"8.0,520833333333333.3,2.5e+16,2.125,{owt2},summary_df_owt2",
        f"8.0,1041666666666666.6,5e+16,2.125,{rw},summary_df_att",
        f"8.0,2083333333333333.2,1e+17,2.125,{rw},summary_df_kaplan_tuned_hparams",
    ]


class Malicious:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.mkdir, ("made",)),
        (eval, ("__import__('os').mkdir('made')",)),
        (getattr, ("x", "loads")),
        (pd.read_pickle, ("made",)),
        (np.load, ("made",)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_porian_refuses_a_pickle_that_asks_for_more_than_data_frames(
    function, arguments, protocol, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps(Malicious(function, *arguments), protocol=protocol)
    files = dict.fromkeys(_porian_isoflop.SOURCE.paths, lzma.compress(content))
    with pytest.raises(pickle.UnpicklingError, match=rf"asks for .*{function.__name__}"):
        _porian_isoflop.convert(files)
    assert not os.listdir(tmp_path)
