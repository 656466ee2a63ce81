"""What more compute gains, what it costs, and from when on another doubling no longer pays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scaling_bayes._decision import rules
from scaling_bayes._decision.choice import Choice
from scaling_bayes._decision.loss_draws import shift_at
from scaling_bayes._decision.problem import Problem
from scaling_bayes._decision.settled import settle
from scaling_bayes._decision.spending_words import title_of, words_of
from scaling_bayes._decision.stopping import Stop, best_budget, crossing, ratio_of
from scaling_bayes._intervals import SAMPLE_DIMS, interval, quantile
from scaling_bayes._notebook import InNotebook
from scaling_bayes._prediction.forecast_answer import Of
from scaling_bayes._prediction.law_draws import LawDraws, discrepancy_of, point_dataset
from scaling_bayes._prediction.mixture import mix, weighted_laws
from scaling_bayes._printable import printable, printed
from scaling_bayes.errors import InputError
from scaling_bayes.units import SIZES, format_money, format_quantity

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_MOST_DOUBLINGS = 60


@dataclass(frozen=True, eq=False)
class Spending(InNotebook):
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

        Of the mean of runs, law times discrepancy: its loss above L_inf times the discrepancy,
        divided by that at the first budget, draw by draw. NaN if a law has no irreducible loss.
        """
        import xarray as xr

        if self.laws_without_floor:
            return xr.full_like(self.mean_curve, np.nan)
        points = _points_of(self.choices).rename(point="budget")

        def floor_at(one: LawDraws) -> xr.DataArray:
            error, floor = discrepancy_of(one), one.draws["L_inf"]
            return floor if error is None else floor * np.exp(error.at(points))

        floor = mix(self.problem.source, floor_at).broadcast_like(self.mean_curve)
        above = self.mean_curve - floor.transpose(*self.mean_curve.dims).to_numpy()
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
        """The best budget, and that above which a doubling no longer pays; None without a value.

        Looked for from the smallest budget upwards, beyond the largest if need be.
        """
        if self.value_per_nat is None:
            return None
        worth_most = self.value_per_nat * float(self.mean_curve.isel(budget=0).max())
        doublings = np.log2(max(worth_most / self.prices[0], 1.0))
        n = int(min(np.ceil(doublings) + 2, _MOST_DOUBLINGS))
        budgets = self.budgets[0] * 2.0 ** np.arange(n + 1)
        problem = replace(self.problem, n_candidates=rules.COARSE_CANDIDATES)
        choices = choices_for(problem, budgets)
        worth = -losses_of(problem, choices) * self.value_per_nat
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
        return tuple(map(printable, words_of(self)))

    @printed
    def __repr__(self) -> str:
        return "\n".join([title_of(self), *(f"- {line}" for line in self.words)])


def choices_for(problem: Problem, budgets: np.ndarray) -> tuple[Choice, ...]:
    """Return the choice with the smallest expected loss of the mean curve for each budget."""
    # Of a single run with heavy-tailed noise there is no expected loss.
    of_mean_curve = replace(problem, of="mean_curve")
    rule = rules.ExpectedLoss()
    return tuple(settle(of_mean_curve, rule, float(budget)).choice for budget in budgets)


def losses_of(problem: Problem, choices: tuple[Choice, ...]) -> xr.DataArray:
    """Return draws of the mean curve of choices, joint over them, with dims budget, chain, draw."""
    return problem.losses(_points_of(choices), shift_at).rename(point="budget")


def _points_of(choices: tuple[Choice, ...]) -> xr.Dataset:
    """Return the sizes of choices, with dim point."""
    sizes = {name: [getattr(each, name) for each in choices] for name in SIZES}
    return point_dataset(sizes)


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
