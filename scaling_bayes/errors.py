"""Every error and warning that the package raises on purpose.

A message says what is wrong, where, with which value, and what usually helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaling_bayes._printable import printed


class ScalingBayesError(Exception):
    """Base class of all errors of the package."""

    @printed
    def __str__(self) -> str:
        # A KeyError among the bases would show its message in quotes.
        return Exception.__str__(self)


class InputError(ScalingBayesError, ValueError):
    """An argument has a value that cannot be used."""


class UnitError(InputError):
    """A quantity such as ``"7B"`` or ``"3e8 PF-days"`` cannot be read."""


@dataclass(frozen=True)
class Problem:
    """One thing in a table of runs that cannot be used.

    Attributes
    ----------
    row : object
        Line in the file (the header is line 1) or index label; None for a whole column or table.
    column : str or None
        Column; None for a whole row or table.
    value : object
        The cell as it stands in the table; None where there is no one cell.
    reason : str
        What is wrong.
    remedy : str
        What usually helps.
    """

    row: object
    column: str | None
    value: object
    reason: str
    remedy: str


class RunsError(InputError):
    """A table of training runs holds cells that cannot be used; ``problems`` names them all."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class PriorError(InputError):
    """A prior does not fit the parameter that it is given for."""


class IdentifiabilityError(InputError):
    """The runs cannot tell the parameters of the law apart."""


class FileFormatError(InputError):
    """A saved fit cannot be read back: another format, version or law."""


class OtherKindError(FileFormatError):
    """A file holds a fit of groups where a fit of one law was asked for, or the other way round."""


class UnknownGroupError(InputError, KeyError):
    """A fit of groups was asked for a group that it does not have."""


class NoOptimumError(ScalingBayesError, ArithmeticError):
    """A law has no compute-optimal model size inside the range searched."""


class ConvergenceError(ScalingBayesError, RuntimeError):
    """The sampler's draws do not represent the posterior."""


class GroupsError(ScalingBayesError, RuntimeError):
    """Some of many groups could not be fitted.

    ``errors`` holds what each of them raised, by group, and ``fits`` the fit of each other one.
    """

    def __init__(
        self,
        message: str,
        errors: Mapping[str, ScalingBayesError],
        fits: Mapping[str, Any],
    ) -> None:
        super().__init__(message)
        self.errors = dict(errors)
        self.fits = dict(fits)


class WorkerKilledError(ScalingBayesError, RuntimeError):
    """A process that worked on some of many fits was killed, and the others cannot go on."""


class ScalingBayesWarning(UserWarning):
    """Base class of all warnings of the package."""

    @printed
    def __str__(self) -> str:
        # A KeyError among the bases would show its message in quotes.
        return Exception.__str__(self)


class RunsWarning(ScalingBayesWarning):
    """A table of training runs can be used, but something in it is probably not meant."""


class PlausibilityWarning(ScalingBayesWarning):
    """A limit, a budget or a size is far from those of any training run."""


class IdentifiabilityWarning(ScalingBayesWarning):
    """The runs tell some parameter apart from others only weakly."""


class DoubtWarning(ScalingBayesWarning):
    """Something in a table of runs makes what is fitted to it doubtful; see `Doubt`."""


class ConvergenceWarning(ScalingBayesWarning):
    """Draws that did not converge were kept because the caller asked for them."""


class CompilationWarning(ScalingBayesWarning):
    """Machine code cannot be kept on disk, so that every process compiles it anew."""
