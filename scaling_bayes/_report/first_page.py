"""What the person who decides asks, answered from a fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from scaling_bayes import plots
from scaling_bayes._decision import Decision
from scaling_bayes._evidence.backtest.run import backtest
from scaling_bayes._fit.fit import Fit
from scaling_bayes._fit.fitter import Fitter
from scaling_bayes._inference.sampling import SamplerSettings
from scaling_bayes._intervals import interval, quantile
from scaling_bayes._prediction.allocate import loss_given_up
from scaling_bayes._prediction.forecast_answer import Forecast
from scaling_bayes._report.pictures import picture
from scaling_bayes._report.section import Section, cells
from scaling_bayes.errors import InputError
from scaling_bayes.units import format_quantity

_EPSILON = 0.005
"""Nats per token that count as next to nothing."""
_RULES = {"20 tokens per parameter": 20.0, "100 tokens per parameter": 100.0}
_SURE = 0.9


@dataclass(frozen=True)
class Asked:
    """What a report is asked.

    Attributes
    ----------
    fit : Fit
        The fit.
    decision : Decision
        What it recommends for the budget.
    target : float or None
        Loss to reach.
    seed : int
        Source of randomness.
    """

    fit: Fit
    decision: Decision
    target: float | None
    seed: int

    @property
    def unit(self) -> str:
        """What losses are counted in."""
        return self.fit.runs.loss_unit

    @property
    def beyond(self) -> float:
        """The budget over the compute of the largest run."""
        return self.decision.budget / float(self.fit.runs.frame["flops"].max())

    @cached_property
    def new_run(self) -> Forecast:
        """What a run of the chosen size is forecast to reach."""
        chosen = self.decision.choice
        return self.fit.forecast(n_params=chosen.n_params, tokens=chosen.tokens, seed=self.seed)


def choice(asked: Asked) -> Section:
    """Return the choice, and how far it may be missed at next to no loss."""
    fit, decision = asked.fit, asked.decision
    chosen = decision.choice
    allocation = fit.allocate(flops=decision.budget)
    frame = allocation.to_frame(tolerance=_EPSILON).iloc[0]
    median = quantile(asked.new_run.draws(), 0.5).item()
    low, high = asked.new_run.interval().to_numpy().ravel()
    valley = [
        format_quantity(frame[name], kind="n_params") for name in ("valley_lower", "valley_upper")
    ]
    spread = [
        format_quantity(frame[name], kind="n_params")
        for name in ("n_params_lower", "n_params_upper")
    ]
    words = (
        f"Train {format_quantity(chosen.n_params, kind='n_params')} parameters on "
        f"{format_quantity(chosen.tokens, kind='tokens')} tokens "
        f"({chosen.tokens / chosen.n_params:.3g} tokens per parameter), "
        f"{format_quantity(chosen.flops, kind='flops')}.",
        f"A new run of that size is expected to reach a loss of {median:.4f} "
        f"[{low:.4f}, {high:.4f}] {asked.unit} (median and 90% equal-tailed interval of a new "
        "run).",
        f"From {valley[0]} to {valley[1]} parameters the expected loss is within {_EPSILON:g} of "
        f"the best. The size with the lowest loss is {spread[0]} to {spread[1]} with probability "
        "0.9 (equal-tailed).",
        f"The budget is {asked.beyond:.3g} times the compute of the largest run that was fitted"
        + (": this is an extrapolation." if asked.beyond > 1 else "."),
    )
    return Section("choice", "The choice", words)


def target(asked: Asked) -> Section:
    """Return the probability of the target, and the budget that suffices."""
    loss = asked.target
    if loss is None:
        return Section("target", "The target", ("No target loss was asked for.",))
    reached = float(asked.new_run.probability_below(loss).item())
    flops = asked.fit.compute_to_reach(loss).flops.isel(target=0)
    enough = float(flops.quantile(_SURE))
    suffices = (
        f"{format_quantity(enough, kind='flops')} suffice with probability {_SURE:g}"
        if np.isfinite(enough)
        else f"no budget suffices with probability {_SURE:g}"
    )
    words = (
        f"A new run of the chosen size has a loss below {loss:g} {asked.unit} with probability "
        f"{reached:.2f}.",
        f"For the mean of runs, allocated optimally, {suffices}.",
    )
    return Section("target", "The target", words)


def chart(asked: Asked) -> Section:
    """Return pictures of the forecast and of the budget."""
    fit, budget = asked.fit, asked.decision.budget
    smallest, largest = (float(end(fit.runs.frame["flops"])) for end in (np.min, np.max))
    budgets = np.geomspace(smallest, max(budget, largest), 30)
    drawn = (
        picture(
            lambda: plots.plot_loss(fit, along="flops", limits=(smallest, max(budget, largest))),
            "loss",
            "Loss against compute",
            "Runs, and the loss at the best allocation up to the budget: the mean curve and a new "
            "run, with 90% equal-tailed intervals. The line is dashed beyond the runs.",
        ),
        picture(
            lambda: plots.plot_frontier(fit, flops=budgets),
            "frontier",
            "Model size and tokens for a budget",
            "The compute-optimal model size and tokens from the smallest run to the budget, with "
            "90% equal-tailed intervals.",
        ),
        picture(
            lambda: plots.plot_regret(asked.decision),
            "regret",
            "What other sizes give up",
            "Regret of each model size at the budget.",
        ),
    )
    return Section("forecast", "The forecast", pictures=drawn)


def track_record(asked: Asked) -> Section:
    """Return how well earlier cuts of these runs forecast the later ones."""
    fit = asked.fit
    fitter = Fitter(
        fit.law,
        noise=fit.noise,
        discrepancy=fit.discrepancy,
        settings=SamplerSettings(progressbar=False),
    )
    title = "The track record on these runs"
    try:
        tested = backtest(
            fit.runs, {fit.label: fitter}, seed=asked.seed, n_jobs=1, progressbar=False
        )
    except InputError as error:
        return Section("record", title, (f"There is none: {error}",))
    new = tested.points[tested.points["of"] == "new_run"]
    held = (new["lower_90"] <= new["observed"]) & (new["observed"] <= new["upper_90"])
    rows = []
    for cut, own in new.assign(held=held).groupby("cut"):
        rows.append(
            {
                "cut": cut,
                "n_below": own["n_below"].iloc[0],
                "n": len(own),
                "held": int(own["held"].sum()),
                "beyond": own["flops"].max() / cut,
                "off": 100 * float(own["error"].abs().median()),
            }
        )
    frame = pd.DataFrame(rows)
    words = (
        f"Fitted to the runs below each of {len(frame)} cuts by compute, the model forecast the "
        f"runs above: the 90% intervals of a new run held {int(held.sum())} of {len(new)} times.",
        *(
            (
                "On these runs the intervals hold less often than they say; take those above for "
                "too narrow as well.",
            )
            if held.mean() < 0.75
            else ()
        ),
        *((f"{len(tested.failures)} refits failed.",) if len(tested.failures) else ()),
    )
    shown = {"cut": "flops", "n_below": "d", "n": "d", "held": "d", "beyond": ".3g", "off": ".2f"}
    columns = (
        "cut",
        "runs below",
        "runs forecast",
        "90% held",
        "largest, in cuts",
        "median error, %",
    )
    caption = "90% equal-tailed intervals of a new run; errors are of the loss."
    return Section("record", title, words, columns, cells(frame, shown), caption)


def changes(asked: Asked) -> Section:
    """Return what would change the choice."""
    frame = asked.decision.what_would_change_it()
    frame = frame.assign(change=frame["change"].astype(str))
    shown = {"change": "", "n_params": "n_params", "tokens": "tokens", "times": ".2f"}
    columns = ("if", "N", "D", "N over the choice's")
    caption = "Of a parameter: the choice by the fifth of draws in which it is lowest, and highest."
    return Section("changes", "What would change it", (), columns, cells(frame, shown), caption)


def usual_rules(asked: Asked) -> Section:
    """Return what the usual rules would give up."""
    fit, budget = asked.fit, asked.decision.budget
    largest = int(fit.runs.frame["flops"].to_numpy().argmax())
    n_params, tokens = (fit.runs.frame[name].iloc[largest] for name in ("n_params", "tokens"))
    same = float(tokens / n_params)
    ratios = _RULES | {f"as the largest run, {same:.3g} tokens per parameter": same}
    sizes = {
        name: float((budget / (fit.flops_per_param_token * ratio)) ** 0.5)
        for name, ratio in ratios.items()
    }
    given_up = loss_given_up(fit, n_params=list(sizes.values()), flops=budget)
    lower, upper = interval(given_up).to_numpy()
    frame = pd.DataFrame(
        {
            "rule": list(sizes),
            "n_params": list(sizes.values()),
            "mean": given_up.mean(("chain", "draw")).to_numpy(),
            "lower": lower,
            "upper": upper,
        }
    )
    shown = {"rule": "", "n_params": "n_params", "mean": ".4f", "lower": ".4f", "upper": ".4f"}
    columns = ("rule", "N", "loss given up, mean", "lower", "upper")
    caption = f"In {asked.unit}, against the best size of each draw; 90% equal-tailed intervals."
    return Section("rules", "The usual rules", (), columns, cells(frame, shown), caption)


def answers(asked: Asked, *, with_record: bool) -> list[Section]:
    """Return the sections of the first page.

    Parameters
    ----------
    asked : Asked
        What is asked.
    with_record : bool
        Whether the model is fitted to earlier cuts of the runs.

    Raises
    ------
    NoOptimumError
        If the law does not trade model size against tokens.
    """
    builders = [choice, target, chart, *([track_record] if with_record else []), changes]
    return [build(asked) for build in (*builders, usual_rules)]
