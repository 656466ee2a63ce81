"""The law that holds both Chinchilla's and Kaplan's inside it."""

from __future__ import annotations

from math import log
from typing import Any

from scaling_bayes.laws._base import exponent, scale
from scaling_bayes.laws._chinchilla import Chinchilla
from scaling_bayes.laws._power_sum import PowerSum
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior


class Coupled(PowerSum):
    """L = L_inf + [(N_c/N)^alpha_N + (D_c/D)^alpha_D]^gamma.

    Chinchilla's law is gamma = 1. Kaplan's is L_inf = 0 with, in Kaplan's letters,
    alpha_N/alpha_D, 1 and alpha_D for alpha_N, alpha_D and gamma. The exponents at which the
    loss falls when one size alone grows are gamma alpha_N and gamma alpha_D.

    The default priors hold both published laws within two standard deviations, and so are wider
    than those of either. On runs that follow Kaplan's law, the posterior of L_inf goes down to
    zero but does not sit there: runs seldom tell a small floor from none. Sampling is slow there,
    and the default length sometimes fails the convergence check; take more draws, or `Kaplan`.
    """

    name = "coupled"
    citation = Chinchilla.citation
    parameters = (
        Parameter(
            "L_inf",
            r"L_\infty",
            "nats",
            "irreducible loss",
            Prior("HalfNormal", sigma=2.0),
            "no floor, as in Kaplan's law, has 1.4 times the density of 1.7 nats, as in "
            "Chinchilla's; wide enough for other vocabularies and for bytes",
        ),
        exponent(
            "alpha_N",
            r"\alpha_N",
            "model size",
            median=0.45,
            spread=0.6,
            reason="between 0.35 of Chinchilla's law and 0.74 of Kaplan's, inside the power",
        ),
        exponent(
            "alpha_D",
            r"\alpha_D",
            "tokens",
            median=0.45,
            spread=0.6,
            reason="between 0.28 to 0.37 of Chinchilla's law and 1 of Kaplan's, inside the power",
        ),
        scale(
            "N_c",
            "N_c",
            "parameters",
            median=1e9,
            spread=6.0,
            reason="between 5e7 of Chinchilla's law and 6e13 of Kaplan's; one standard deviation "
            "is a factor of 400",
        ),
        scale(
            "D_c",
            "D_c",
            "tokens",
            median=1e10,
            spread=6.0,
            reason="between 1e9 of Chinchilla's law and 2e13 of Kaplan's; one standard deviation "
            "is a factor of 400",
        ),
        Parameter(
            "gamma",
            r"\gamma",
            "1",
            "coupling of size and data",
            Prior("LogNormal", mu=log(0.5), sigma=1.0),
            "1 is Chinchilla's law and 0.1 Kaplan's; both lie within two standard deviations",
        ),
    )
    terms = Chinchilla.terms

    def outer_exponent(self, p: Any) -> Any:
        """Return gamma."""
        return p.gamma
