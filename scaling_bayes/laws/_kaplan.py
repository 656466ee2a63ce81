"""Kaplan's joint law of model size and tokens."""

from __future__ import annotations

from typing import Any

from scaling_bayes.laws._common_parameters import exponent, scale
from scaling_bayes.laws._law import Citation, PublishedLaw
from scaling_bayes.laws._power_sum import PowerSum, Term

KAPLAN_2020 = Citation(
    "Kaplan et al.", 2020, "Scaling Laws for Neural Language Models", "2001.08361"
)


class Kaplan(PowerSum):
    """L = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D, without an irreducible loss.

    Kaplan et al. 2020, equation 1.5. N counts no embeddings there.
    """

    name = "kaplan"
    citation = KAPLAN_2020
    parameters = (
        exponent(
            "alpha_N",
            r"\alpha_N",
            "model size",
            median=0.08,
            spread=0.6,
            reason="Kaplan 2020 finds 0.076; one standard deviation is a factor of 1.8",
        ),
        exponent(
            "alpha_D",
            r"\alpha_D",
            "tokens",
            median=0.1,
            spread=0.6,
            reason="Kaplan 2020 finds 0.103; one standard deviation is a factor of 1.8",
        ),
        scale(
            "N_c",
            "N_c",
            "parameters",
            median=8e13,
            spread=6.0,
            reason="Kaplan 2020 finds 6.4e13; it depends on the vocabulary, so one standard "
            "deviation is a factor of 400",
        ),
        scale(
            "D_c",
            "D_c",
            "tokens",
            median=3e13,
            spread=6.0,
            reason="Kaplan 2020 finds 1.8e13; it depends on the vocabulary, so one standard "
            "deviation is a factor of 400",
        ),
    )
    terms = (
        Term("n_params", scale="N_c", exponent="alpha_N", coefficient="A"),
        Term("tokens", scale="D_c", exponent="alpha_D", coefficient="B"),
    )
    irreducible = False

    def inner_exponent(self, term: Term, p: Any) -> Any:
        """Return alpha_N/alpha_D for the N term and 1 for the D term."""
        return getattr(p, term.exponent) / p.alpha_D

    def outer_exponent(self, p: Any) -> Any:
        """Return alpha_D."""
        return p.alpha_D


Kaplan.published = {
    "kaplan2020": PublishedLaw(
        "kaplan2020",
        Kaplan(),
        {"alpha_N": 0.076, "alpha_D": 0.103, "N_c": 6.4e13, "D_c": 1.8e13},
        KAPLAN_2020,
        note="N without embeddings. The published N_opt proportional to C^0.73 is a separate fit "
        "of runs stopped early; this formula on its own, with C = 6 N D, implies C^0.58.",
    )
}
