"""Rows that tell of a law one by one, from a table in which some belong together."""

from __future__ import annotations

import warnings

from scaling_bayes.errors import RunsWarning
from scaling_bayes.noise import Noise, by_size
from scaling_bayes.runs import Runs, run_column


def independent(runs: Runs, noise: Noise, *apart: str) -> tuple[Runs, Noise]:
    """Return one row a size at the end of training, and the noise that these rows have.

    Rows before the end of a run share its luck, and runs of one size share what the size has, so
    that neither tells of the law as another size does.

    Parameters
    ----------
    runs : Runs
        The table.
    noise : Noise
        The noise of single runs. One of your own stays, and so do rows of one size.
    *apart : str
        Columns that tell sizes apart beside those of `Runs.means_by_size`.

    Returns
    -------
    Runs, Noise
        As they came where every row is a run of a size of its own.

    Warns
    -----
    RunsWarning
        If rows before the end of runs are left out.
    """
    ended = runs.ends_of_runs()
    if len(ended) < len(runs):
        warnings.warn(
            f"By its column {run_column(runs.frame)!r} {runs.source} holds {len(runs)} rows of "
            f"{len(ended)} runs. Rows of one run share its luck: the last of each is fitted.",
            RunsWarning,
            stacklevel=3,
        )
    of_sizes = by_size(noise)
    if of_sizes is None:
        return ended, noise
    joined = ended.means_by_size(*apart)
    return joined, of_sizes if (joined.frame["weight"] > 1).any() else noise
