"""What more compute gains, what it costs, and from when on another doubling no longer pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._decision import rules
from scaling_bayes._decision._choice import Choice
from scaling_bayes._decision._decide import decision_on, served
from scaling_bayes._decision._hardware import Hardware, budget_in_flops
from scaling_bayes._decision._limits import Limits
from scaling_bayes._decision._losses import Repeated, joint_shift
from scaling_bayes._decision._problem import Problem, scatter_of
from scaling_bayes._decision._repetition import Repetition
from scaling_bayes._decision._stop import Stop, best_budget, crossing, ratio_of
from scaling_bayes._draws import point_dataset
from scaling_bayes._forecast import Of
from scaling_bayes._intervals import DEFAULT_PROB, SAMPLE_DIMS, interval, quantile
from scaling_bayes._mixture import Source, mix, weighted_laws
from scaling_bayes.errors import InputError, UnitError
from scaling_bayes.units import SIZES, format_money, format_quantity, parse_money

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_MOST_DOUBLINGS = 60


@dataclass(frozen=True, eq=False)
class Spending:
    """What each of some budgets leads to, and whether the step from one to the next pays.

    Losses are in nats per token. For each budget the model size with the smallest expected loss is
    trained. Draws are aligned: each is one law, one way in which runs may differ from it, at all
    budgets, so that what is uncertain at all of them cancels in a gain. Noise of new runs is
    independent from budget to budget.

    Attributes
    ----------
    problem : Problem
        Source, limits and hardware.
    budgets : ndarray, shape (budget,)
        FLOPs for training and serving, in order.
    choices : tuple of Choice
        What is trained with each.
    mean_curve : DataArray
        Draws of the loss of the mean curve, with dims budget, chain and draw.
    new_run : DataArray or None
        Draws of the loss of one run at each budget, likewise, where these were asked for.
    value_per_nat : float or None
        What a nat per token less is worth, in the currency of the hardware's price.
    prob : float
        Probability inside intervals, which are equal-tailed, and that is called sure.
    """

    problem: Problem
    budgets: np.ndarray
    choices: tuple[Choice, ...]
    mean_curve: xr.DataArray
    new_run: xr.DataArray | None
    value_per_nat: float | None
    prob: float

    @property
    def of(self) -> Of:
        """Whose losses and gains have intervals."""
        return "mean_curve" if self.new_run is None else "new_run"

    @property
    def loss(self) -> xr.DataArray:
        """Draws of the loss at each budget, of the mean curve or a new run as asked."""
        return self.mean_curve if self.new_run is None else self.new_run

    @property
    def prices(self) -> np.ndarray:
        """What each choice costs: money where the hardware has a price, otherwise FLOPs."""
        return self._prices(self.choices)

    @property
    def expected_gain(self) -> np.ndarray:
        """Expected gain of each budget over the one before, of shape (budget - 1,)."""
        gain: np.ndarray = _gains(self.mean_curve).mean(SAMPLE_DIMS).to_numpy()
        return gain

    @cached_property
    def share_left(self) -> xr.DataArray:
        """Draws of the share of the reducible loss at the first budget that is left at each.

        Of the mean curve: its loss above L_inf, divided by that at the first budget, draw by draw.
        NaN if a law has no irreducible loss.
        """
        import xarray as xr

        if self.laws_without_floor:
            return xr.full_like(self.mean_curve, np.nan)
        floor = mix(self.problem.source, lambda one: one.draws["L_inf"])
        above = self.mean_curve - floor.transpose(*SAMPLE_DIMS).to_numpy()
        return above / above.isel(budget=0, drop=True)

    def probability_worth(self, of: Of = "mean_curve") -> np.ndarray:
        """Return how probably each budget's gain over the one before is worth the price.

        Parameters
        ----------
        of : {"mean_curve", "new_run"}
            Whose gain: of the middle of many runs, or of one run at each of the two budgets, each
            with noise of its own.

        Returns
        -------
        ndarray, shape (budget - 1,)

        Raises
        ------
        InputError
            If the value of a nat is not known, or new runs were not asked for.
        """
        if self.value_per_nat is None:
            raise InputError(
                'whether a gain is worth its price needs its value; give value_per_nat="$1B".'
            )
        losses = {"mean_curve": self.mean_curve, "new_run": self.new_run}.get(of)
        if losses is None:
            raise InputError(
                f"of is {of!r}, which was not asked for; give of={of!r} to sb.spending."
            )
        extra = _gains(losses) * self.value_per_nat > _column(np.diff(self.prices))
        worth: np.ndarray = extra.mean(SAMPLE_DIMS).to_numpy()
        return worth

    @cached_property
    def stop(self) -> Stop | None:
        """The best budget, and from which on a doubling no longer pays; None without a value.

        Looked for from the smallest budget upwards, beyond the largest if need be.
        """
        if self.value_per_nat is None:
            return None
        worth_most = self.value_per_nat * float(self.mean_curve.isel(budget=0).max())
        doublings = np.log2(max(worth_most / self.prices[0], 1.0))
        n = int(min(np.ceil(doublings) + 2, _MOST_DOUBLINGS))
        budgets = self.budgets[0] * 2.0 ** np.arange(n + 1)
        problem = replace(self.problem, n_candidates=rules.COARSE_CANDIDATES)
        choices = _chosen(problem, budgets)
        worth = -_losses(problem, choices) * self.value_per_nat
        gains, prices = worth.diff("budget"), self._prices(choices)
        ends = quantile(gains, [1 - self.prob, self.prob]).to_numpy()
        spent = np.minimum([each.total_flops for each in choices], budgets)
        expected = worth.mean(SAMPLE_DIMS).to_numpy()
        return Stop(
            best_budget(spent, expected, prices),
            *(
                crossing(spent[:-1], ratio_of(gain, np.diff(prices)))
                for gain in (ends[0], np.diff(expected), ends[1])
            ),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a budget.

        Returns
        -------
        DataFrame
            ``flops``, the budget; ``n_params``, ``tokens`` and ``price`` of its choice; median
            ``loss``; ``gain`` over the budget before and ``total_gain`` over the first; each with
            ``_lower`` and ``_upper``. What the step from the budget before costs in
            ``extra_price``, and brings on average: ``expected_gain`` of the mean curve,
            ``nats_per_price`` and ``nats_per_doubling`` of compute. ``share_left`` of the reducible
            loss at the first budget, likewise with bounds. If a nat has a value,
            ``mean_curve_probability_worth`` and, where asked for, ``new_run_probability_worth``.
        """
        import pandas as pd

        spent = np.array([each.total_flops for each in self.choices])
        extra = np.diff(self.prices)
        frame = pd.DataFrame({"flops": self.budgets})
        frame["n_params"] = [each.n_params for each in self.choices]
        frame["tokens"] = [each.tokens for each in self.choices]
        frame["price"] = self.prices
        for name, draws in {
            "loss": self.loss,
            "gain": _gains(self.loss),
            "total_gain": self.loss.isel(budget=0, drop=True) - self.loss,
            "share_left": self.share_left,
        }.items():
            columns = (name, f"{name}_lower", f"{name}_upper")
            for column, values in zip(columns, _summary(draws, self.prob), strict=True):
                frame[column] = _padded(values, len(frame))
        steps = {
            "extra_price": extra,
            "expected_gain": self.expected_gain,
            "nats_per_price": ratio_of(self.expected_gain, extra),
            "nats_per_doubling": ratio_of(self.expected_gain, np.diff(np.log2(spent))),
        }
        if self.value_per_nat is not None:
            steps |= {f"{of}_probability_worth": self.probability_worth(of) for of in self.asked}
        for name, values in steps.items():
            frame[name] = _padded(values, len(frame))
        return frame

    @property
    def laws_without_floor(self) -> list[str]:
        """Names of the laws that have no irreducible loss."""
        laws = [one.law for one, _ in weighted_laws(self.problem.source)]
        return [law.name for law in laws if "L_inf" not in law.parameter_names]

    @property
    def asked(self) -> tuple[Of, ...]:
        """Whose gains were asked for."""
        return ("mean_curve",) if self.new_run is None else ("mean_curve", "new_run")

    @property
    def priced(self) -> bool:
        """Whether prices are in money."""
        hardware = self.problem.hardware
        return hardware is not None and hardware.price is not None

    def price_of(self, flops: float) -> float:
        """Return what FLOPs cost: money where the hardware has a price, otherwise themselves."""
        hardware = self.problem.hardware
        return flops if hardware is None or hardware.price is None else hardware.money(flops)

    def _prices(self, choices: tuple[Choice, ...]) -> np.ndarray:
        return np.array([self.price_of(each.total_flops) for each in choices])

    def price_in_words(self, price: float) -> str:
        """Return a price as people write it, in money or FLOPs."""
        if not self.priced:
            return format_quantity(price, kind="flops")
        assert self.problem.hardware is not None
        return format_money(price, self.problem.hardware.currency)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What the budgets come to, in sentences."""
        from scaling_bayes._decision._spending_words import words_of

        return words_of(self)

    def __repr__(self) -> str:
        from scaling_bayes._decision._spending_words import title_of

        return "\n".join([title_of(self), *(f"- {line}" for line in self.words)])


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
    problem = Problem(
        source,
        limits=limits or Limits(),
        hardware=hardware,
        served_tokens=served(served_tokens),
        repeated=Repeated(repetition or Repetition(), seed),
        of=of,
        seed=seed,
    )
    value = None if value_per_nat is None else _value(value_per_nat, hardware)
    budgets = _budgets({"flops": flops, "gpu_hours": gpu_hours, "money": money}, hardware)
    choices = _chosen(problem, budgets)
    mean_curve = _losses(problem, choices)
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


def _chosen(problem: Problem, budgets: np.ndarray) -> tuple[Choice, ...]:
    """Return the choice with the smallest expected loss of the mean curve for each budget."""
    # Of a single run with heavy-tailed noise there is no expected loss.
    of_mean_curve = replace(problem, of="mean_curve")
    rule = rules.ExpectedLoss()
    return tuple(decision_on(of_mean_curve, rule, float(budget)).choice for budget in budgets)


def _losses(problem: Problem, choices: tuple[Choice, ...]) -> xr.DataArray:
    """Return draws of the mean curve of choices, joint over them, with dims budget, chain, draw."""
    sizes = {name: [getattr(each, name) for each in choices] for name in SIZES}
    return problem.losses(point_dataset(sizes), joint_shift).rename(point="budget")


def _scatters(problem: Problem, mean_curve: xr.DataArray) -> np.ndarray:
    """Return draws of what the loss of a new run is of the mean curve's, independent by budget."""
    seeds = np.random.SeedSequence(problem.seed).generate_state(mean_curve.sizes["budget"])
    draws = np.stack([scatter_of(problem.source, int(seed)) for seed in seeds])
    return draws.reshape(mean_curve.shape)


def _gains(losses: xr.DataArray) -> xr.DataArray:
    """Return draws of how much lower each loss is than that of the budget before."""
    return -losses.diff("budget")


def _summary(draws: xr.DataArray, prob: float) -> np.ndarray:
    """Return median, lower and upper bound, of shape (3, budget); NaN where nothing is known."""
    if not draws.size or draws.isnull().any():
        return np.full((3, draws.sizes["budget"]), np.nan)
    return np.stack([quantile(draws, 0.5), *interval(draws, prob=prob)])


def _column(values: np.ndarray) -> np.ndarray:
    """Return values of shape (budget,) so that they broadcast over chains and draws."""
    return values[:, None, None]


def _padded(values: np.ndarray, n: int) -> np.ndarray:
    """Return values of steps as values of budgets: none for the first."""
    return np.append(np.full(n - len(values), np.nan), values)
