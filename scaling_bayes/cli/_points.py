"""Points that a command is asked about: whether they can be meant, and how far out they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scaling_bayes.cli import _numbers
from scaling_bayes.cli._sources import discrepancy_name
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from scaling_bayes._prediction.law_draws import LawDraws

_SIZES: Final[dict[str, tuple[str, Callable[[float], str]]]] = {
    "flops": ("compute", _numbers.flops),
    "n_params": ("model size", _numbers.n_params),
    "tokens": ("number of tokens", _numbers.tokens),
}


def check_sizes(frame: pd.DataFrame) -> None:
    """Refuse sizes that a table of runs could not have, such as 7 parameters for 7B.

    Raises
    ------
    InputError
        If there is such a size; it names the first.
    """
    from scaling_bayes.runs._schema import failures_of_cells

    for failure in failures_of_cells(frame, [name for name in _SIZES if name in frame]):
        value = frame[failure.column].iloc[failure.position]
        reason, remedy = failure.fault
        raise InputError(f"{failure.column} = {value:g} {reason}. {remedy}.")


def beyond_runs(source: LawDraws, *frames: pd.DataFrame) -> list[str]:
    """Return the warning that is due if points lie beyond the runs of a fit; else nothing.

    Parameters
    ----------
    source : LawDraws
        What was asked.
    *frames : DataFrame
        The answers, with sizes as columns.
    """
    import numpy as np

    from scaling_bayes import Fit

    if not isinstance(source, Fit):
        return []
    name = next(name for name in _SIZES if any(name in frame for frame in frames))
    what, words = _SIZES[name]
    sizes = np.concatenate([frame[name] for frame in frames if name in frame])
    asked = sizes[np.isfinite(sizes)].max(initial=0.0)
    largest = source.runs.frame[name].max()
    if not asked > largest * (1 + 1e-9):
        return []
    return [
        f"Extrapolation: {words(asked)} is {_times(asked / largest)} times the largest {what} "
        f"fitted, {words(largest)}. {_what_holds(source)} See 'What the "
        "intervals mean' (docs/explanation/intervals.md)."
    ]


def _what_holds(source: LawDraws) -> str:
    name = discrepancy_name(source)
    if name is not None:
        return (
            f"Beyond the runs, intervals of the loss allow for the law's own error by {name} "
            "discrepancy."
        )
    return (
        "Beyond the runs, intervals are conditional on the law and have held less often than they "
        "say. They take the law for the truth; a fit without --law-alone allows for its error."
    )


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
