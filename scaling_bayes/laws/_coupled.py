"""The law that holds both Chinchilla's and Kaplan's inside it."""

from __future__ import annotations

from math import log
from typing import Any

from scaling_bayes.laws._chinchilla import Chinchilla
from scaling_bayes.laws._common_parameters import exponent, scale
from scaling_bayes.laws._power_sum import PowerSum, Term
from scaling_bayes.parameters import Parameter
from scaling_bayes.priors import Prior


class Coupled(PowerSum):
    """L = L_inf + (T_N^(1/gamma) + T_D^(1/gamma))^gamma, with T_N = (N_c/N)^alpha_N, T_D alike.

    Chinchilla's law is gamma = 1, and Kaplan's is L_inf = 0 and gamma = alpha_D. T_N and T_D are
    what is left above the floor where the other size has no end, so that alpha_N and alpha_D mean
    what they mean in those laws, whatever gamma. With gamma below 1 the sum is less than its
    parts: runs with about as much of one as of the other lie lower than Chinchilla's law has them,
    and the law goes on falling where that flattens.

    The priors of exponents and scales are those of Chinchilla's law. That of the floor begins at
    none: floors that were fitted to sweeps of small runs were too high for the runs that came
    after.
    """

    name = "coupled"
    citation = Chinchilla.citation
    parameters = (
        Parameter(
            "L_inf",
            r"L_\infty",
            "nats",
            "irreducible loss",
            Prior("HalfNormal", sigma=1.5),
            "from none, as in Kaplan's law, to the 1.7 to 1.8 nats of Chinchilla's; wide enough "
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
        Parameter(
            "gamma",
            r"\gamma",
            "1",
            "coupling of size and data",
            Prior("LogNormal", mu=log(0.5), sigma=0.4),
            "between Kaplan's law, 0.1, and Chinchilla's, 1; of a hundred forms of law and prior "
            "that were tried on public sweeps it forecast larger runs best",
        ),
    )
    terms = Chinchilla.terms

    def inner_exponent(self, term: Term, p: Any) -> Any:
        """Return alpha_N / gamma for the N term and alpha_D / gamma for the D term."""
        return getattr(p, term.exponent) / p.gamma

    def outer_exponent(self, p: Any) -> Any:
        """Return gamma."""
        return p.gamma

    def to_dict(self) -> dict[str, Any]:
        """Return name, class and priors as plain data, and that exponents are effective ones."""
        return super().to_dict() | {"exponents": "of each size alone"}
