"""Options that several commands have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import LimitedChoice, Number

from scaling_bayes import laws, noise
from scaling_bayes._intervals import DEFAULT_PROB, IntervalKind
from scaling_bayes.cli._sources import published_laws

SAMPLING = Group("Sampling", sort_key=2)
_INTERVALS = Group("Intervals", sort_key=3)
_MACHINE = Group("Machine-readable output", validator=LimitedChoice(), sort_key=4)


@Parameter(name="*")
@dataclass(frozen=True)
class Shape:
    """Whom an answer is for."""

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
    def for_people(self) -> bool:
        """Whether people read it."""
        return not (self.json or self.csv)


@Parameter(name="*")
@dataclass(frozen=True)
class View(Shape):
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

    @property
    def percent(self) -> str:
        """The probability inside, for headings."""
        return f"{100 * self.prob:g}%"

    @property
    def interval_in_words(self) -> str:
        """Which probability, and which kind."""
        return f"{self.percent} {self.interval}"


DEFAULT_SHAPE = Shape()
DEFAULT_VIEW = View()

SamplerChoice = Literal["nutpie", "pymc", "numpyro"]
DiscrepancyChoice = Literal["none", "smooth"]

CoverageProb = Annotated[
    float,
    Parameter(
        group=_INTERVALS,
        validator=Number(gt=0, lt=1),
        help="Probability inside the equal-tailed intervals whose coverage is counted.",
    ),
]

RunsFile = Annotated[
    str,
    Parameter(help="Training runs, CSV or Parquet: loss, and two of n_params, tokens and flops."),
]
Where = Annotated[
    str | None, Parameter(help="Rows to keep, as a condition on columns: \"group == 'dense'\".")
]
Column = Annotated[
    tuple[str, ...],
    Parameter(
        show_default=False,
        help="A column that has another name in the table (columns in Python): "
        "loss=val_loss. May be repeated.",
    ),
]
FlopsPerParamToken = Annotated[float, Parameter(help="The k of C = k N D.")]
FlopsTolerance = Annotated[
    float, Parameter(help="Largest |C / (k N D) - 1| of a row that gives all three.")
]
DEFAULT_FLOPS_TOLERANCE = 0.2
LossUnit = Annotated[
    str | None,
    Parameter(
        help="What losses of the table are: nats_per_token, bits_per_token, perplexity, "
        "nats_per_byte or bits_per_byte. By default what the name of the column says, and else "
        "nats per token."
    ),
]
DuplicatesOption = Annotated[
    Literal["refuse", "drop", "keep"],
    Parameter(name="--duplicates", help="Rows that repeat an earlier one in every column."),
]
UnfinishedOption = Annotated[
    Literal["drop", "keep"],
    Parameter(name="--unfinished", help="Rows whose state says that the run did not finish."),
]

Priors = Annotated[
    tuple[str, ...],
    Parameter(
        show_default=False,
        help="Another prior of a parameter of the law: 'L_inf=Normal(1.6, 0.05)'. May be repeated.",
    ),
]
Fixed = Annotated[
    tuple[str, ...],
    Parameter(
        show_default=False,
        help="Hold a parameter of the law at a value: L_inf=1.6. It then has no interval, and "
        "forecasts are narrower. May be repeated.",
    ),
]
LAWS = f"{', '.join(laws.REGISTRY)}; or path/to/my_laws.py:MyLaw, which runs that file."
NoiseName = Annotated[
    str,
    Parameter(
        name="--noise",
        help=f"How log loss scatters around the law: {' or '.join(noise.REGISTRY)}.",
    ),
]
DISCREPANCY = (
    "How the mean of runs may differ from the law. With smooth, intervals of forecasts beyond the "
    "runs allow for the law's own error."
)
LAW_ALONE = (
    "Take the law for the truth, for questions about its parameters: its intervals are too narrow "
    "beyond the runs. By default the mean of runs may differ from it by a smooth discrepancy."
)

SamplingSeed = Annotated[int, Parameter(group=SAMPLING, help="The same seed gives the same draws.")]
SamplerName = Annotated[SamplerChoice, Parameter(group=SAMPLING, help="Who samples.")]
Draws = Annotated[
    int, Parameter(group=SAMPLING, help="Draws kept, per chain: 1000, of groups 2000.")
]
Tune = Annotated[
    int, Parameter(group=SAMPLING, help="Warm-up draws, per chain: 500, of groups 2000.")
]
Chains = Annotated[int, Parameter(group=SAMPLING, help="Independent chains.")]
TargetAccept = Annotated[
    float,
    Parameter(group=SAMPLING, help="Acceptance that steps are tuned for: 0.9, of groups 0.98."),
]

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
At = Annotated[
    tuple[str, ...],
    Parameter(
        show_default=False,
        help="Value of a covariate of the law that no compute budget determines: "
        "unique_tokens=10B. May be repeated.",
    ),
]
Seed = Annotated[int, Parameter(help="Seed of the noise of new runs.")]
