"""The command ``decide``: which run to train within a budget, by which rule, and how surely."""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum, auto
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import Answer, records, show, table_of
from scaling_bayes.cli._options import DEFAULT_SHAPE, At, OwnLaw, Shape
from scaling_bayes.cli._plot import picture_at, save_picture
from scaling_bayes.cli._points import beyond_runs
from scaling_bayes.cli._problem import (
    NO_BOUNDS,
    NO_BUDGET,
    NO_DEVICES,
    Bounds,
    Budget,
    Devices,
    decision_by,
)
from scaling_bayes.cli._sources import about, source_at, sources_named
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import pandas as pd
    from rich.console import Group

    from scaling_bayes import Average, Choice, Decision
    from scaling_bayes._decision.rules import Rule
    from scaling_bayes._prediction.law_draws import LawDraws

EXAMPLES = """\
Examples
  scaling-bayes decide fit.nc --flops 1e24
  scaling-bayes decide fit.nc --flops 1e24 --rule quantile --prob 0.95 --output regret.png
  scaling-bayes decide fit.nc --money '$2M' --peak '989 TFLOP/s' --utilisation 0.4 --price '$2.50'
  scaling-bayes decide fit.nc --flops 1e24 --max-params 30B --served-tokens 2T
  scaling-bayes decide fit.nc --rule cheapest --target 2.0 --prob 0.9
  scaling-bayes decide chinchilla.nc kaplan.nc --flops 1e24 --rule minimax-regret
  scaling-bayes decide published:besiroglu2024 --flops 5.88e23 --n-params 7B --n-params 70B"""


class RuleName(Enum):
    """Rules by name."""

    EXPECTED_LOSS = auto()
    QUANTILE = auto()
    CVAR = auto()
    CVAR_REGRET = auto()
    MEET_TARGET = auto()
    CHEAPEST = auto()
    MINIMAX_REGRET = auto()


_WITH_TARGET = (RuleName.MEET_TARGET, RuleName.CHEAPEST)


def decide(
    *sources: Annotated[
        str,
        Parameter(
            help="A fit that `scaling-bayes fit --output` wrote, or a published law. Several, of "
            "different laws, are averaged with equal weights."
        ),
    ],
    budget: Budget = NO_BUDGET,
    rule: Annotated[
        RuleName, Parameter(help="What makes one choice better than another.")
    ] = RuleName.EXPECTED_LOSS,
    target: Annotated[
        float | None, Parameter(help="Loss that meet-target and cheapest are to keep to.")
    ] = None,
    prob: Annotated[
        float,
        Parameter(
            validator=Number(gt=0, lt=1),
            help="Probability of the rule (quantile, cvar, cheapest), of the range, and inside the "
            "equal-tailed intervals.",
        ),
    ] = DEFAULT_PROB,
    of: Annotated[
        Literal["mean_curve", "new_run"], Parameter(help="Whose loss rules of loss look at.")
    ] = "mean_curve",
    epsilon: Annotated[
        float, Parameter(help="Nats per token of regret that count as none, for the range.")
    ] = 0.001,
    hardware: Devices = NO_DEVICES,
    bounds: Bounds = NO_BOUNDS,
    output: Annotated[
        str | None, Parameter(help="PNG, PDF or SVG file for a picture of the regret.")
    ] = None,
    at: At = (),
    law: OwnLaw = None,
    seed: Annotated[int, Parameter(help="Seed of noise, discrepancy and repeated data.")] = 0,
    shape: Shape = DEFAULT_SHAPE,
) -> None:
    """Decide which run to train: by a rule, within a budget and limits, and how surely."""
    picture = None if output is None else picture_at(output)
    origin = source_at(source_of(sources, law), at)
    chosen = _rule(rule, prob, target)
    decision = decision_by(origin, chosen, budget, hardware, bounds, of=of, seed=seed)
    show(_answer(decision, prob=prob, epsilon=epsilon), shape)
    if picture is not None:
        from scaling_bayes import plots

        save_picture(plots.plot_regret(decision, epsilon=epsilon, prob=prob), picture)


def source_of(texts: Sequence[str], law: str | None) -> LawDraws | Average:
    """Return the one source, or the average of several with equal weights.

    Raises
    ------
    InputError
        If there is none, or one is given twice.
    """
    if not texts:
        raise InputError("give a fit or a published law, such as fit.nc.")
    if len(set(texts)) < len(texts):
        raise InputError(f"{max(texts, key=texts.count)} is given twice; give it once.")
    found = sources_named(texts, () if law is None else (law,))
    if len(found) == 1:
        return found[0]

    import scaling_bayes as sb

    return sb.average(dict(zip(texts, found, strict=True)))


