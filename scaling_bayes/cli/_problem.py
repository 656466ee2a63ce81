"""What a decision is about: budget, hardware and bounds, as options that commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group as OptionGroup
from cyclopts import Parameter

from scaling_bayes.errors import InputError

if TYPE_CHECKING:
    from scaling_bayes import Average, Decision, Hardware, Limits
    from scaling_bayes._decision.rules import Rule
    from scaling_bayes._prediction.forecast_answer import Of
    from scaling_bayes._prediction.law_draws import LawDraws

_BUDGET = OptionGroup("Budget, in one of these", sort_key=1)
_HARDWARE = OptionGroup("Hardware", sort_key=2)
_LIMITS = OptionGroup("Limits", sort_key=3)


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
        """Return the hardware; None if no option describes it.

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
