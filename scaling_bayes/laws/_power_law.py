"""Power laws in one size: parameters, tokens or compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scaling_bayes.errors import InputError
from scaling_bayes.laws._common_parameters import exponent, irreducible_loss, scale
from scaling_bayes.laws._kaplan import KAPLAN_2020
from scaling_bayes.laws._law import PublishedLaw
from scaling_bayes.laws._power_sum import PowerSum, Term
from scaling_bayes.units import PF_DAY

Covariate = Literal["n_params", "tokens", "flops"]


@dataclass(frozen=True)
class Size:
    """What the law of one size is called, and where its scale lies."""

    letter: str
    words: str
    unit: str
    exponent: float
    exponent_reason: str
    scale: float
    scale_reason: str
    exponent_in_kaplan: float
    scale_without_floor: float
    scale_in_kaplan: float
    spread_without_floor: float


_SIZES: dict[str, Size] = {
    "n_params": Size(
        letter="N",
        words="model size",
        unit="parameters",
        exponent=0.35,
        exponent_reason="the N term of published fits of Chinchilla's law has 0.34 and 0.35",
        scale=1e8,
        scale_reason="that of the N term of published fits of Chinchilla's law is near 5e7",
        exponent_in_kaplan=0.076,
        scale_without_floor=8e13,
        scale_in_kaplan=8.8e13,
        spread_without_floor=6.0,
    ),
    "tokens": Size(
        letter="D",
        words="tokens",
        unit="tokens",
        exponent=0.35,
        exponent_reason="the D term of published fits of Chinchilla's law has 0.28 and 0.37",
        scale=1e9,
        scale_reason="that of the D term of published fits of Chinchilla's law is 1e9 to 2e9",
        exponent_in_kaplan=0.095,
        scale_without_floor=5e13,
        scale_in_kaplan=5.4e13,
        spread_without_floor=6.0,
    ),
    "flops": Size(
        letter="C",
        words="compute",
        unit="FLOPs",
        exponent=0.17,
        exponent_reason="published fits of Chinchilla's law imply 0.15 and 0.18 at the optimum",
        scale=1e19,
        scale_reason="published fits of Chinchilla's law, at their optimum, lie one nat above "
        "the floor between 1e19 and 1e20",
        exponent_in_kaplan=0.050,
        scale_without_floor=3e28,
        scale_in_kaplan=3.1e8 * PF_DAY,
        spread_without_floor=12.0,
    ),
}


def size_of(covariate: str) -> Size:
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

    def __init__(
        self,
        covariate: Covariate,
        *,
        priors: Mapping[str, object] | None = None,
        fixed: Mapping[str, float] | None = None,
    ) -> None:
        size = size_of(covariate)
        letter = size.letter
        self.name = f"power-{letter.lower()}"
        self.parameters = (
            irreducible_loss(
                reason="published fits of Chinchilla's law find 1.69 and 1.82 on web text; wide "
                "enough for other vocabularies and for bytes",
            ),
            exponent(
                f"alpha_{letter}",
                rf"\alpha_{letter}",
                size.words,
                median=size.exponent,
                reason=size.exponent_reason,
            ),
            scale(
                f"{letter}_c",
                f"{letter}_c",
                size.unit,
                median=size.scale,
                spread=4.0,
                reason=f"{size.scale_reason}; one standard deviation is a factor of 55",
            ),
        )
        self.terms = (_term(letter, covariate),)
        super().__init__(priors=priors, fixed=fixed)


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

    def __init__(
        self,
        covariate: Covariate,
        *,
        priors: Mapping[str, object] | None = None,
        fixed: Mapping[str, float] | None = None,
    ) -> None:
        size = size_of(covariate)
        letter = size.letter
        self.name = f"pure-power-{letter.lower()}"
        self.parameters = (
            exponent(
                f"alpha_{letter}",
                rf"\alpha_{letter}",
                size.words,
                median=0.075,
                spread=0.6,
                reason=f"Kaplan 2020 finds {size.exponent_in_kaplan:.3f}; one standard deviation "
                "is a factor of 1.8",
            ),
            scale(
                f"{letter}_c",
                f"{letter}_c",
                size.unit,
                median=size.scale_without_floor,
                spread=size.spread_without_floor,
                reason=f"Kaplan 2020 finds {size.scale_in_kaplan:.1e}; it depends on the "
                "vocabulary and moves far with the exponent",
            ),
        )
        self.terms = (_term(letter, covariate),)
        super().__init__(priors=priors, fixed=fixed)


def _in_kaplan(covariate: Covariate, note: str) -> PublishedLaw:
    size = _SIZES[covariate]
    law = PurePowerLaw(covariate)
    values = (size.exponent_in_kaplan, size.scale_in_kaplan)
    return PublishedLaw(
        f"kaplan2020-{covariate}",
        law,
        dict(zip(law.parameter_names, values, strict=True)),
        KAPLAN_2020,
        note,
    )


PurePowerLaw.published = {
    published.label: published
    for published in (
        _in_kaplan("n_params", "N without embeddings"),
        _in_kaplan("tokens", "models stopped early"),
        _in_kaplan("flops", "compute allocated optimally"),
    )
}
