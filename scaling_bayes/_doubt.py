"""What is doubtful about a fit, and to which of its answers it matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

About = Literal["parameters", "forecast", "allocation"]
Severity = Literal["note", "serious"]

EVERYTHING: tuple[About, ...] = ("parameters", "forecast", "allocation")


@dataclass(frozen=True)
class Doubt:
    """A reason to distrust what a fit answers.

    Attributes
    ----------
    kind : str
        What it is about in two or three words, always the same for the same kind.
    words : str
        What was found, with its figures, in one sentence.
    remedy : str
        What usually helps, in one sentence.
    severity : {"note", "serious"}
        Serious is what makes answers wrong as a rule; a note may be of no consequence.
    about : tuple of {"parameters", "forecast", "allocation"}
        The answers that it matters to. A decision rests on all but the parameters.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> doubt = sb.Doubt("few runs", "5 runs were fitted.", "Add runs.", "serious")
    >>> print(doubt)
    Doubt (few runs): 5 runs were fitted. Add runs.
    """

    kind: str
    words: str
    remedy: str
    severity: Severity = "serious"
    about: tuple[About, ...] = EVERYTHING

    def __str__(self) -> str:
        label = "Doubt" if self.severity == "serious" else "Note"
        return f"{label} ({self.kind}): {self.words} {self.remedy}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self) | {"about": list(self.about)}


def doubts_of(source: object, *about: About) -> tuple[Doubt, ...]:
    """Return the doubts of fits, or of the members of an average, that matter to some answers.

    Parameters
    ----------
    source : Fit, Average, PublishedLaw or baseline, or a mapping of names to such
        What answers; one that keeps no doubts has none.
    *about : {"parameters", "forecast", "allocation"}
        The answers.
    """
    members = source if isinstance(source, Mapping) else getattr(source, "members", None)
    every = members.values() if isinstance(members, Mapping) else (source,)
    found = (doubt for one in every for doubt in getattr(one, "doubts", ()))
    return tuple(dict.fromkeys(doubt for doubt in found if set(about) & set(doubt.about)))


def in_lines(doubts: tuple[Doubt, ...]) -> str:
    """Return doubts as lines below an answer; nothing if there are none."""
    return "".join(f"\n{doubt}" for doubt in doubts)
