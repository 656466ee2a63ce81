"""The IsoFLOP points of Porian et al."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import pandas as pd

from scaling_bayes.datasets._published_table import Source, table_file
from scaling_bayes.runs import Runs, read_runs

_PATHS: Final = (
    "data/summary_df.pickle.xz",
    "data/summary_df_owt2.pickle.xz",
    "data/summary_df_att.pickle.xz",
    "data/summary_df_kaplan_tuned_hparams.pickle.xz",
)
_GROUPED_BY: Final = ("dataset", "hparams", "warmup", "decay")

_ALLOWED: Final[dict[tuple[str, str], tuple[str, str]]] = {
    **{
        (module, name): (module, name)
        for module, name in (
            ("builtins", "slice"),
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "scalar"),
            ("numpy._core.numeric", "_frombuffer"),
            ("pandas", "DataFrame"),
            ("pandas", "Index"),
            ("pandas", "RangeIndex"),
            ("pandas", "Series"),
            ("pandas._libs.internals", "_unpickle_block"),
            ("pandas.core.frame", "DataFrame"),
            ("pandas.core.indexes.base", "Index"),
            ("pandas.core.indexes.base", "_new_Index"),
            ("pandas.core.indexes.range", "RangeIndex"),
            ("pandas.core.internals.managers", "BlockManager"),
            ("pandas.core.internals.managers", "SingleBlockManager"),
            ("pandas.core.series", "Series"),
        )
    },
    ("numpy.core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"): ("numpy._core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"): ("numpy._core.numeric", "_frombuffer"),
    ("pandas.core.indexes.numeric", "Float64Index"): ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.numeric", "Int64Index"): ("pandas.core.indexes.base", "Index"),
    ("pandas.core.internals.blocks", "new_block"): ("pandas._libs.internals", "_unpickle_block"),
}
"""What a pickled data frame of numbers and text is made of, and where it is today."""


class _FrameUnpickler(pickle.Unpickler):
    """Imports what data frames are made of, and refuses anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the allowed objects."""
        try:
            place = _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}") from None
        return super().find_class(*place)


def convert(files: Mapping[str, bytes]) -> pd.DataFrame:
    """Return the table from the summaries of experiments; `files` holds pickles in xz."""
    import lzma

    levels = []
    for path in _PATHS:
        summary = _FrameUnpickler(io.BytesIO(lzma.decompress(files[path]))).load()
        name = PurePosixPath(path).name.removesuffix(".pickle.xz")
        for _, setting in summary.iterrows():
            levels += [
                _points(level, setting).assign(source_file=name)
                for _, level in setting["data"].iterrows()
                if isinstance(level["orig_n"], pd.Series)  # levels of too few models have none
            ]
    return pd.concat(levels, ignore_index=True)


def _points(level: pd.Series, setting: pd.Series) -> pd.DataFrame:
    """Return the models at one level of compute in one setting."""
    return pd.DataFrame(
        {
            "n_params": level["orig_n"].astype(float),
            "tokens": level["orig_t"].astype(float),
            "flops": float(level["flops"]),
            "loss": level["orig_loss"].astype(float),
            "group": "|".join(setting[name] for name in _GROUPED_BY),
            **{name: setting[name] for name in (*_GROUPED_BY, "param_count")},
            "loss_split": setting["val"],
        }
    )


SOURCE: Final = Source(
    name="porian_isoflop",
    repository="formll/resolving-scaling-law-discrepancies",
    commit="0dc60d91b8a525858a3067fc9e4a46ff5374cc6f",
    paths=_PATHS,
    sha256="b4be76da27e270eafdfffeab4d969b4ee8669a38cdbae386ab8adf3d89243895",
    convert=convert,
)


def fetch_porian_isoflop() -> Runs:
    """Return 1745 IsoFLOP points of 15 experiments, and download them if needed.

    Each experiment has 11 or 12 levels of compute, 1.25e16 times a power of 2. It is one
    combination of ``group``, ``param_count`` and ``loss_split``: choose one by `Runs.where`
    before a fit. A model gives points at several levels, so these are correlated.

    Columns: ``n_params`` (counted as ``param_count`` says), ``tokens`` (flops / (6 n_params)),
    ``flops``, ``loss`` (nats per token), ``group`` (``dataset|hparams|warmup|decay``),
    ``dataset`` (rw = RefinedWeb, owt2 = OpenWebText2), ``hparams`` (base or tuned), ``warmup``
    (long or short), ``decay`` (kaplan, chinchilla or const), ``param_count`` (kaplan: without
    the output layer; standard: with it; attention: with the FLOPs of attention too),
    ``loss_split`` (train: smoothed training loss; val: validation loss) and ``source_file``.

    Upstream publishes pickles, whose own hashes are not known here. What they may import is
    restricted to what data frames are made of, which stops a pickle that names other code; it
    is no defence against one that is crafted to corrupt memory. Trust rests on the commit and on
    HTTPS. To load none at all, use the converted table, below.

    Licence: MIT, that of the repository formll/resolving-scaling-law-discrepancies.

    Returns
    -------
    Runs

    Raises
    ------
    RunsError
        If the table cannot be downloaded, or is not the one published. Without a network, let
        the environment variable ``SCALING_BAYES_DATA`` name a folder with ``porian_isoflop.csv``.

    References
    ----------
    Porian et al. 2024, Resolving Discrepancies in Compute-Optimal Scaling of Language Models,
    arXiv 2406.19146.

    Examples
    --------
    >>> runs = fetch_porian_isoflop()  # doctest: +SKIP
    >>> len(runs.where("group == 'rw|tuned|short|const' and loss_split == 'val'"))  # doctest: +SKIP
    121
    """
    return read_runs(table_file(SOURCE))
