"""The Chinchilla runs of Figure 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from scaling_bayes.datasets._published_table import Source, table_file, text_cells
from scaling_bayes.runs import Runs, read_runs

_PATH: Final = "data/svg_extracted_data.csv"
_N_LEFT_OUT: Final = 5


def convert(files: Mapping[str, bytes]) -> pd.DataFrame:
    """Return the table from the points of the figure; `files` holds one CSV file."""
    points = text_cells(files[_PATH])
    size, flops, loss, x, y = (
        points[name].astype(float) for name in ("Model Size", "Training FLOP", "loss", "x", "y")
    )
    return pd.DataFrame(
        {
            "n_params": size,
            "tokens": flops / (6 * size),
            "flops": flops,
            "loss": loss,
            "svg_x": x,
            "svg_y": y,
            "svg_hex_color": points["hex_color"],
            "besiroglu_included": (loss < loss.nlargest(_N_LEFT_OUT).iloc[-1]).astype(int),
        }
    )


SOURCE: Final = Source(
    name="chinchilla_fig4",
    repository="epoch-research/analyzing-chinchilla",
    commit="92258837425e1b5f2851d624287f0120583a3d0e",
    paths=(_PATH,),
    sha256="a7ea07f197360f8fecf422930c23f2a30d0016f4568a6e841a3fc5d672b4c911",
    convert=convert,
)


def fetch_chinchilla_fig4() -> Runs:
    """Return 245 Chinchilla runs, read off Figure 4 of the paper, and download them if needed.

    They were recovered from the figure's vector graphic: size and compute from the axes, loss
    from the colour, so that loss has a rounding noise of about 0.01 nats.

    Besides ``n_params`` (with embeddings), ``tokens`` (flops / (6 n_params)), ``flops`` and
    ``loss`` (nats per token), the columns are ``svg_x``, ``svg_y`` and ``svg_hex_color`` (the
    point in the graphic), and ``besiroglu_included``: 1 for the 240 runs that the refit of
    Besiroglu et al. uses, 0 for the 5 of the largest losses.

    Licence: the repository epoch-research/analyzing-chinchilla states none.

    Returns
    -------
    Runs

    Raises
    ------
    RunsError
        If the table cannot be downloaded, or is not the one published. Without a network, let
        the environment variable ``SCALING_BAYES_DATA`` name a folder with ``chinchilla_fig4.csv``.

    References
    ----------
    Hoffmann et al. 2022, Training Compute-Optimal Large Language Models, arXiv 2203.15556.
    Besiroglu et al. 2024, Chinchilla Scaling: A replication attempt, arXiv 2404.10102.

    Examples
    --------
    >>> len(fetch_chinchilla_fig4())  # doctest: +SKIP
    245
    """
    return read_runs(table_file(SOURCE))
