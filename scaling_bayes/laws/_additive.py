"""The additive law of model size, tokens and compute."""

from __future__ import annotations

from scaling_bayes.laws._base import exponent, irreducible_loss, scale
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
        irreducible_loss(),
        exponent("alpha_N", r"\alpha_N", "model size"),
        exponent("alpha_D", r"\alpha_D", "tokens"),
        exponent("alpha_C", r"\alpha_C", "compute", median=0.17),
        scale("N_c", "N_c", "parameters", median=1e8),
        scale("D_c", "D_c", "tokens", median=1e9),
        scale("C_c", "C_c", "FLOPs", median=1e17, spread=4.0),
    )
    terms = (
        Term("n_params", scale="N_c", exponent="alpha_N", coefficient="A"),
        Term("tokens", scale="D_c", exponent="alpha_D", coefficient="B"),
        Term("flops", scale="C_c", exponent="alpha_C", coefficient="K"),
    )
