"""Chinchilla's law where data are read more than once."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np

from scaling_bayes.laws._chinchilla import Chinchilla
from scaling_bayes.laws._functions import minimum
from scaling_bayes.laws._law import Citation, Law, PublishedLaw
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior

MUENNIGHOFF_2023 = Citation(
    "Muennighoff et al.", 2023, "Scaling Data-Constrained Language Models", "2305.16264"
)
_EXPONENT = 0.3526596


def _decay(name: str, symbol: str, of: str) -> Parameter:
    return Parameter(
        name,
        symbol,
        "1",
        f"repetitions after which {of} is worth 1/e",
        Prior("LogNormal", mu=log(10.0), sigma=1.0),
        "Muennighoff 2023 finds 15.4 for data and 5.3 for parameters; one standard deviation is a "
        "factor of 2.7",
    )


class DataConstrained(Law):
    r"""L = L_inf + (N_c/N')^alpha_N + (D_c/D')^alpha_D, of effective size N' and tokens D'.

    Of D tokens, U are read for the first time, and R = D/U - 1 times again:
    D' = U + U R_D (1 - exp(-R/R_D)). Parameters beyond those that are compute-optimal for U
    tokens are worth less in the same way, with R_N. Where U = D and N is at most that, it is
    Chinchilla's law.
    """

    name = "data-constrained"
    covariates = ("n_params", "tokens", "unique_tokens")
    citation = MUENNIGHOFF_2023
    parameters = (
        *Chinchilla.parameters,
        _decay("R_D", "R^*_D", "a token read again"),
        _decay("R_N", "R^*_N", "a parameter too many"),
    )

    def loss(self, p: Any, x: Any) -> Any:
        """Return the loss; tokens read more than once, and parameters too many, are worth less."""
        unique = minimum(x.unique_tokens, x.tokens)
        tokens = _worth(x.tokens, unique, p.R_D)
        # Where the marginal losses of size and data balance: alpha_N T_N = alpha_D T_D.
        enough = (
            p.N_c
            * (p.alpha_N / p.alpha_D) ** (1 / p.alpha_N)
            * (unique / p.D_c) ** (p.alpha_D / p.alpha_N)
        )
        n_params = _worth(x.n_params, minimum(enough, x.n_params), p.R_N)
        return p.L_inf + (p.N_c / n_params) ** p.alpha_N + (p.D_c / tokens) ** p.alpha_D


def _worth(used: Any, fresh: Any, decay: Any) -> Any:
    """Return what an amount is worth of which a part is fresh and the rest repeats it."""
    repetitions = used / fresh - 1
    return fresh + fresh * decay * (1 - np.exp(-repetitions / decay))


DataConstrained.published = {
    "muennighoff2023": PublishedLaw(
        "muennighoff2023",
        DataConstrained(),
        {
            "L_inf": exp(0.6254804),
            "alpha_N": _EXPONENT,
            "alpha_D": _EXPONENT,
            "N_c": exp(6.255414 / _EXPONENT),
            "D_c": exp(7.3049974 / _EXPONENT),
            "R_D": 15.387756,
            "R_N": 5.309743,
        },
        MUENNIGHOFF_2023,
        "on C4, read up to 1,500 times; the law without repetition was fitted first, and held",
    )
}
