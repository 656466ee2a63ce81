"""How two recipes may differ: log ratios of what a law is made of, and what is believed of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from scaling_bayes.errors import InputError
from scaling_bayes.laws import PowerSum

Part = Literal["L_inf", "exponents"]

PARTS: tuple[Part, ...] = ("L_inf", "exponents")
"""What two recipes may be said to share."""


@dataclass(frozen=True)
class Likeness:
    """How alike two recipes are believed to be before the runs.

    Each is the standard deviation of a log ratio between the recipes, whose prior is Normal
    around 0: 0.05 says that a difference of more than 10% has a probability of 5%.

    Attributes
    ----------
    L_inf : float
        Of the irreducible loss. 0.05, since it is mostly the entropy of the text on which the
        loss is taken, which a recipe does not change; two published fits to the same runs of
        Chinchilla, 1.69 and 1.82, have a log ratio of 0.07.
    terms : float
        Of each term's size, in nats, at the centre of the runs. 0.5, since a recipe that is worth
        three times the parameters or the tokens has a term smaller by 0.4, at the exponents of
        about 0.35 that published fits have.
    exponents : float
        Of each exponent. 0.2, since single changes of a recipe that move the exponent of the
        optimal size from 0.706 to 0.602, and to 0.571 (Porian et al. 2024), take log ratios of
        the exponents that differ by 0.5, and by 0.1.

    Raises
    ------
    InputError
        If one is not a positive number.
    """

    L_inf: float = 0.05
    terms: float = 0.5
    exponents: float = 0.2

    def __post_init__(self) -> None:
        for name in ("L_inf", "terms", "exponents"):
            value = getattr(self, name)
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not number or not isfinite(value) or value <= 0:
                raise InputError(
                    f"the likeness of {name} is {value!r}; give a positive standard deviation of "
                    'the log ratio, such as 0.1. To hold two equal, name them in share=("L_inf",).'
                )

    def spreads(self, law: PowerSum) -> dict[str, float]:
        """Return the prior standard deviation of each log ratio of a law, by what it is of."""
        floor = {"L_inf": self.L_inf} if law.irreducible else {}
        return (
            floor
            | dict.fromkeys(exponents_of(law), self.exponents)
            | dict.fromkeys(map(term_name, scales_of(law)), self.terms)
        )


def scales_of(law: PowerSum) -> list[str]:
    """Return the names of the scales of a law's terms."""
    return [term.scale for term in law.terms]


def exponents_of(law: PowerSum) -> list[str]:
    """Return the names of a law's parameters that are neither its floor nor a scale."""
    return [name for name in law.parameter_names if name not in {"L_inf", *scales_of(law)}]


def term_name(scale: str) -> str:
    """Return what the size of a term is called, by the name of its scale."""
    return f"{scale}_term"


def ratio_name(of: str) -> str:
    """Return the name under which a model holds the log ratio of something."""
    return f"log_ratio_{of}"


def members(law: PowerSum, part: Part) -> list[str]:
    """Return the parameters of a law that belong to a part."""
    if part == "exponents":
        return exponents_of(law)
    return ["L_inf"] if law.irreducible else []


def checked_share(share: Collection[str], law: PowerSum) -> tuple[Part, ...]:
    """Return the parts that the recipes share, in order.

    Raises
    ------
    InputError
        If one is unknown, or the law does not have it.
    """
    asked = {share} if isinstance(share, str) else set(share)
    for name in sorted(asked - set(PARTS)):
        raise InputError(f"share names {name!r}; recipes can share {' and '.join(PARTS)}.")
    found: tuple[Part, ...] = tuple(part for part in PARTS if part in asked)
    for part in found:
        if not members(law, part):
            raise InputError(f"share names {part!r}, and {law.name} has none. Leave it out.")
    return found


def natural_parameters(
    law: PowerSum,
    middle: Any,
    log_ratios: Mapping[str, Any],
    centres: Any,
    *,
    side: Any,
) -> SimpleNamespace:
    """Return the natural parameters of a recipe, from the middle of both and log ratios.

    A term's size is what it adds to the loss at the centre of the runs, r = t S^(g - 1), with
    t = (X_c / X)^e, S the sum of these over terms, and g the outer exponent. The scales follow.

    Parameters
    ----------
    law : PowerSum
        The law of both.
    middle : object with one attribute per parameter
        Natural parameters half-way between the recipes; floats, draws or PyTensor variables.
    log_ratios : mapping of str to number
        Log ratio of the second recipe to the first, by what it is of; 0 for what is missing.
    centres : object with one attribute per covariate
        The centre of the runs.
    side : float or ndarray, shape (recipe,)
        -0.5 for the first recipe, 0.5 for the second.
    """
    p = SimpleNamespace(
        **{
            name: getattr(middle, name) * np.exp(side * log_ratios.get(name, 0.0))
            for part in PARTS
            for name in members(law, part)
        }
    )
    log_inner = [_log_inner(law, term, middle, centres) for term in law.terms]
    bend = (law.outer_exponent(middle) - 1) * np.log(sum(np.exp(each) for each in log_inner))
    log_sizes = [
        each + bend + side * log_ratios.get(term_name(term.scale), 0.0)
        for each, term in zip(log_inner, law.terms, strict=True)
    ]
    unbend = (1 / law.outer_exponent(p) - 1) * np.log(sum(np.exp(each) for each in log_sizes))
    for log_size, term in zip(log_sizes, law.terms, strict=True):
        log_ratio = (log_size + unbend) / law.inner_exponent(term, p)
        setattr(p, term.scale, getattr(centres, term.covariate) * np.exp(log_ratio))
    return p


def gains(law: PowerSum, middle: Any, centres: Any) -> dict[str, Any]:
    """Return about how far the log loss at the centre moves with each log ratio.

    Runs in pairs determine how their log losses differ, and so each log ratio times its gain, far
    better than either.

    Parameters
    ----------
    law : PowerSum
        The law of both.
    middle : object with one attribute per parameter
        Natural parameters half-way between the recipes.
    centres : object with one attribute per covariate
        The centre of the runs.
    """
    loss = law.loss(middle, centres)
    log_inner = [_log_inner(law, term, middle, centres) for term in law.terms]
    total = sum(np.exp(each) for each in log_inner)
    reducible = total ** law.outer_exponent(middle)
    found = {"L_inf": middle.L_inf / loss} if law.irreducible else {}
    found |= dict.fromkeys(exponents_of(law), reducible / loss)
    for term, each in zip(law.terms, log_inner, strict=True):
        share = np.exp(each) / total * reducible / loss
        found[term_name(term.scale)] = share
        found[term.exponent] = share * getattr(middle, term.exponent)
    return found


def _log_inner(law: PowerSum, term: Any, p: Any, centres: Any) -> Any:
    """Return the log of (X_c / X)^e at the centre."""
    ratio = np.log(getattr(p, term.scale)) - np.log(getattr(centres, term.covariate))
    return law.inner_exponent(term, p) * ratio
