"""The parameters of a fit in a table and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._inference.diagnostics import Diagnostics
from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind, interval
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.law_draws import LawDraws, discrepancy_of
from scaling_bayes._printable import printed

if TYPE_CHECKING:
    import xarray as xr


_UNCERTAIN = ("sd", "lower", "upper", "r_hat", "ess_bulk", "ess_tail")
"""Columns of a summary that a value alone does not have."""


@dataclass(frozen=True, eq=False)
class Summary(InNotebook):
    """What a fit says of the parameters of its law.

    Attributes
    ----------
    table : DataFrame
        One row a parameter, natural ones first, then those of noise and discrepancy, then derived
        ones; columns ``kind``, ``median``, ``mean``, ``sd``, ``lower``, ``upper``, ``r_hat``,
        ``ess_bulk``, ``ess_tail`` and ``unit``.
    prob : float
        Probability inside the intervals.
    interval_kind : {"equal-tailed", "hdi"}
        Kind of the intervals.
    words : tuple of str
        The same in sentences, with the diagnostics.
    """

    table: pd.DataFrame
    prob: float
    interval_kind: IntervalKind
    words: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table."""
        return self.table.copy()

    @printed
    def __repr__(self) -> str:
        shown = self.table.drop(columns="kind")
        numbers = dict.fromkeys(("median", "mean", "sd", "lower", "upper"), "{:.4g}".format)
        formats = numbers | {
            "r_hat": "{:.3f}".format,
            "ess_bulk": "{:.0f}".format,
            "ess_tail": "{:.0f}".format,
        }
        return (
            f"Posterior with {100 * self.prob:g}% {self.interval_kind} intervals\n"
            + shown.to_string(formatters=formats)
            + "\n\n"
            + "\n".join(self.words)
        )


def summarise(
    source: LawDraws,
    diagnostics: Diagnostics,
    *,
    counted: str,
    retried: bool,
    remarks: Iterable[str] = (),
    prob: float = DEFAULT_PROB,
    kind: IntervalKind = "equal-tailed",
) -> Summary:
    """Return the summary of a fit's draws.

    Parameters
    ----------
    source : LawDraws
        Draws of the parameters of law, noise and discrepancy.
    diagnostics : Diagnostics
        Figures of the sampler.
    counted : str
        How many runs were fitted, in words.
    retried : bool
        Whether the draws are those of the second try.
    remarks : iterable of str
        What else the words say.
    prob, kind
        Of the intervals.
    """
    import xarray as xr

    error = discrepancy_of(source)
    groups = {
        "natural": source.draws,
        "noise": xr.Dataset() if source.noise_draws is None else source.noise_draws,
        "discrepancy": xr.Dataset()
        if error is None
        else error.draws[error.discrepancy.parameter_names],
        "derived": xr.Dataset(source.law.derived(source.draws)),
    }
    held = source.law.held
    units = {parameter.name: parameter.unit for parameter in source.law.parameters}
    rows = []
    for group, draws in groups.items():
        for name, values in draws.data_vars.items():
            # What is held has a value, and nothing to be uncertain of.
            spread = (
                dict.fromkeys(_UNCERTAIN, np.nan)
                if name in held
                else _spread(values, prob=prob, kind=kind)
            )
            rows.append(
                {
                    "parameter": name,
                    "kind": group,
                    "median": float(values.median()),
                    "mean": float(values.mean()),
                    **spread,
                    "unit": units.get(str(name), "1" if name in ("a", "b") else ""),
                }
            )
    table = pd.DataFrame(rows).set_index("parameter")
    words = (
        f"{source.law.name} fitted to {counted}.",
        *(
            f"{name} is held at {value:g}: it has no interval, and every answer takes it for known."
            for name, value in held.items()
        ),
        *_allocation_words(groups["derived"], prob=prob, kind=kind),
        (
            f"Converged{' at the second try' if retried else ''}: {diagnostics}."
            if diagnostics.converged
            else f"NOT CONVERGED: {'; '.join(diagnostics.failures())}."
        ),
        *remarks,
    )
    return Summary(table, prob, kind, words)


def _spread(values: xr.DataArray, *, prob: float, kind: IntervalKind) -> dict[str, float]:
    """Return how far draws spread, and how well the sampler knows it."""
    import arviz_stats

    lower, upper = interval(values, prob=prob, kind=kind).values
    found = (
        values.std(ddof=1),
        lower,
        upper,
        arviz_stats.rhat(values),
        arviz_stats.ess(values, method="bulk"),
        arviz_stats.ess(values, method="tail"),
    )
    return dict(zip(_UNCERTAIN, map(float, found), strict=True))


def _allocation_words(derived: xr.Dataset, *, prob: float, kind: IntervalKind) -> tuple[str, ...]:
    """Return how N and D should grow with compute, as statements of probability."""
    if "a" not in derived:
        return ()
    growth = {}
    for name in ("a", "b"):
        factors = 4.0 ** derived[name]
        low, high = interval(factors, prob=prob, kind=kind).values
        growth[name] = f"{float(factors.median()):.2f} [{low:.2f}, {high:.2f}]"
    more_params = float((derived["a"] > derived["b"]).mean())
    close = float((abs(derived["a"] - 0.5) < 0.05).mean())
    return (
        f"For 4 times the compute, model size should grow {growth['a']} times and tokens "
        f"{growth['b']} times (median and {100 * prob:g}% {kind} interval).",
        f"Probability that size should grow faster than tokens: {more_params:.3f}; that both "
        f"should about double (a between 0.45 and 0.55): {close:.3f}.",
    )
