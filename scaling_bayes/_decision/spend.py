"""From budgets to what each of them leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._decision.decide import served
from scaling_bayes._decision.doubtful_choice import warn_of_doubtful
from scaling_bayes._decision.hardware import Hardware, budget_in_flops
from scaling_bayes._decision.limits import Limits
from scaling_bayes._decision.loss_draws import Repeated
from scaling_bayes._decision.problem import Problem, scatter_of
from scaling_bayes._decision.repetition import Repetition
from scaling_bayes._decision.source_within import source_within
from scaling_bayes._decision.spending import Spending, choices_for, losses_of
from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes._prediction.mixture import Source
from scaling_bayes.errors import InputError, UnitError
from scaling_bayes.units import parse_money

if TYPE_CHECKING:
    import xarray as xr


def spending(
    source: Source,
    *,
    flops: object = None,
    gpu_hours: object = None,
    money: object = None,
    hardware: Hardware | None = None,
    limits: Limits | None = None,
    served_tokens: object = None,
    repetition: Repetition | None = None,
    value_per_nat: float | str | None = None,
    of: Of = "mean_curve",
    prob: float = DEFAULT_PROB,
    at: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Spending:
    """Compare budgets: what each gains over the one before, and whether that is worth its price.

    Parameters
    ----------
    source : Fit, PublishedLaw or Average
        What the loss of a choice follows from.
    flops, gpu_hours, money : array_like of float or str, optional
        The budgets, in one of these, in any order; GPU-hours and money need `hardware`. Each pays
        for training, and for serving where `served_tokens` are given.
    hardware : Hardware, optional
        What turns GPU-hours, money and time into FLOPs. With a price, prices are in money.
    limits : Limits, optional
        On model size, tokens, unique tokens and time. What they keep from being spent has no
        price.
    served_tokens : float or str, optional
        Tokens that the model will serve, at 2 N FLOPs each.
    repetition : Repetition, optional
        What tokens read again are worth, where ``limits.unique_tokens`` are too few.
    value_per_nat : float or str, optional
        What a loss lower by one nat per token is worth, such as ``"$1B"``, taken to be the same for
        every nat. Needs hardware with a price in the same currency.
    of : {"mean_curve", "new_run"}
        Whose losses and gains have intervals: the middle of many runs, or one run at each budget.
        Choices, expected gains and `Spending.stop` are always of the mean curve.
    prob : float
        Probability inside the equal-tailed intervals, and that `Spending.stop` calls sure.
    at : mapping of str to float or str, optional
        Value of each covariate of the law other than N, D and C, such as
        ``{"unique_tokens": "10B"}``.
    seed : int
        Source of noise, discrepancy, and of what repeated data are worth.

    Returns
    -------
    Spending

    Raises
    ------
    UnitError
        If a quantity is not positive or has the wrong unit.
    InputError
        If budgets are missing or given twice, one is below the smallest feasible, `prob` is not
        between 0 and 1, or the value of a nat comes without a price.
    NoOptimumError
        If the law does not trade N against D, or has no best size.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> law = sb.laws.Chinchilla.published["besiroglu2024"]
    >>> h100 = sb.Hardware(peak="989 TFLOP/s", utilisation=0.4, price="$2.50")
    >>> found = sb.spending(law, money=["$1M", "$10M"], hardware=h100, value_per_nat="$100M")
    >>> f"{found.expected_gain.item():.3f} {found.probability_worth().item():.0f}"
    '0.053 0'
    """
    if not 0 < prob < 1:
        raise InputError(f"prob is {prob!r}; give a probability between 0 and 1.")
    bounds = limits or Limits()
    problem = Problem(
        source_within(source, at, bounds),
        limits=bounds,
        hardware=hardware,
        served_tokens=served(served_tokens),
        repeated=Repeated(repetition or Repetition(), seed),
        of=of,
        seed=seed,
    )
    value = None if value_per_nat is None else _value(value_per_nat, hardware)
    budgets = _budgets({"flops": flops, "gpu_hours": gpu_hours, "money": money}, hardware)
    choices = choices_for(problem, budgets)
    warn_of_doubtful(problem, choices)
    mean_curve = losses_of(problem, choices)
    return Spending(
        problem=problem,
        budgets=budgets,
        choices=choices,
        mean_curve=mean_curve,
        new_run=mean_curve * _scatters(problem, mean_curve) if of == "new_run" else None,
        value_per_nat=value,
        prob=prob,
    )


def _budgets(given: Mapping[str, object], hardware: Hardware | None) -> np.ndarray:
    """Return budgets in FLOPs, in order."""
    known = {name: values for name, values in given.items() if values is not None}
    if len(known) != 1:
        raise InputError("give the budgets in one of flops, gpu_hours and money.")
    ((name, values),) = known.items()
    items = np.atleast_1d(np.asarray(values, dtype=object))
    if items.ndim > 1 or not items.size:
        raise InputError(f"{name} has the shape {items.shape}; give a list of at least one budget.")
    nothing = dict.fromkeys(given)
    return np.unique(
        [budget_in_flops(**(nothing | {name: item}), hardware=hardware) for item in items]
    )


def _value(value_per_nat: float | str, hardware: Hardware | None) -> float:
    """Return the value of a nat in the currency of the hardware."""
    if hardware is None or hardware.price is None:
        raise InputError(
            f"value_per_nat={value_per_nat!r} is money, so compute needs a price; give "
            'hardware=sb.Hardware(..., price="$2.50").'
        )
    amount, currency = parse_money(value_per_nat, name="value_per_nat")
    if currency and hardware.currency and currency != hardware.currency:
        raise UnitError(
            f"value_per_nat is {value_per_nat!r}, and the price of the hardware is in "
            f"{hardware.currency}. Give the value in {hardware.currency}."
        )
    return amount


def _scatters(problem: Problem, mean_curve: xr.DataArray) -> np.ndarray:
    """Return draws of what the loss of a new run is of the mean curve's, independent by budget."""
    seeds = np.random.SeedSequence(problem.seed).generate_state(mean_curve.sizes["budget"])
    draws = np.stack([scatter_of(problem.source, int(seed)) for seed in seeds])
    return draws.reshape(mean_curve.shape)
