"""The additive law of model size, tokens and compute."""

from __future__ import annotations

from scaling_bayes.laws._chinchilla import Chinchilla
from scaling_bayes.laws._common_parameters import exponent, scale
from scaling_bayes.laws._power_sum import PowerSum, Term


class Additive(PowerSum):
    """L = L_inf + (N_c/N)^alpha_N + (D_c/D)^alpha_D + (C_c/C)^alpha_C.

    With C = k N D the compute term is an interaction of size and tokens. It bends isoFLOP
    curves' level but not the place of their minimum: along C = const it is a constant. So
    compute-optimal sizes come from the N and D terms alone, and where runs cover a narrow
    band of tokens per parameter the three terms can be told apart only by their priors;
    compare prior and posterior of alpha_C before reading anything into it.
    """

    name = "additive"
    parameters = (
        *Chinchilla.parameters,
        exponent(
            "alpha_C",
            r"\alpha_C",
            "compute",
            median=0.17,
            reason="no published fit has this term; half of the exponents of N and D, as both "
            "grow about as the root of C",
        ),
        scale(
            "C_c",
            "C_c",
            "FLOPs",
            median=1e17,
            spread=4.0,
            reason="no published fit has this term; near 6 N_c D_c at their medians, and one "
            "standard deviation is a factor of 55",
        ),
    )
    terms = (
        *Chinchilla.terms,
        Term("flops", scale="C_c", exponent="alpha_C", coefficient="K"),
    )
