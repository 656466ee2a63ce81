"""Chinchilla's law of model size and tokens."""

from __future__ import annotations

from scaling_bayes.laws._common_parameters import exponent, irreducible_loss, scale
from scaling_bayes.laws._law import Citation, PublishedLaw
from scaling_bayes.laws._power_sum import PowerSum, Term

HOFFMANN_2022 = Citation(
    "Hoffmann et al.", 2022, "Training Compute-Optimal Large Language Models", "2203.15556"
)
BESIROGLU_2024 = Citation(
    "Besiroglu et al.", 2024, "Chinchilla Scaling: A replication attempt", "2404.10102"
)


class Chinchilla(PowerSum):
    """L = L_inf + (N_c/N)^alpha_N + (D_c/D)^alpha_D.

    The third approach of Hoffmann et al. 2022 (equation 2), there written as
    E + A/N^alpha + B/D^beta: alpha_N is alpha, alpha_D is beta, and the derived
    A = N_c^alpha_N and B = D_c^alpha_D are reported beside them.
    """

    name = "chinchilla"
    citation = HOFFMANN_2022
    parameters = (
        irreducible_loss(
            reason="Hoffmann 2022 and Besiroglu 2024 find 1.69 and 1.82 on web text; wide enough "
            "for other vocabularies and for bytes",
        ),
        exponent(
            "alpha_N",
            r"\alpha_N",
            "model size",
            reason="Hoffmann 2022 and Besiroglu 2024 find 0.34 and 0.35; one standard deviation "
            "is a factor of 1.5",
        ),
        exponent(
            "alpha_D",
            r"\alpha_D",
            "tokens",
            reason="Hoffmann 2022 and Besiroglu 2024 find 0.28 and 0.37; one standard deviation "
            "is a factor of 1.5",
        ),
        scale(
            "N_c",
            "N_c",
            "parameters",
            median=1e8,
            reason="Hoffmann 2022 and Besiroglu 2024 imply 4.7e7 and 5.2e7; one standard "
            "deviation is a factor of 20",
        ),
        scale(
            "D_c",
            "D_c",
            "tokens",
            median=1e9,
            reason="Hoffmann 2022 and Besiroglu 2024 imply 2.2e9 and 1.2e9; one standard "
            "deviation is a factor of 20",
        ),
    )
    terms = (
        Term("n_params", scale="N_c", exponent="alpha_N", coefficient="A"),
        Term("tokens", scale="D_c", exponent="alpha_D", coefficient="B"),
    )


def _published(
    label: str,
    citation: Citation,
    *,
    E: float,
    A: float,
    B: float,
    alpha: float,
    beta: float,
    note: str = "",
) -> PublishedLaw:
    values = {
        "L_inf": E,
        "alpha_N": alpha,
        "alpha_D": beta,
        "N_c": A ** (1 / alpha),
        "D_c": B ** (1 / beta),
    }
    return PublishedLaw(label, Chinchilla(), values, citation, note)


Chinchilla.published = {
    published.label: published
    for published in (
        _published(
            "hoffmann2022",
            HOFFMANN_2022,
            E=1.69,
            A=406.4,
            B=410.7,
            alpha=0.34,
            beta=0.28,
            note="Rounded as in the paper, which matters far out: at 5.88e23 FLOPs they imply 93 "
            "tokens per parameter, and the unrounded values 59.",
        ),
        _published(
            "besiroglu2024",
            BESIROGLU_2024,
            E=1.81686,
            A=482.006,
            B=2085.434,
            alpha=0.34781,
            beta=0.36585,
        ),
    )
}
