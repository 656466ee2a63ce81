"""What budgets come to, in sentences."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scaling_bayes._doubt import doubts_of
from scaling_bayes._intervals import interval, is_point, quantile
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes._prediction.law_draws import loss_unit_of
from scaling_bayes.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from scaling_bayes._decision.problem import Problem
    from scaling_bayes._decision.stopping import Stop

_WHOSE: Mapping[Of, str] = {"mean_curve": "of the mean curve", "new_run": "of new runs"}


class Spent(Protocol):
    """What the sentences say of a `Spending`."""

    @property
    def problem(self) -> Problem: ...
    @property
    def budgets(self) -> np.ndarray: ...
    @property
    def mean_curve(self) -> xr.DataArray: ...
    @property
    def value_per_nat(self) -> float | None: ...
    @property
    def prob(self) -> float: ...
    @property
    def of(self) -> Of: ...
    @property
    def asked(self) -> tuple[Of, ...]: ...
    @property
    def prices(self) -> np.ndarray: ...
    @property
    def priced(self) -> bool: ...
    @property
    def share_left(self) -> xr.DataArray: ...
    @property
    def stop(self) -> Stop | None: ...
    @property
    def laws_without_floor(self) -> list[str]: ...
    def price_of(self, flops: float) -> float: ...
    def price_in_words(self, price: float) -> str: ...
    def probability_worth(self, of: Of = "mean_curve") -> np.ndarray: ...
    def to_frame(self) -> pd.DataFrame: ...


def title_of(spending: Spent) -> str:
    """Return what the numbers are of."""
    kind = (
        "published values, of unknown uncertainty"
        if is_point(spending.mean_curve)
        else f"medians and {100 * spending.prob:g}% equal-tailed intervals"
    )
    return (
        f"Spending by {spending.problem.source.label}: losses {_WHOSE[spending.of]} in "
        f"{loss_unit_of(spending.problem.source)}, {kind}"
    )


def words_of(spending: Spent) -> tuple[str, ...]:
    """Return what the budgets come to, in sentences."""
    return (
        *_budgets_in_words(spending),
        *_share_in_words(spending),
        *_stop_in_words(spending),
        *map(str, doubts_of(spending.problem.source, "forecast", "allocation")),
    )


def _budgets_in_words(spending: Spent) -> Iterator[str]:
    known = not is_point(spending.mean_curve)

    def shown(row: Mapping[Hashable, Any], name: str) -> str:
        bounds = f" [{row[f'{name}_lower']:.4f}, {row[f'{name}_upper']:.4f}]" if known else ""
        return f"{row[name]:.4f}{bounds}"

    for i, row in enumerate(spending.to_frame().to_dict("records")):
        yield (
            f"{_budget_in_words(spending, row['flops'])}: N "
            f"{format_quantity(row['n_params'], kind='n_params')}, D "
            f"{format_quantity(row['tokens'], kind='tokens')}, loss {shown(row, 'loss')}."
        )
        if i:
            yield (
                f"That is {shown(row, 'gain')} less than before for "
                f"{spending.price_in_words(row['extra_price'])} more; on average "
                f"{_rate_in_words(spending, row)}{_worth_in_words(spending, i - 1)}."
            )


def _budget_in_words(spending: Spent, flops: float) -> str:
    words = format_quantity(flops, kind="flops")
    if not spending.priced:
        return words
    return f"{words} ({spending.price_in_words(spending.price_of(flops))})"


def _rate_in_words(spending: Spent, row: Mapping[Hashable, Any]) -> str:
    words = f"{row['nats_per_doubling']:.2g} nats per doubling"
    if not spending.priced:
        return words
    unit = 10 ** np.floor(np.log10(spending.prices[-1]))
    return f"{words}, {unit * row['nats_per_price']:.2g} per {spending.price_in_words(unit)}"


def _worth_in_words(spending: Spent, step: int) -> str:
    if spending.value_per_nat is None:
        return ""
    if is_point(spending.mean_curve):
        worth = spending.probability_worth()[step] > 0
        return f"; {'worth' if worth else 'not worth'} its price"
    each = ", ".join(
        f"{spending.probability_worth(of)[step]:.2f} {_WHOSE[of]}" for of in spending.asked
    )
    return f"; worth its price with probability {each}"


def _share_in_words(spending: Spent) -> Iterator[str]:
    if spending.laws_without_floor:
        yield (
            f"{', '.join(dict.fromkeys(spending.laws_without_floor))} has no irreducible loss, so "
            "what share of the reducible loss is left cannot be said."
        )
        return
    if len(spending.budgets) == 1:
        return
    last = spending.share_left.isel(budget=-1)
    low, high = interval(last, prob=spending.prob).to_numpy()
    bounds = "" if is_point(last) else f" [{low:.0%}, {high:.0%}]"
    yield (
        f"Of the reducible loss at the first budget, {quantile(last, 0.5).item():.0%}{bounds} "
        "is left at the last."
    )


def _stop_in_words(spending: Spent) -> Iterator[str]:
    if spending.stop is None or spending.value_per_nat is None:
        return
    yield (
        f"At {spending.price_in_words(spending.value_per_nat)} a nat, worth less price is expected "
        f"to be largest {_at(spending, spending.stop.best)}; another whole doubling is not worth "
        f"its price in expectation {_from(spending, spending.stop.expected)}."
    )
    if is_point(spending.mean_curve):
        return
    below = spending.stop.surely_worth_below
    where = (
        "at no budget asked about" if below == 0 else f"below {_budget_in_words(spending, below)}"
    )
    yield (
        f"With probability {spending.prob:g} it is worth it {where}, and not "
        f"{_from(spending, spending.stop.surely_not_from)}."
    )


def _at(spending: Spent, flops: float) -> str:
    if flops == 0:
        return "at the smallest budget, if at any"
    if np.isinf(flops):
        return "beyond any budget looked at"
    return f"at {_budget_in_words(spending, flops)}"


def _from(spending: Spent, flops: float) -> str:
    if flops == 0:
        return "already at the smallest budget"
    if np.isinf(flops):
        return "at any budget looked at"
    return f"from {_budget_in_words(spending, flops)} on"
