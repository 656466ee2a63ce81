"""The command ``decide``: which run to train within a budget, by which rule, and how surely."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group as OptionGroup
from cyclopts import Parameter
from cyclopts.validators import Number

from scaling_bayes._intervals import DEFAULT_PROB
from scaling_bayes.cli import _numbers
from scaling_bayes.cli._answer import Answer, records, show, table_of
from scaling_bayes.cli._options import DEFAULT_SHAPE, OwnLaw, Shape
from scaling_bayes.cli._plot import picture_at, save_picture
from scaling_bayes.cli._points import beyond_runs
from scaling_bayes.cli._sources import about, sources_named
from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import pandas as pd
    from rich.console import Group

    from scaling_bayes import Average, Decision, Hardware, Limits
    from scaling_bayes._decision.rules import Rule
    from scaling_bayes._draws import LawDraws
    from scaling_bayes._forecast import Of

EXAMPLES = """\
Examples
  scaling-bayes decide fit.nc --flops 1e24
  scaling-bayes decide fit.nc --flops 1e24 --rule quantile --prob 0.95 --output regret.png
  scaling-bayes decide fit.nc --money '$2M' --peak '989 TFLOP/s' --utilisation 0.4 --price '$2.50'
  scaling-bayes decide fit.nc --flops 1e24 --max-params 30B --served-tokens 2T
  scaling-bayes decide fit.nc --rule cheapest --target 2.0 --prob 0.9
  scaling-bayes decide chinchilla.nc kaplan.nc --flops 1e24 --rule minimax-regret
  scaling-bayes decide published:besiroglu2024 --flops 5.88e23 --n-params 7B --n-params 70B"""

_BUDGET = OptionGroup("Budget, in one of these", sort_key=1)
_HARDWARE = OptionGroup("Hardware", sort_key=2)
_LIMITS = OptionGroup("Limits", sort_key=3)


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


@Parameter(name="*")
@dataclass(frozen=True)
class Budget:
    """How much there is to spend."""

    flops: Annotated[
        str | None, Parameter(group=_BUDGET, help="Such as 1e24 or 3e4PF-days; serving included.")
    ] = None
    gpu_hours: Annotated[
        str | None, Parameter(group=_BUDGET, help="Such as 1.5M; needs --peak and --utilisation.")
    ] = None
    money: Annotated[
        str | None, Parameter(group=_BUDGET, help="Such as '$2M'; needs --price as well.")
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Devices:
    """What trains and serves."""

    peak: Annotated[
        str | None, Parameter(group=_HARDWARE, help="Peak of one device, such as '989 TFLOP/s'.")
    ] = None
    utilisation: Annotated[
        float | None,
        Parameter(group=_HARDWARE, help="Share of the peak that is used, such as 0.4."),
    ] = None
    devices: Annotated[
        int | None, Parameter(group=_HARDWARE, help="How many work at once; for --wall-time.")
    ] = None
    price: Annotated[
        str | None, Parameter(group=_HARDWARE, help="Of one device for an hour, such as '$2.50'.")
    ] = None

    def hardware(self) -> Hardware | None:
        """Return the hardware; None where nothing is said of it.

        Raises
        ------
        InputError
            If its peak or utilisation is missing.
        """
        import scaling_bayes as sb

        if (self.peak, self.utilisation, self.devices, self.price) == (None,) * 4:
            return None
        if self.peak is None or self.utilisation is None:
            raise InputError("hardware needs both --peak and --utilisation.")
        return sb.Hardware(
            peak=self.peak,
            utilisation=self.utilisation,
            n_devices=self.devices,
            price=self.price,
        )


@Parameter(name="*")
@dataclass(frozen=True)
class Bounds:
    """What the run may not exceed."""

    max_params: Annotated[
        str | None, Parameter(group=_LIMITS, help="Largest model, such as 70B.")
    ] = None
    min_params: Annotated[str | None, Parameter(group=_LIMITS, help="Smallest model.")] = None
    max_tokens: Annotated[
        str | None, Parameter(group=_LIMITS, help="Most tokens to train on, such as 15T.")
    ] = None
    unique_tokens: Annotated[
        str | None,
        Parameter(group=_LIMITS, help="Tokens that there are; more are read again, for less."),
    ] = None
    wall_time: Annotated[
        str | None,
        Parameter(group=_LIMITS, help="Longest training, such as '60 days'; needs --devices."),
    ] = None
    served_tokens: Annotated[
        str | None,
        Parameter(group=_LIMITS, help="Tokens that the model will serve, paid from the budget."),
    ] = None
    n_params: Annotated[
        tuple[str, ...],
        Parameter(
            group=_LIMITS, show_default=False, help="A model size to choose from; may be repeated."
        ),
    ] = ()

    def limits(self) -> Limits:
        """Return the limits on the run."""
        import scaling_bayes as sb

        return sb.Limits(
            n_params=self.max_params,
            least_n_params=self.min_params,
            tokens=self.max_tokens,
            unique_tokens=self.unique_tokens,
            wall_time=self.wall_time,
        )


NO_BUDGET, NO_DEVICES, NO_BOUNDS = Budget(), Devices(), Bounds()


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
    law: OwnLaw = None,
    seed: Annotated[int, Parameter(help="Seed of noise, discrepancy and repeated data.")] = 0,
    shape: Shape = DEFAULT_SHAPE,
) -> None:
    """Decide which run to train: by a rule, within a budget and limits, and how surely."""
    picture = None if output is None else picture_at(output)
    origin = source_of(sources, law)
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


def decision_by(
    source: LawDraws | Average,
    rule: Rule,
    budget: Budget,
    hardware: Devices,
    bounds: Bounds,
    *,
    of: Of,
    seed: int,
) -> Decision:
    """Return the decision that options ask for."""
    import scaling_bayes as sb

    return sb.decide(
        source,
        flops=budget.flops,
        gpu_hours=budget.gpu_hours,
        money=budget.money,
        rule=rule,
        hardware=hardware.hardware(),
        limits=bounds.limits(),
        served_tokens=bounds.served_tokens,
        n_params=list(bounds.n_params) or None,
        of=of,
        seed=seed,
    )


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
    frame = pd.DataFrame([choice])
    document = {
        "source": origin.label,
        "budget": decision.budget,
        "rule": decision.rule.words,
        "prob": prob,
        "epsilon": epsilon,
        "choice": records(frame)[0],
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
        tables.append(_changes(changes))
    said_below = (str(decision.range()), "times the compute of the largest run fitted")
    words = [
        str(found),
        about(origin, f"{100 * prob:g}% equal-tailed"),
        *beyond_runs(origin, frame, discrepancy_counts=True),
    ]
    opening = [line for line in decision.words if not any(each in line for each in said_below)]
    return Answer(tables, words, alternatives, document, opening=opening)


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
            "best with\nprobability",
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
                f"{row['probability_best']:.2f}" if known else "",
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


def _changes(frame: pd.DataFrame) -> Group:
    return table_of(
        "What would change it",
        ["", "N then", "D then", "times N", "expected\nloss falls by"],
        [
            [
                f"by {row['change']}".replace("_", " ") if row["kind"] == "rule" else row["change"],
                _numbers.n_params(row["n_params"]),
                _numbers.tokens(row["tokens"]),
                f"{row['times']:.2f}",
                "" if isnan(row["gain"]) else f"{row['gain']:+.4f}",
            ]
            for row in frame.to_dict("records")
        ],
    )
