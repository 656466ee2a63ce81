"""Dense and routed language models of Clark et al."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Final

import pandas as pd

from scaling_bayes.datasets._published_table import Source, table_file, text_cells

_PATH: Final = "data/curves.csv.gz"
_RENAMED: Final = {
    "dense_parameter_count": "n_params",
    "total_parameter_count": "n_params_total",
    "router_type": "group",
    "loss_validation": "loss",
}
_LOSSES: Final = (
    *("loss", "loss_c4", "loss_curation_corpus", "loss_lambada", "loss_pile"),
    "loss_wikitext103",
)
_COLUMNS: Final = (
    *("n_params", "n_params_total", "num_experts", "group", "step", "is_final"),
    *_LOSSES,
    *("k", "routing_frequency", "flop_increase", "flops_per_step", "d_model", "num_blocks"),
    *("num_heads", "kqv_size", "seed", "model_size_label", "hyper_id"),
)
_REAL: Final = (*_LOSSES, "routing_frequency", "flop_increase", "flops_per_step")
_TEXT: Final = ("group", "model_size_label")
_DECIMALS: Final = 6


def convert(files: Mapping[str, bytes]) -> pd.DataFrame:
    """Return the table from the curves; `files` holds one gzipped CSV file."""
    table = text_cells(gzip.decompress(files[_PATH])).rename(columns=_RENAMED)
    for name in set(_COLUMNS) - {*_TEXT, "is_final"}:
        number = table[name].astype(float)
        table[name] = number if name in _REAL else number.astype("int64")
    table = table[table["step"] > 0].sort_values(["hyper_id", "step"])
    last = table.groupby("hyper_id")["step"].transform("max")
    table["is_final"] = (table["step"] == last).astype(int)
    table[list(_LOSSES)] = table[list(_LOSSES)].round(_DECIMALS)
    return table[list(_COLUMNS)].drop_duplicates()


SOURCE: Final = Source(
    name="clark_routed",
    repository="google-deepmind/scaling_laws_for_routing",
    commit="42da0c392b127df2c01fa7b705f72396050d05e5",
    paths=(_PATH,),
    sha256="a27684a2f802b0155bc43ada2b8598ea2a36536802facdebb2fb36af789c81c4",
    convert=convert,
)


def fetch_clark_routed() -> pd.DataFrame:
    """Return the curves of 223 dense and mixture-of-experts models, downloaded if needed.

    A row is a checkpoint, every 10,000 steps. It is a data frame, not `Runs`: upstream says
    neither tokens nor the FLOPs of training, and 8 rows lack a loss. If you know the tokens per
    step, drop those rows, add a column ``tokens``, and give the table to `read_runs`.

    Columns: ``n_params`` (parameters that one token sees), ``n_params_total`` (of all experts),
    ``num_experts``, ``group`` (Dense, S-Base, RL-R or Hash), ``step``, ``is_final`` (1 = last
    checkpoint, which the paper's laws use), ``loss`` (validation) and its like on five other
    sets, ``loss_c4``, ``loss_curation_corpus``, ``loss_lambada``, ``loss_pile`` and
    ``loss_wikitext103`` (all in nats per token, rounded to 6 decimals), ``k`` (experts per
    token), ``routing_frequency`` (share of blocks that are routed), ``flop_increase``,
    ``flops_per_step`` (forward pass, estimated), ``d_model``, ``num_blocks``, ``num_heads``,
    ``kqv_size``, ``seed``, ``model_size_label`` and ``hyper_id`` (the model).

    Licence: the repository google-deepmind/scaling_laws_for_routing gives its data under
    CC-BY 4.0.

    Returns
    -------
    pandas.DataFrame
        5576 rows and 23 columns.

    Raises
    ------
    RunsError
        If the table cannot be downloaded, or is not the one published. Without a network, let
        the environment variable ``SCALING_BAYES_DATA`` name a folder with ``clark_routed.csv``.

    References
    ----------
    Clark et al. 2022, Unified Scaling Laws for Routed Language Models, arXiv 2202.01169.

    Examples
    --------
    >>> curves = fetch_clark_routed()  # doctest: +SKIP
    >>> len(curves.query("is_final == 1"))  # doctest: +SKIP
    223
    """
    return pd.read_csv(table_file(SOURCE))
