"""What a table of runs as a whole says of itself: units, repetitions, rows that belong together."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from scaling_bayes._doubt import Doubt
from scaling_bayes.errors import DoubtWarning
from scaling_bayes.laws import Law
from scaling_bayes.runs import Runs, run_column
from scaling_bayes.units import SIZES

_MOST_LOSS = 12.5
"""Nats per token above the log of any vocabulary: 262,144 tokens have 12.48."""
_LEAST_LOSS = 0.01
_MOST_RATIO, _LEAST_RATIO = 2e4, 0.05
"""Tokens per parameter of the middle run, beyond which one of the two has another unit."""
_MOST_DECADES = 9.0
_CLEARLY, _MOST_WORSE = 0.1, 0.01
"""Of two runs, on log loss what is clearly more; and the share of pairs in which the larger run may
have that. Sound sweeps have none or nearly none, one with D of half of its runs in thousands 3%."""
_MOST_COMPARED = 500
_FEWEST_CHECKPOINTS = 4
_EVEN = 0.02
_NAMED = 8
_AS_GOOD_AS_NEW = 4
"""Epochs up to which repeated tokens are nearly worth fresh ones (Muennighoff et al. 2023)."""
_TELLING_APART = ("group", "unique_tokens", "epochs")
"""Columns that make rows of equal sizes more than repetitions."""


def doubts_about(runs: Runs, law: Law) -> tuple[Doubt, ...]:
    """Return what is doubtful about fitting a law to runs, as far as their table shows it.

    Parameters
    ----------
    runs : Runs
        The runs.
    law : Law
        The law, which may read columns that explain what is doubtful otherwise.
    """
    return tuple(doubt for rule in _RULES for doubt in rule(runs, law))


def warn_of_doubts(runs: Runs, law: Law) -> None:
    """Warn of what `doubts_about` finds.

    Warns
    -----
    DoubtWarning
        Of each.
    """
    for doubt in doubts_about(runs, law):
        warnings.warn(f"{doubt.words} {doubt.remedy}", DoubtWarning, stacklevel=3)


def _groups(runs: Runs, law: Law) -> Iterator[Doubt]:
    frame = runs.frame
    if "group" not in frame or frame["group"].nunique() < 2 or "group" in law.covariates:
        return
    first = frame["group"].value_counts().index[0]
    yield Doubt(
        "groups",
        f"{frame['group'].nunique()} groups ({counted(frame['group'])}) are fitted as one law.",
        f'Keep one with runs.where("group == {first!r}"), or fit them with groups="group".',
        "note",
    )


def counted(groups: pd.Series) -> str:
    """Return the commonest values of a column, each with its number of rows."""
    counts = groups.value_counts()
    named = ", ".join(f"{group} {count}" for group, count in counts.head(_NAMED).items())
    return f"{named}, ..." if len(counts) > _NAMED else named


def _repeated_tokens(runs: Runs, law: Law) -> Iterator[Doubt]:
    epochs = _epochs(runs.frame)
    if epochs is None or {"unique_tokens", "epochs"} & set(law.covariates):
        return
    repeated = epochs > _AS_GOOD_AS_NEW
    if repeated.any():
        column = "epochs <= 4" if "epochs" in runs.frame else "tokens <= 4 * unique_tokens"
        yield Doubt(
            "repeated data",
            f"{int(repeated.sum())} of {len(runs)} runs read their data more than "
            f"{_AS_GOOD_AS_NEW} times, up to {epochs.max():.4g} times, and {law.name} takes every "
            "token for a fresh one.",
            f'Leave them out with runs.where("{column}").',
        )


def _epochs(frame: pd.DataFrame) -> np.ndarray | None:
    """Return how often each run reads its data; None where the table does not say."""
    if "epochs" in frame:
        values = pd.to_numeric(frame["epochs"], errors="coerce")
    elif {"unique_tokens", "tokens"} <= set(frame):
        values = frame["tokens"] / pd.to_numeric(frame["unique_tokens"], errors="coerce")
    else:
        return None
    return values.fillna(0.0).to_numpy(dtype=float)


def _rows_of_one_run(runs: Runs, law: Law) -> Iterator[Doubt]:
    frame = runs.frame
    column = run_column(frame)
    if column is not None:
        n_runs = frame[column].nunique()
        why = f"by its column {column!r} the table holds {n_runs} runs in {len(runs)} rows"
    elif {"n_params", "tokens"} - set(runs.sizes):
        return
    else:
        along = [rows for _, rows in frame.groupby("n_params") if _is_one_run(rows)]
        n_runs = len(runs) - sum(len(rows) - 1 for rows in along)
        why = (
            f"rows of {len(along)} model sizes lie at even steps of tokens with falling loss, as "
            "checkpoints of one run do"
        )
    if n_runs < len(runs):
        yield Doubt(
            "rows of one run",
            f"Rows of one run share its luck, and are fitted as if each were a run of its own: "
            f"{why}. Intervals are too narrow.",
            f'Keep the last row of each run with runs.last_of_each("{column}").'
            if column is not None
            else "Keep the last row of each run.",
        )


def _is_one_run(rows: pd.DataFrame) -> bool:
    """Whether rows of one size look like checkpoints: even steps of tokens, and loss falls."""
    if len(rows) < _FEWEST_CHECKPOINTS:
        return False
    ordered = rows.sort_values("tokens")
    steps = np.diff(ordered["tokens"].to_numpy())
    even = steps.min() > 0 and np.ptp(steps) <= _EVEN * steps.mean()
    return bool(even and np.all(np.diff(ordered["loss"].to_numpy()) < 0))


def _seeds_as_rows(runs: Runs, law: Law) -> Iterator[Doubt]:
    told_apart = [name for name in _TELLING_APART if name in runs.frame]
    n_distinct = len(runs.frame.drop_duplicates([*law.covariates, *told_apart]))
    if 2 * n_distinct <= len(runs):
        yield Doubt(
            "seeds as rows",
            f"The {len(runs)} rows hold only {n_distinct} distinct sizes. Repetitions with another "
            f"seed, or with settings that {law.name} does not read, are fitted as if each told "
            "anew how far the law is off at its size: intervals are too narrow.",
            "Average the losses of each size, or keep the best setting of each.",
        )


def _level_of_loss(runs: Runs, law: Law) -> Iterator[Doubt]:
    loss = runs.frame["loss"].to_numpy()
    if loss.max() > _MOST_LOSS:
        yield Doubt(
            "unit of loss",
            f"{int((loss > _MOST_LOSS).sum())} of {len(runs)} losses are above {_MOST_LOSS:g}, the "
            f"log of any vocabulary; the largest is {loss.max():.4g}. A model that knows nothing "
            "has less: are they perplexities, bits, or runs that diverged?",
            "Give losses in nats per token, and leave out runs that diverged.",
        )
    if loss.min() < _LEAST_LOSS:
        yield Doubt(
            "unit of loss",
            f"{int((loss < _LEAST_LOSS).sum())} of {len(runs)} losses are below {_LEAST_LOSS:g}; "
            f"the smallest is {loss.min():.4g}. Text cannot be forecast so well: are they scaled, "
            "or losses on data that were learned by heart?",
            "Give losses in nats per token on data that are held out.",
        )


def _order_of_losses(runs: Runs, law: Law) -> Iterator[Doubt]:
    """Doubt runs of which those with more parameters and more tokens often have more loss."""
    frame = (
        runs.frame
        if len(runs) <= _MOST_COMPARED
        else runs.frame.sample(_MOST_COMPARED, random_state=0)
    )
    names = [name for name in SIZES[:2] if name in runs.sizes] or list(runs.sizes)
    sizes = frame[names].to_numpy()
    log_loss = np.log(frame["loss"].to_numpy())
    larger = np.all(sizes[:, None] <= sizes[None], axis=-1) & np.any(
        sizes[:, None] < sizes[None], axis=-1
    )
    worse = larger & (log_loss[None] > log_loss[:, None] + _CLEARLY)
    share = float(worse.sum()) / max(int(larger.sum()), 1)
    if share > _MOST_WORSE:
        yield Doubt(
            "order of losses",
            f"In {share:.0%} of the pairs of runs of which one has more of "
            f"{' and '.join(names)}, that one has over 10% more loss, and a scaling law "
            "can only fall: are sizes or losses of some runs in another unit, is the column a "
            "score, or were runs tuned badly?",
            "Mend the units, and leave out runs that went wrong.",
        )


def _unit_of_sizes(runs: Runs, law: Law) -> Iterator[Doubt]:
    if not {"n_params", "tokens"} <= set(law.covariates):
        return
    ratio = np.sort(runs.frame["tokens"].to_numpy() / runs.frame["n_params"].to_numpy())
    decades = np.log10(ratio[-1] / ratio[0])
    middle = float(np.median(ratio))
    if decades > _MOST_DECADES:
        yield Doubt(
            "unit of sizes",
            f"Tokens per parameter go from {ratio[0]:.3g} to {ratio[-1]:.3g}, over {decades:.0f} "
            "orders of magnitude: are N or D of some runs in another unit?",
            "Give parameters and tokens in ones.",
        )
    elif not _LEAST_RATIO <= middle <= _MOST_RATIO:
        yield Doubt(
            "unit of sizes",
            f"Half of the runs have {'more' if middle > 1 else 'less'} than {middle:.3g} tokens "
            "per parameter: is one of the two in thousands, millions or billions?",
            "Give parameters and tokens in ones.",
        )


_RULES: tuple[Callable[[Runs, Law], Iterator[Doubt]], ...] = (
    _unit_of_sizes,
    _level_of_loss,
    _order_of_losses,
    _rows_of_one_run,
    _seeds_as_rows,
    _repeated_tokens,
    _groups,
)
