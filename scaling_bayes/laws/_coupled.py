"""The law that holds both Chinchilla's and Kaplan's inside it."""

from __future__ import annotations

from typing import Any

from scaling_bayes.laws._chinchilla import Chinchilla
from scaling_bayes.laws._power_sum import PowerSum
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior


class Coupled(PowerSum):
    """L = L_inf + [(N_c/N)^alpha_N + (D_c/D)^alpha_D]^gamma.

    Chinchilla's law is gamma = 1. Kaplan's is L_inf = 0 with, in Kaplan's letters,
    alpha_N/alpha_D, 1 and alpha_D for alpha_N, alpha_D and gamma. The exponents at which the
    loss falls when one size alone grows are gamma alpha_N and gamma alpha_D.
    """

    name = "coupled"
    citation = Chinchilla.citation
    parameters = (
        *Chinchilla.parameters,
        Parameter(
            "gamma",
            r"\gamma",
            "1",
            "coupling of size and data",
            Prior("LogNormal", mu=0.0, sigma=0.5),
            "1 is Chinchilla's law; a factor of two either way covers Kaplan-like coupling",
        ),
    )
    terms = Chinchilla.terms

    def outer_exponent(self, p: Any) -> Any:
        """Return gamma."""
        return p.gamma
