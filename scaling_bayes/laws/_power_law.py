"""Power laws in one size: parameters, tokens or compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scaling_bayes.errors import InputError
from scaling_bayes.laws._base import exponent, irreducible_loss, scale
from scaling_bayes.laws._kaplan import KAPLAN_2020
from scaling_bayes.laws._power_sum import PowerSum, Term
from scaling_bayes.laws._published import PublishedLaw
from scaling_bayes.units import PF_DAY

Covariate = Literal["n_params", "tokens", "flops"]


@dataclass(frozen=True)
class _Size:
    """What the law of one size is called, and where its scale lies."""

    letter: str
    words: str
    unit: str
    exponent: float
    scale: float
    scale_without_floor: float
    spread_without_floor: float


_SIZES: dict[str, _Size] = {
    "n_params": _Size("N", "model size", "parameters", 0.35, 1e8, 8e13, 6.0),
    "tokens": _Size("D", "tokens", "tokens", 0.35, 1e9, 5e13, 6.0),
    "flops": _Size("C", "compute", "FLOPs", 0.17, 1e19, 3e28, 12.0),
}


def _size(covariate: str) -> _Size:
    if covariate not in _SIZES:
        raise InputError(
            f"a power law cannot be in {covariate!r}; it can be in {', '.join(_SIZES)}."
        )
    return _SIZES[covariate]


def _term(letter: str, covariate: str) -> Term:
    return Term(covariate, scale=f"{letter}_c", exponent=f"alpha_{letter}", coefficient="A")


class PowerLaw(PowerSum):
    """L = L_inf + (X_c/X)^alpha_X, with X one of N, D and C.

    Parameters
    ----------
    covariate : {"n_params", "tokens", "flops"}
        The size X.
    priors : mapping, optional
        As in `Law`.

    Raises
    ------
    InputError
        If `covariate` is none of the three.
    """

    citation = KAPLAN_2020

    def __init__(self, covariate: Covariate, *, priors: Mapping[str, object] | None = None) -> None:
        size = _size(covariate)
        letter = size.letter
        self.name = f"power-{letter.lower()}"
        self.parameters = (
            irreducible_loss(),
            exponent(f"alpha_{letter}", rf"\alpha_{letter}", size.words, median=size.exponent),
            scale(f"{letter}_c", f"{letter}_c", size.unit, median=size.scale, spread=4.0),
        )
        self.terms = (_term(letter, covariate),)
        super().__init__(priors=priors)


class PurePowerLaw(PowerSum):
    """L = (X_c/X)^alpha_X, with X one of N, D and C and no irreducible loss.

    Kaplan et al. 2020, equations 1.1 to 1.3.

    Parameters
    ----------
    covariate : {"n_params", "tokens", "flops"}
        The size X.
    priors : mapping, optional
        As in `Law`.

    Raises
    ------
    InputError
        If `covariate` is none of the three.
    """

    citation = KAPLAN_2020
    irreducible = False

    def __init__(self, covariate: Covariate, *, priors: Mapping[str, object] | None = None) -> None:
        size = _size(covariate)
        letter = size.letter
        self.name = f"pure-power-{letter.lower()}"
        self.parameters = (
            exponent(f"alpha_{letter}", rf"\alpha_{letter}", size.words, median=0.075, spread=0.6),
            scale(
                f"{letter}_c",
                f"{letter}_c",
                size.unit,
                median=size.scale_without_floor,
                spread=size.spread_without_floor,
            ),
        )
        self.terms = (_term(letter, covariate),)
        super().__init__(priors=priors)


PurePowerLaw.published = {
    published.label: published
    for published in (
        PublishedLaw(
            f"kaplan2020-{law.terms[0].covariate}",
            law,
            dict(zip(law.parameter_names, values, strict=True)),
            KAPLAN_2020,
            note,
        )
        for law, values, note in (
            (PurePowerLaw("n_params"), (0.076, 8.8e13), "N without embeddings"),
            (PurePowerLaw("tokens"), (0.095, 5.4e13), "models stopped early"),
            (PurePowerLaw("flops"), (0.050, 3.1e8 * PF_DAY), "compute allocated optimally"),
        )
    )
}
