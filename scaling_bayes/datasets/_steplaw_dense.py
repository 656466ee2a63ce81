"""The learning-rate and batch-size grids of Step Law."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from scaling_bayes.datasets._published_table import Source, table_file, text_cells
from scaling_bayes.runs import Runs, read_runs

_PATH: Final = "data/dense_lr_bs_loss.csv"
_WHOLE: Final = {
    "N": "n_params_non_embedding",
    "D": "tokens",
    "bs": "batch_sequences",
    "ti": "iterations",
    "h": "hidden",
    "ffnh": "ffn_hidden",
    "numh": "heads",
    "numl": "layers",
}
_REAL: Final = {"smooth loss": "loss", "loss": "loss_raw", "lr": "lr"}
_COLUMNS: Final = (
    *("n_params_non_embedding", "tokens", "flops", "loss", "loss_raw", "lr"),
    *("batch_sequences", "iterations", "hidden", "ffn_hidden", "heads", "layers"),
)


def convert(files: Mapping[str, bytes]) -> pd.DataFrame:
    """Return the table from the grid of runs; `files` holds one CSV file."""
    cells = text_cells(files[_PATH])
    table = cells[list(_WHOLE)].astype(float).astype("int64").rename(columns=_WHOLE)
    table = table.join(cells[list(_REAL)].astype(float).rename(columns=_REAL))
    table["flops"] = 6.0 * table["n_params_non_embedding"] * table["tokens"]
    return table[list(_COLUMNS)]


SOURCE: Final = Source(
    name="steplaw_dense",
    repository="step-law/steplaw",
    commit="32a8f4cc50247695fb56cc6c9117abdf67c97763",
    paths=(_PATH,),
    sha256="7e5e84dd1771c57ae56b1c835e689269c6848ebd7459dc7536abcc3ff9592660",
    convert=convert,
)


def fetch_steplaw_dense() -> Runs:
    """Return 1911 runs over learning rate and batch size, and download them if needed.

    They are grids for 17 pairs of size and tokens of dense models. Most runs are badly tuned,
    and some diverged (loss up to 11): a law of loss takes the best run of each pair.

    Upstream counts no embeddings, so ``n_params`` is ``n_params_non_embedding``, which stays as
    well. Besides these, ``tokens``, ``flops`` (6 N D, computed) and ``loss`` (smoothed final
    training loss, nats per token), the columns are ``loss_raw`` (the last one logged), ``lr``
    (peak), ``batch_sequences`` (of 2048 tokens, per step), ``iterations``, ``hidden``,
    ``ffn_hidden``, ``heads`` and ``layers``.

    Licence: the repository step-law/steplaw states none.

    Returns
    -------
    Runs

    Raises
    ------
    RunsError
        If the table cannot be downloaded, or is not the one published. Without a network, let
        the environment variable ``SCALING_BAYES_DATA`` name a folder with ``steplaw_dense.csv``.

    References
    ----------
    Li et al. 2025, Predictable Scale: Part I, Step Law, arXiv 2503.04715.

    Examples
    --------
    >>> runs = fetch_steplaw_dense()  # doctest: +SKIP
    >>> best = runs.frame.groupby(["n_params", "tokens"])["loss"].idxmin()  # doctest: +SKIP
    >>> len(best)  # doctest: +SKIP
    17
    """
    return read_runs(table_file(SOURCE), columns={"n_params": "n_params_non_embedding"})
