"""The over-trained models of Gadre et al."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import PurePosixPath
from typing import Any, Final

import pandas as pd

from scaling_bayes.datasets._published_table import Source, table_file
from scaling_bayes.runs import Runs, read_runs

_SMALL: Final = ("d=1024_l=24_h=8", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=96_l=8_h=4")
_TRAINING_SETS: Final = ("c4_original", "rpj", "rw_original")
_CHINCHILLA_MULTIPLIERS: Final = ("0.25", "0.5", "1.0", "2.0", "4.0", "8.0", "16.0", "32.0")
_NOT_TRAINED: Final = "c4_original-d=1024_l=24_h=8-32.0"
_LARGE_RUNS: Final = (
    *("c4_original-open_lm_1b-1.0", "c4_original-open_lm_1b-4.0", "c4_original-open_lm_7b-1.0"),
    *("rpj-open_lm_1b-1.0", "rpj-open_lm_1b-32.0", "rpj-open_lm_7b-1.0"),
    *("rw_original-open_lm_1b-1.0", "rw_original-open_lm_1b-16.0", "rw_original-open_lm_7b-1.0"),
)
RUN_NAMES: Final = sorted(
    {"-".join(parts) for parts in product(_TRAINING_SETS, _SMALL, _CHINCHILLA_MULTIPLIERS)}
    - {_NOT_TRAINED}
    | set(_LARGE_RUNS)
)
"""The 104 runs, in the order of their files."""
_TOKENS_PER_PARAM: Final = 20
_DECIMALS: Final = 6


def _model_path(run: str) -> str:
    return f"exp_data/models/{run}.json"


def _evaluation_path(run: str) -> str:
    return f"exp_data/evals/evaluation_{run}_heavy.json"


def convert(files: Mapping[str, bytes]) -> pd.DataFrame:
    """Return the table from two JSON files a run: the model with its losses, and its tasks."""
    paths = map(PurePosixPath, files)
    runs = sorted(path.stem for path in paths if path.parent.name == "models")
    return pd.DataFrame(
        [
            _row(json.loads(files[_model_path(run)]), json.loads(files[_evaluation_path(run)]))
            for run in runs
        ]
    )


def _row(model: dict[str, Any], evaluation: dict[str, Any]) -> dict[str, Any]:
    how = model["hyperparameters"]
    results = {_validation_set(result): result for result in model["results"]}
    c4 = results["c4_val"]
    losses: dict[str, float] = {}
    for name, result in results.items():
        losses[f"loss_{name}"] = result["loss"]
        if result is c4:
            losses["loss_c4_val_lo95"] = c4["loss_sequences_lower_95"]
            losses["loss_c4_val_hi95"] = c4["loss_sequences_upper_95"]
    tasks = evaluation["eval_metrics"]["icl"]
    return {
        "run": model["name"],
        "n_params": how["params"],
        "n_params_non_embedding": how["params_no_embed"],
        "tokens": how["tokens"],
        "flops": 6 * how["params"] * how["tokens"],
        "loss": c4["loss"],
        "group": model["dataset_name"],
        "model": PurePosixPath(how["model"]).name.removesuffix(".json"),
        "token_multiplier": _TOKENS_PER_PARAM * how["chinchilla_multiplier"],
        "lr": how["lr"],
        "weight_decay": how["wd"],
        "batch_sequences": how["global_bs"],
        **losses,
        **{f"acc_{task}": round(accuracy, _DECIMALS) for task, accuracy in tasks.items()},
    }


def _validation_set(result: dict[str, Any]) -> str:
    """Return the name of the set: its folder, or of the folder de-en the file."""
    path = PurePosixPath(result["val_data"][0])
    return path.stem if path.parent.name == "de-en" else path.parent.name


SOURCE: Final = Source(
    name="gadre_overtraining",
    repository="mlfoundations/scaling",
    commit="a003c4913793ac2ae7ef87b28ecb562955d026d5",
    paths=(*map(_model_path, RUN_NAMES), *map(_evaluation_path, RUN_NAMES)),
    sha256="9d066fd2ce17729001b27b3f6c4bfb15cbee5b10fb3011bc95d68f12f79ce526",
    convert=convert,
)


def fetch_gadre_overtraining() -> Runs:
    """Return 104 models of 5 to 640 tokens per parameter, and download them if needed.

    They have 11M to 6.9B parameters and are trained on C4, RedPajama or RefinedWeb. The first
    call downloads 208 small files.

    Columns: ``run``, ``n_params``, ``n_params_non_embedding``, ``tokens``, ``flops`` (6 N D,
    computed), ``loss`` (that of ``loss_c4_val``, nats per token), ``group`` (training set),
    ``model``, ``token_multiplier`` (tokens per parameter), ``lr``, ``weight_decay``,
    ``batch_sequences`` (as upstream states it, even the 1 of the three runs of 6.9B parameters);
    ``loss_<set>`` on 8 validation sets, with ``loss_c4_val_lo95`` and ``loss_c4_val_hi95``, the
    95% interval over sequences; and ``acc_<task>``, the accuracy from 0 to 1 on 46 downstream
    tasks, rounded to 6 decimals.

    Licence: MIT, that of the repository mlfoundations/scaling.

    Returns
    -------
    Runs

    Raises
    ------
    RunsError
        If the table cannot be downloaded, or is not the one published. Without a network, let
        the environment variable ``SCALING_BAYES_DATA`` name a folder with
        ``gadre_overtraining.csv``.

    References
    ----------
    Gadre et al. 2024, Language models scale reliably with over-training and on downstream
    tasks, arXiv 2403.08540.

    Examples
    --------
    >>> fetch_gadre_overtraining().frame["group"].unique().tolist()  # doctest: +SKIP
    ['c4_original', 'rpj', 'rw_original']
    """
    return read_runs(table_file(SOURCE))
