"""Models trained on repeated data, by Muennighoff et al."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from scaling_bayes.datasets._published_table import Source, table_file
from scaling_bayes.runs import Runs, read_runs

_PATH: Final = "utils/parametric_fit.ipynb"
_CELL_OF_ALL_RUNS: Final = 1
_CELL_OF_FIT: Final = 25
_LOSSES: Final = "NAMES_TO_VAL_LOSSES"
_SIZES: Final = "PARAMS_MAP"

_TOKENS: Final = r"\d{1,3}b|\d{3}m|\db\d{1,2}"
_REST_OF_NAME: Final = re.compile(
    rf"(?P<tokens>{_TOKENS})(?P<unique>{_TOKENS})(?:c4)?(?P<variant>dedup|opt2?|v2)?"
    r"(?:seed(?P<seed>\d))?"
)
"""A name after the size: ``84b12bc4seed2`` is 84e9 tokens, 12e9 unique ones, seed 2."""


def convert(files: Mapping[str, bytes]) -> pd.DataFrame:
    """Return the table from the dictionaries of two cells; `files` holds one notebook."""
    cells = json.loads(files[_PATH])["cells"]
    of_all_runs, of_fit = (
        _literals("".join(cells[number]["source"])) for number in (_CELL_OF_ALL_RUNS, _CELL_OF_FIT)
    )
    return pd.DataFrame(
        [
            _row(run, loss, of_all_runs[_SIZES], fitted=run in of_fit[_LOSSES])
            for run, loss in of_all_runs[_LOSSES].items()
            if loss != 0  # upstream writes 0 for a run that is not finished
        ]
    )


def _literals(code: str) -> dict[str, Any]:
    """Return what names are set to, where that is a literal; nothing is executed."""
    return {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(code).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


def _row(run: str, loss: float, sizes: Mapping[str, float], *, fitted: bool) -> dict[str, Any]:
    size = next(code for code in sizes if run.startswith(code))
    rest = _REST_OF_NAME.fullmatch(run.removeprefix(size))
    if rest is None:
        raise ValueError(f"run {run!r} is not named <size><tokens><unique tokens><tags>")
    n_params = sizes[size]
    tokens, unique_tokens = (_count(rest[name]) for name in ("tokens", "unique"))
    return {
        "run": run,
        "n_params": n_params,
        "tokens": tokens,
        "unique_tokens": unique_tokens,
        "epochs": tokens / unique_tokens,
        "flops": 6 * n_params * tokens,
        "loss": loss,
        "seed": rest["seed"],
        "variant": rest["variant"],
        "in_published_fit": int(fitted),
        "source_cell": "all_runs",
    }


def _count(code: str) -> float:
    """Return tokens from upstream's short form: ``4b8`` is 4.8e9, ``100m`` is 100e6."""
    if code.endswith("m"):
        return float(code.removesuffix("m")) * 1e6
    return float(code.replace("b", ".")) * 1e9


SOURCE: Final = Source(
    name="datablations",
    repository="huggingface/datablations",
    commit="13701315b163f1c54642b94ad237b2699187c3ee",
    paths=(_PATH,),
    sha256="fe4aa4a35f722830c51d4ea6ea81d50e4785e1f7c0247ada4f2e0d768d7ba818",
    convert=convert,
)


def fetch_datablations() -> Runs:
    """Return 308 runs on repeated data, final loss on C4, and download them if needed.

    Some diverge (loss 5 to 11), as a large model was trained for long on few unique tokens. A
    law without a term for repetition is fitted to rows of one epoch, ``epochs <= 1``.

    Columns: ``run`` (upstream's name: size, tokens, unique tokens, tags), ``n_params``,
    ``tokens`` (seen in all), ``unique_tokens``, ``epochs`` (tokens / unique_tokens), ``flops``
    (6 N D, computed), ``loss`` (validation, nats per token), ``seed`` (1 to 4 or missing),
    ``variant`` (dedup, opt, opt2, v2 or missing), ``in_published_fit`` (1 = named in
    upstream's fitting cell, of which the fit leaves dedup out) and ``source_cell``. Size code
    25m stands for 35.5e6 parameters upstream, and here.

    Upstream publishes the numbers in the code of a notebook, of which only literals are read
    and nothing is run.

    Licence: Apache-2.0, that of the repository huggingface/datablations.

    Returns
    -------
    Runs

    Raises
    ------
    RunsError
        If the table cannot be downloaded, or is not the one published. Without a network, let
        the environment variable ``SCALING_BAYES_DATA`` name a folder with ``datablations.csv``.

    References
    ----------
    Muennighoff et al. 2023, Scaling Data-Constrained Language Models, arXiv 2305.16264.

    Examples
    --------
    >>> runs = fetch_datablations()  # doctest: +SKIP
    >>> len(runs.where("in_published_fit == 1 and variant != 'dedup'"))  # doctest: +SKIP
    182
    """
    return read_runs(table_file(SOURCE))
