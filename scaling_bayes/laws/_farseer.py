"""Farseer's law: the term of tokens has an exponent and a size that depend on N."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np

from scaling_bayes.laws._functions import minimum
from scaling_bayes.laws._law import Citation, Law, PublishedLaw
from scaling_bayes.parameters import ANY_NUMBER, Parameter
from scaling_bayes.priors import Prior

FARSEER_2025 = Citation(
    "Li et al.",
    2025,
    "Predictable Scale: Part II, Farseer: A Refined Scaling Law in Large Language Models",
    "2506.10972",
)
_N_0 = 1e9
_D_0 = 2e10
_LARGEST_LOG = 300.0
"""Models of a few parameters have more than any number holds; so much is enough."""


def _shape(name: str, symbol: str, of: str, found: float) -> Parameter:
    return Parameter(
        name,
        symbol,
        "1",
        f"how fast the slope of {of} changes with N",
        Prior("LogNormal", mu=log(0.1), sigma=0.7),
        f"Li 2025 finds {found:.2g}; one standard deviation is a factor of 2",
    )


class Farseer(Law):
    r"""L = exp(s N^q + S) + exp(B N^b + Q) D^-exp(A N^a + E), with nine constants.

    The first part is what a model of size N loses however many tokens it reads, the second what
    tokens remove. The nine constants of the paper move together far, so that neither priors nor
    tables could be read. Here the same law is written at N_0 = 1e9 parameters and D_0 = 2e10
    tokens: the value there of each of the three functions of N, its slope in log N there, and the
    power by which the slope changes, for each of them a straight line in log N where that is 0.
    `from_paper` gives these parameters for constants of the paper.

    With published constants the formula has its smallest loss at models of 1e18 parameters and
    one token, so that an optimum is searched only from 0.1 to 1e5 tokens per parameter.
    """

    name = "farseer"
    covariates = ("n_params", "tokens")
    citation = FARSEER_2025
    tokens_per_param = (0.1, 1e5)
    parameters = (
        Parameter(
            "L_N",
            "L_N",
            "nats",
            "loss of a model of 1e9 parameters without end of tokens",
            Prior("LogNormal", mu=log(1.9), sigma=0.6),
            "published fits of Chinchilla's law have 2.1 to 2.2; wide enough for bytes and for "
            "characters, where it is 0.45",
        ),
        Parameter(
            "alpha_N",
            r"\alpha_N",
            "1",
            "slope with which that falls in log N, at 1e9 parameters",
            Prior("LogNormal", mu=log(0.06), sigma=0.7),
            "Chinchilla's law has 0.07 there, Li 2025 finds 0.12; one standard deviation is a "
            "factor of 2",
        ),
        _shape("q", "q", "the loss without end of tokens", 0.13),
        Parameter(
            "L_D",
            "L_D",
            "nats",
            "what more tokens could remove at 1e9 parameters and 2e10 tokens",
            Prior("LogNormal", mu=log(0.3), sigma=1.0),
            "published fits of Chinchilla's law have 0.35 to 0.5; one standard deviation is a "
            "factor of 2.7, since it depends on the unit of loss too",
        ),
        Parameter(
            "slope_D",
            "s_D",
            "1",
            "slope of the logarithm of that in log N",
            Prior("Normal", mu=0.0, sigma=0.3),
            "0 in Chinchilla's law; Li 2025 finds 0.34",
            support=ANY_NUMBER,
        ),
        _shape("b", "b", "the term of tokens", 0.17),
        Parameter(
            "alpha_D",
            r"\alpha_D",
            "1",
            "exponent of tokens at 1e9 parameters",
            Prior("LogNormal", mu=log(0.35), sigma=0.4),
            "published fits of Chinchilla's law have 0.28 and 0.37, Li 2025 finds 0.31",
        ),
        Parameter(
            "slope_alpha_D",
            r"s_\alpha",
            "1",
            "slope of the logarithm of that exponent in log N",
            Prior("Normal", mu=0.0, sigma=0.2),
            "0 in Chinchilla's law; Li 2025 finds -0.2",
            support=ANY_NUMBER,
        ),
        _shape("a", "a", "the exponent of tokens", 0.046),
    )

    def loss(self, p: Any, x: Any) -> Any:
        """Return the loss, by values and slopes at 1e9 parameters and 2e10 tokens."""
        log_n = np.log(x.n_params / _N_0)
        limit = p.L_N * np.exp(-p.alpha_N * _bent(log_n, p.q))
        exponent = p.alpha_D * np.exp(p.slope_alpha_D * _bent(log_n, p.a))
        # At D = 1 the term is a bent line in log N, in the paper and so here; what its slope is
        # there follows from that at D_0.
        slope_at_one = p.slope_D + p.alpha_D * p.slope_alpha_D * log(_D_0)
        log_term = (
            np.log(p.L_D)
            + slope_at_one * _bent(log_n, -p.b)
            + p.alpha_D * log(_D_0)
            - exponent * np.log(x.tokens)
        )
        return limit + np.exp(minimum(log_term, _LARGEST_LOG))

    @classmethod
    def from_paper(
        cls,
        *,
        s: float,
        q: float,
        S: float,
        B: float,
        b: float,
        Q: float,
        A: float,
        a: float,
        E: float,
    ) -> dict[str, float]:
        """Return the parameters of this law for constants as the paper has them.

        Parameters
        ----------
        s, q, S, B, b, Q, A, a, E : float
            Those of L = exp(s N^q + S) + exp(B N^b + Q) D^-exp(A N^a + E), with N in parameters,
            D in tokens, q and a above 0 and b below.

        Returns
        -------
        dict of str to float
            A value for each parameter.

        Examples
        --------
        >>> import scaling_bayes as sb
        >>> values = sb.laws.Farseer.from_paper(
        ...     s=-0.062, q=0.13, S=0.13, B=231.0, b=-0.173, Q=-1.54, A=-1.67, a=0.046, E=3.13
        ... )
        >>> print(f"{values['alpha_D']:.2f}")
        0.30
        """
        limit, term, log_exponent = s * _N_0**q, B * _N_0**b, A * _N_0**a
        alpha_d = exp(log_exponent + E)
        slope_alpha_d = a * log_exponent
        return {
            "L_N": exp(limit + S),
            "alpha_N": -q * limit,
            "q": q,
            "L_D": exp(term + Q - alpha_d * log(_D_0)),
            "slope_D": b * term - alpha_d * slope_alpha_d * log(_D_0),
            "b": -b,
            "alpha_D": alpha_d,
            "slope_alpha_D": slope_alpha_d,
            "a": a,
        }


def _bent(log_n: Any, power: Any) -> Any:
    """Return log N, bent so that its slope grows with the power of N and is 1 where it is 0."""
    return np.expm1(power * log_n) / power


Farseer.published = {
    "farseer2025": PublishedLaw(
        "farseer2025",
        Farseer(),
        Farseer.from_paper(
            s=-0.062465473,
            q=0.13,
            S=0.1284880679442551,
            B=230.73437075885855,
            b=-0.1729,
            Q=-1.544209554,
            A=-1.665630816,
            a=0.0458999999999619,
            E=3.133347198805445,
        ),
        FARSEER_2025,
        "losses of its data are 0.44 to 0.71, so not in nats per token; no unit is stated",
    )
}