def _rule(name: RuleName, prob: float, target: float | None) -> Rule:
    """Return the rule of a name.

    Raises
    ------
    InputError
        If it needs a target and there is none, or the other way round.
    """
    import scaling_bayes as sb

    option = name.name.lower().replace("_", "-")
    if (target is None) == (name in _WITH_TARGET):
        needed = "needs a loss: --target 2.0" if target is None else "has no use for --target"
        raise InputError(f"--rule {option} {needed}.")
    loss = 0.0 if target is None else target
    match name:
        case RuleName.EXPECTED_LOSS:
            return sb.rules.ExpectedLoss()
        case RuleName.QUANTILE:
            return sb.rules.Quantile(prob)
        case RuleName.CVAR:
            return sb.rules.CVaR(prob)
        case RuleName.CVAR_REGRET:
            return sb.rules.CVaR(prob, of="regret")
        case RuleName.MEET_TARGET:
            return sb.rules.MeetTarget(loss)
        case RuleName.CHEAPEST:
            return sb.rules.Cheapest(loss, prob)
        case RuleName.MINIMAX_REGRET:
            return sb.rules.MinimaxRegret()


def _answer(decision: Decision, *, prob: float, epsilon: float) -> Answer:
    """Return the choice, alternatives, range and changes of a decision."""
    import pandas as pd

    origin: Any = decision.problem.source
    alternatives = decision.alternatives(prob=prob).reset_index()
    changes = decision.what_would_change_it()
    found = decision.range(epsilon=epsilon, prob=prob)
    choice = {name: getattr(decision.choice, name) for name in _CHOICE}
    error = decision.monte_carlo_error
    frame = pd.DataFrame([choice])
    document = {
        "source": origin.label,
        "budget": decision.budget,
        "rule": decision.rule.words,
        "prob": prob,
        "epsilon": epsilon,
        "choice": records(frame)[0],
        "monte_carlo_error": None if error is None else records(pd.DataFrame([asdict(error)]))[0],
        "binding": list(decision.binding),
        "expected_loss": decision.expected_loss,
        "value_of_perfect_information": decision.value_of_perfect_information,
        "range": None if found.empty else {"n_params": found.n_params, "tokens": found.tokens},
        "alternatives": records(alternatives),
        "changes": records(changes),
        "words": list(decision.words),
    }
    known = decision.loss.size > 1
    tables = [_alternatives(alternatives, prob, known=known)]
    if len(changes):
        tables.append(_changes(changes, decision.choice))
    beyond = beyond_runs(origin, frame)
    said_below = [str(decision.range()), *(["times the compute of the largest run"] * len(beyond))]
    words = [str(found), about(origin, f"{100 * prob:g}% equal-tailed"), *beyond]
    said_below += map(str, decision.doubts)
    opening = [line for line in decision.words if not any(each in line for each in said_below)]
    return Answer(tables, words, alternatives, document, opening=opening, doubts=decision.doubts)


_SAME = 0.01
"""Share by which sizes may differ and count as the same."""
_CHOICE = ("n_params", "tokens", "flops", "total_flops", "epochs")


def _alternatives(frame: pd.DataFrame, prob: float, *, known: bool) -> Group:
    return table_of(
        "The choice and alternatives",
        [
            "",
            "N",
            "D",
            f"loss,\n{100 * prob:g}% interval" if known else "loss",
            "regret\non average",
            "regret at 95th\npercentile",
            "best of these\nwith probability",
            "costs of\nthe budget",
        ],
        [
            [
                row["alternative"].replace("_", " "),
                _numbers.n_params(row["n_params"]),
                _numbers.tokens(row["tokens"]),
                _loss(row),
                _numbers.cost(row["regret_mean"]),
                _numbers.cost(row["regret_p95"]) if known else "",
                f"{row['probability_best']:.2f}" if row["probability_best"] >= 0 and known else "",
                f"{row['mismatch']:.1%}",
            ]
            for row in frame.to_dict("records")
        ],
        caption="Regret is the loss of the mean curve above the best of each draw, in nats per "
        "token.",
    )


def _loss(row: dict[Hashable, Any]) -> str:
    interval = _numbers.bounds(row["loss_lower"], row["loss_upper"], _numbers.loss)
    return f"{_numbers.loss(row['loss'])}\n{interval}".rstrip()


def _changes(frame: pd.DataFrame, choice: Choice) -> Group:
    same = (frame["times"] - 1).abs() < _SAME
    same &= (frame["tokens"] / choice.tokens - 1).abs() < _SAME
    without = ", ".join(_change(row) for row in frame[same].to_dict("records"))
    return table_of(
        "What would change it",
        ["", "N then", "D then", "times N", "expected\nloss falls by"],
        [
            [
                _change(row),
                _numbers.n_params(row["n_params"]),
                _numbers.tokens(row["tokens"]),
                f"{row['times']:.2f}",
                "" if isnan(row["gain"]) else f"{row['gain']:+.4f}",
            ]
            for row in frame[~same].to_dict("records")
        ],
        caption=f"Next to nothing would change by: {without}." if without else "",
    )


def _change(row: dict[Hashable, Any]) -> str:
    words: str = row["change"]
    return f"by {words}".replace("_", " ") if row["kind"] == "rule" else words
