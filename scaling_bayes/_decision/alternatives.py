"""What else could be chosen: other sizes, and the choices of other rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_bayes._decision import rules
from scaling_bayes._decision.interpolation import chosen, place_of
from scaling_bayes._decision.settled import Settled
from scaling_bayes.errors import InputError

BY = "by "
"""What the names of the choices of other rules begin with."""
_BESIDE = (0.25, 0.5, 2.0, 4.0)
"""Model sizes that stand beside the choice, as multiples of it."""

_BEYOND = 1.5
"""How far beyond the largest regret the loss of less compute is followed."""


def alternatives(settled: Settled, prob: float) -> pd.DataFrame:
    """Return the choice beside others; see `Decision.alternatives`."""
    if not 0 < prob < 1:
        raise InputError(f"prob is {prob!r}; give a probability between 0 and 1.")
    rows = _rows(settled)
    table = _evaluated(settled, list(rows.values()), prob)
    table.index = pd.Index(list(rows), name="alternative")
    sizes = [not name.startswith(BY) for name in rows]
    options = settled.options
    regret = np.stack([place_of(options, n).regret(options) for n in rows.values()])
    best = regret[sizes].argmin(axis=0)
    shares = np.bincount(best, minlength=sum(sizes)) / regret.shape[1]
    table.loc[sizes, "probability_best"] = shares
    return table


def by_rules(settled: Settled) -> dict[str, float]:
    """Return the model size that each of the other rules would choose, by its name."""
    return {
        name: chosen(settled.problem, settled.options, rule()).n_params
        for name, rule in rules.REGISTRY.items()
        if settled.loss.size > 1 and rule() != settled.rule and rule().suits(settled.options)
    }


def _rows(settled: Settled) -> dict[str, float]:
    """Return the model sizes of the alternatives, by what they are."""
    found = {"choice": settled.choice.n_params}
    found |= {f"{BY}{name}": n_params for name, n_params in by_rules(settled).items()}
    low, high = settled.options.n_params[[0, -1]]
    for factor in _BESIDE:
        n_params = settled.choice.n_params * factor
        if settled.problem.menu is None and low <= n_params <= high:
            found[f"{factor:g} N"] = n_params
    if settled.problem.menu is not None:
        found |= {f"{n:.6g}": n for n in settled.options.n_params if n != settled.choice.n_params}
    return found


def _evaluated(settled: Settled, n_params: list[float], prob: float) -> pd.DataFrame:
    at = [place_of(settled.options, n) for n in n_params]
    points = settled.problem.points(np.array(n_params), settled.budget)
    loss = np.stack([place.loss(settled.options) for place in at])
    regret = np.stack([place.regret(settled.options) for place in at])
    tail = (1 - prob) / 2
    lower, median, upper = np.quantile(loss, [tail, 0.5, 1 - tail], axis=1, method="inverted_cdf")
    return pd.DataFrame(
        {
            "n_params": n_params,
            "tokens": points["tokens"].to_numpy(),
            "flops": points["flops"].to_numpy(),
            "loss": median,
            "loss_lower": lower,
            "loss_upper": upper,
            "regret_mean": regret.mean(axis=1),
            "regret_median": np.median(regret, axis=1),
            "regret_p95": np.quantile(regret, 0.95, axis=1, method="inverted_cdf"),
            "probability_best": np.nan,
            "mismatch": _mismatch(settled, regret.mean(axis=1)),
        }
    )


def _mismatch(settled: Settled, regret: np.ndarray) -> np.ndarray:
    """Return the share of the choice's compute that expected regrets are worth."""
    coarse = replace(settled.problem, n_candidates=rules.COARSE_CANDIDATES)
    above = np.maximum(regret - settled.value_of_perfect_information, 0)
    places, lowest, shares = [], [], np.geomspace(1, 1e-4, 25)
    for share in shares:
        budget = share * settled.choice.total_flops
        try:
            options = coarse.options(budget)
        except InputError:
            break
        best = options.expected_loss.argmin()
        places.append(coarse.points(options.n_params[[best]], budget))
        lowest.append(options.expected_loss[best])
        if lowest[-1] - lowest[0] > _BEYOND * above.max():
            break
    least = settled.problem.expected_losses(places)
    rise = np.maximum.accumulate(least - least[0])
    rising = np.flatnonzero(np.diff(rise, prepend=-1.0) > 0)
    logs = np.interp(above, rise[rising], np.log(shares[rising]), right=np.nan)
    worth: np.ndarray = 1 - np.exp(logs)
    return worth
