"""Which runs to train: the checks of learning rate and batch, the sweep, and the held-out runs."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from math import log
from pathlib import Path

from model import CONTEXT, Shape

LADDER = tuple(
    Shape(width, depth)
    for width, depth in [
        *[(16, 1), (16, 2), (24, 2), (32, 2), (40, 2), (48, 3), (64, 3), (80, 3), (96, 4)],
        *[(128, 4), (160, 4), (192, 5), (224, 5), (256, 6)],
    ]
)
LARGEST = 5.12e12
LEVELS = tuple(LARGEST / 2.5**step for step in reversed(range(8)))
BATCHES = ((4, 4.1e5), (8, 1.64e6), (16, 6.55e6))  # windows, and the D below which they are used
LARGEST_BATCH = 32
TOKENS_PER_PARAMETER = (0.8, 200)
RECTANGLE_SHAPES = LADDER[1:7]
RECTANGLE_TOKENS = tuple(5.12e6 / 2.4**step for step in reversed(range(6)))


@dataclass(frozen=True)
class Point:
    """A run to train; ``lr_factor`` multiplies the rule's learning rate.

    ``part`` says why it is trained: ``isoflop``, ``rectangle``, ``seeds``, ``held_out``, or one
    of the checks, ``lr_check``, ``batch_check`` and ``held_out_check``.
    """

    part: str
    shape: Shape
    steps: int
    batch: int
    seed: int = 0
    lr_factor: float = 1.0

    @property
    def lr(self) -> float:
        """Peak learning rate: 0.5 / width, times ``lr_factor``.

        The best rate of hidden matrices under Adam falls as 1/width (Yang et al. 2022, arXiv
        2203.03466); here one rate serves the embedding too, and the check gives the 0.5.
        """
        return 0.5 / self.shape.width * self.lr_factor

    @property
    def tokens(self) -> int:
        """Bytes predicted in training, D."""
        return self.steps * self.batch * CONTEXT

    @property
    def flops(self) -> int:
        """6 N D, with N all parameters."""
        return 6 * self.shape.n_params * self.tokens

    @property
    def split(self) -> str:
        """``train``, ``held_out``, or ``check`` for a run that is not part of the sweep."""
        if self.part.endswith("_check"):
            return "check"
        return "held_out" if self.part == "held_out" else "train"


def point(part: str, shape: Shape, tokens: float, seed: int = 0, lr_factor: float = 1.0) -> Point:
    """Plan a run of about ``tokens`` bytes, with a batch that suits its length.

    The batch doubles where D grows fourfold, up to 32 windows.
    """
    batch = next((size for size, longest in BATCHES if tokens < longest), LARGEST_BATCH)
    steps = round(tokens / (batch * CONTEXT))
    return Point(part, shape, steps, batch, seed, lr_factor)


def lr_check() -> list[Point]:
    """Four sizes, each with half, once and twice the rule's learning rate."""
    cases = [
        (Shape(16, 1), 4e5),
        (Shape(32, 2), 1.6e6),
        (Shape(64, 3), 8e5),
        (Shape(96, 4), 1.6e6),
    ]
    return [
        point("lr_check", shape, tokens, lr_factor=factor)
        for shape, tokens in cases
        for factor in (0.5, 1.0, 2.0)
    ]


def batch_check() -> list[Point]:
    """Five runs of the slices that are a little longer than a step of the batch, at half of it."""
    cases = [
        *[(LADDER[2], 4.4e5), (LADDER[3], 6.7e5), (LADDER[3], 1.7e6)],
        *[(LADDER[4], 2.8e6), (LADDER[4], 7e6)],
    ]
    found = [
        min(
            (planned for planned in isoflop() if planned.shape == shape),
            key=lambda planned: abs(log(planned.tokens / tokens)),
        )
        for shape, tokens in cases
    ]
    return [half_batch(replace(planned, part="batch_check")) for planned in found]


def half_batch(planned: Point) -> Point:
    """Return the run with half the batch and twice the steps."""
    return replace(planned, batch=planned.batch // 2, steps=planned.steps * 2)


def isoflop() -> list[Point]:
    """Slices of equal compute: at each level, the shapes with 0.8 to 200 bytes per parameter."""
    low, high = TOKENS_PER_PARAMETER
    return [
        point("isoflop", shape, flops / (6 * shape.n_params))
        for flops in LEVELS
        for shape in LADDER
        if low <= flops / (6 * shape.n_params**2) <= high
    ]


def rectangle() -> list[Point]:
    """Every one of six shapes with every one of six lengths."""
    return [
        point("rectangle", shape, tokens)
        for shape in RECTANGLE_SHAPES
        for tokens in RECTANGLE_TOKENS
    ]


def seeds() -> list[Point]:
    """Two more seeds in the middle of each slice, and at the ends of two of them."""
    slices = [
        [planned for planned in isoflop() if 0.9 < planned.flops / flops < 1.1] for flops in LEVELS
    ]
    chosen = [planned[len(planned) // 2] for planned in slices]
    chosen += [planned[end] for planned in (slices[2], slices[5]) for end in (0, -1)]
    return [replace(planned, part="seeds", seed=seed) for planned in chosen for seed in (1, 2)]


def sweep() -> list[Point]:
    """All runs that forecasts may be fitted to."""
    return [*isoflop(), *rectangle(), *seeds()]


def nearest_shape(n_params: float) -> Shape:
    """Return the shape of the ladder whose size is nearest in ratio."""
    return min(LADDER, key=lambda shape: abs(log(shape.n_params / n_params)))


def held_out(registered: Path) -> list[Point]:
    """Read the runs whose loss was forecast before they were trained."""
    with registered.open(encoding="utf-8", newline="") as lines:
        return [
            Point(
                "held_out",
                Shape(int(row["width"]), int(row["depth"])),
                int(row["steps"]),
                int(row["batch"]),
            )
            for row in csv.DictReader(lines)
        ]


def held_out_check(registered: Path) -> list[Point]:
    """Return the held-out run at 10 times the compute that is near the optimum, changed.

    Half the learning rate in one, half the batch in the other: the sweep has few runs with its
    batch, and the check of the learning rate none of its length.
    """
    planned = next(point for point in held_out(registered) if point.shape.width == 80)
    planned = replace(planned, part="held_out_check")
    return [replace(planned, lr_factor=0.5), half_batch(planned)]
