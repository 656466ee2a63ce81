"""Options that several commands have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import LimitedChoice, Number

from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind
from scaling_bayes.cli._sources import published_laws

SAMPLING = Group("Sampling", sort_key=2)
_INTERVALS = Group("Intervals", sort_key=3)
_MACHINE = Group("Machine-readable output", validator=LimitedChoice(), sort_key=4)


@Parameter(name="*")
@dataclass(frozen=True)
class View:
    """How an answer is to be shown."""

    prob: Annotated[
        float,
        Parameter(group=_INTERVALS, validator=Number(gt=0, lt=1), help="Probability inside."),
    ] = DEFAULT_PROB
    interval: Annotated[
        IntervalKind,
        Parameter(
            group=_INTERVALS,
            help="As much probability left of it as right of it, or the shortest one.",
        ),
    ] = "equal-tailed"
    json: Annotated[
        bool,
        Parameter(
            group=_MACHINE,
            show_default=False,
            help="Write JSON, and nothing else, to standard output; null stands for infinity.",
        ),
    ] = False
    csv: Annotated[
        bool,
        Parameter(
            group=_MACHINE,
            show_default=False,
            help="Write CSV, and nothing else, to standard output.",
        ),
    ] = False

    @property
    def percent(self) -> str:
        """The probability inside, for headings."""
        return f"{100 * self.prob:g}%"

    @property
    def interval_in_words(self) -> str:
        """Which probability, and which kind."""
        return f"{self.percent} {self.interval}"


DEFAULT_VIEW = View()

SamplerChoice = Literal["nutpie", "pymc", "numpyro"]

Source = Annotated[
    str,
    Parameter(
        help="A fit that `scaling-bayes fit --output` wrote, or a published law: "
        + ", ".join(f"published:{name}" for name in published_laws())
        + "."
    ),
]
FitFile = Annotated[str, Parameter(help="A fit that `scaling-bayes fit --output` wrote.")]
OwnLaw = Annotated[
    str | None,
    Parameter(
        help="The law of the fit, if it is one of your own: path/to/my_laws.py:MyLaw. "
        "This runs the file."
    ),
]
Seed = Annotated[int, Parameter(help="Seed of the noise of new runs.")]
