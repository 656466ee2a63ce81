"""A power law whose exponent changes smoothly at one break or two."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any, Literal

import numpy as np

from scaling_bayes.errors import InputError
from scaling_bayes.laws._common_parameters import exponent, irreducible_loss, scale
from scaling_bayes.laws._functions import maximum
from scaling_bayes.laws._law import Citation, Law
from scaling_bayes.laws._power_law import Covariate, Size, size_of
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior

CABALLERO_2022 = Citation("Caballero et al.", 2022, "Broken Neural Scaling Laws", "2210.14891")

_FIRST_BREAK = {"n_params": 3e8, "tokens": 1e10, "flops": 1e20}
_SPREAD = {"n_params": 1.5, "tokens": 1.5, "flops": 2.0}
_NAMES = {1: "bnsl", 2: "bnsl2"}


class BrokenPowerLaw(Law):
    r"""L = L_inf + (X_c/X)^alpha_0 (1 + (X/d_1)^(1/f_1))^((alpha_0 - alpha_1) f_1), with one break.

    X is one of N, D and C. Far below the break d_1 the exponent is alpha_0, far beyond it alpha_1;
    f_1 is the width of the break: at 0.4, nine tenths of the change lie within a factor of 6
    to either side. A second break at d_2 multiplies by a second factor, with alpha_1, alpha_2 and
    f_2. The paper's equation 1 is the same law in c_i = alpha_i - alpha_(i-1). There c_i may have
    any sign; here every exponent is positive, so that loss falls throughout: a loss that rises
    and falls again does not follow this law.

    Parameters
    ----------
    covariate : {"n_params", "tokens", "flops"}
        The size X.
    n_breaks : {1, 2}
        Number of breaks.
    priors, fixed : mapping, optional
        As in `Law`.

    Raises
    ------
    InputError
        If `covariate` is none of the three, or the number of breaks neither 1 nor 2.
    """

    citation = CABALLERO_2022

    def __init__(
        self,
        covariate: Covariate,
        n_breaks: Literal[1, 2] = 1,
        *,
        priors: Mapping[str, object] | None = None,
        fixed: Mapping[str, float] | None = None,
    ) -> None:
        size = size_of(covariate)
        if n_breaks not in _NAMES:
            raise InputError(f"n_breaks is {n_breaks!r}; a broken power law has 1 or 2 breaks.")
        self._scale = f"{size.letter}_c"
        self.name = f"{_NAMES[n_breaks]}-{size.letter.lower()}"
        self.covariates = (covariate,)
        self.n_breaks = n_breaks
        self.parameters = (
            irreducible_loss(
                reason="as in the power law without a break: published fits of Chinchilla's law "
                "find 1.69 and 1.82 on web text"
            ),
            exponent(
                "alpha_0",
                r"\alpha_0",
                f"{size.words} before the first break",
                median=size.exponent,
                reason=size.exponent_reason,
            ),
            scale(
                self._scale,
                self._scale,
                size.unit,
                median=size.scale,
                spread=4.0,
                reason=f"{size.scale_reason}; one standard deviation is a factor of 55",
            ),
            Parameter(
                "d_1",
                "d_1",
                size.unit,
                "where the first break is",
                Prior("LogNormal", mu=log(_FIRST_BREAK[covariate]), sigma=_SPREAD[covariate]),
                "among the sizes that are trained for scaling laws; runs without a break hardly "
                "move it",
            ),
            *_beyond(1, size),
        )
        if n_breaks == 2:
            self.parameters += (
                Parameter(
                    "ratio_2",
                    "d_2/d_1",
                    "1",
                    "how many times the first break the second one is",
                    Prior("LogNormal", mu=log(30.0), sigma=1.0),
                    "breaks that are closer than a factor of 5 look like one",
                ),
                *_beyond(2, size),
            )
        super().__init__(priors=priors, fixed=fixed)

    def loss(self, p: Any, x: Any) -> Any:
        """Return the loss, in which each break turns one exponent into the next."""
        # In logs, and from the break on: so no factor overflows far beyond it.
        beyond = np.log(getattr(x, self.covariates[0])) - np.log(p.d_1)
        at_break = p.alpha_0 * (np.log(getattr(p, self._scale)) - np.log(p.d_1))
        log_term = at_break + _turned(beyond, p.alpha_0, p.alpha_1, p.f_1)
        if self.n_breaks == 2:
            log_ratio = np.log(p.ratio_2)
            beyond_second = beyond - log_ratio
            log_term = log_term + p.alpha_1 * (beyond - log_ratio)
            log_term = log_term + _turned(beyond_second, p.alpha_1, p.alpha_2, p.f_2)
        return p.L_inf + np.exp(log_term)

    def derived(self, p: Any) -> dict[str, Any]:
        """Return where the second break is."""
        return {"d_2": p.d_1 * p.ratio_2} if self.n_breaks == 2 else {}


def _turned(log_size: Any, before: Any, after: Any, width: Any) -> Any:
    """Return the log of a power with one exponent before 0 and another after; `before` at 0."""
    below = -log_size / width
    smooth = maximum(below, 0.0) + np.log1p(np.exp(-abs(below)))
    return (before - after) * width * smooth - after * log_size


def _beyond(which: int, size: Size) -> tuple[Parameter, Parameter]:
    """Return the width of a break and the exponent beyond it."""
    return (
        Parameter(
            f"f_{which}",
            f"f_{which}",
            "1",
            f"width of break {which}",
            Prior("LogNormal", mu=log(0.4), sigma=0.5),
            "from a change within a factor of 2 to one over two decades",
        ),
        exponent(
            f"alpha_{which}",
            rf"\alpha_{which}",
            f"{size.words} beyond break {which}",
            median=size.exponent,
            spread=0.6,
            reason="on average the same as without a break; one standard deviation is a factor "
            "of 1.8",
        ),
    )
