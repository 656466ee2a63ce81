"""The law of routed models: size and the number of experts."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from scaling_bayes.laws._law import Citation, Law, PublishedLaw
from scaling_bayes.parameters import ANY_NUMBER, Parameter
from scaling_bayes.priors import Prior

CLARK_2022 = Citation(
    "Clark et al.", 2022, "Unified Scaling Laws for Routed Language Models", "2202.01169"
)
_N_0 = 1e9


class Routed(Law):
    r"""L = L_1 (N/1e9)^-alpha_N E'^-(alpha_E + c log(N/1e9)), with E' between E_start and E_max.

    N is the number of parameters that one token sees, and E the number of experts. Few experts
    count as E_start of them, and any number as fewer than E_max:
    1/E' = 1/(E - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max. The paper's equation 6 is the same law,
    log L = a log N + b log E' + c log N log E' + d; here its exponents are those at 1e9
    parameters, so that priors can be given. `from_paper` gives these parameters for constants of
    the paper. All runs read as many tokens.
    """

    name = "routed"
    covariates = ("n_params", "n_experts")
    citation = CLARK_2022
    parameters = (
        Parameter(
            "L_1",
            "L_1",
            "nats",
            "loss of 1e9 parameters where experts count as one",
            Prior("LogNormal", mu=log(2.3), sigma=0.4),
            "Clark 2022 finds 2.3 to 2.6; it depends on vocabulary and number of tokens",
        ),
        Parameter(
            "alpha_N",
            r"\alpha_N",
            "1",
            "exponent of model size",
            Prior("LogNormal", mu=log(0.08), sigma=0.5),
            "Clark 2022 finds 0.082 to 0.087; one standard deviation is a factor of 1.6",
        ),
        Parameter(
            "alpha_E",
            r"\alpha_E",
            "1",
            "exponent of the number of experts at 1e9 parameters",
            Prior("LogNormal", mu=log(0.03), sigma=0.7),
            "Clark 2022 finds 0.018 to 0.028; one standard deviation is a factor of 2",
        ),
        Parameter(
            "c",
            "c",
            "1",
            "loss of that exponent as log N grows by 1",
            Prior("Normal", mu=0.0, sigma=0.01),
            "Clark 2022 finds 0.004 to 0.005: experts are worth less to larger models",
            support=ANY_NUMBER,
        ),
        Parameter(
            "E_start",
            r"E_\mathrm{start}",
            "experts",
            "number that one expert counts as",
            Prior("LogNormal", mu=log(2.0), sigma=0.5),
            "Clark 2022 finds 1.8 to 4.2; one standard deviation is a factor of 1.6",
        ),
        Parameter(
            "E_max",
            r"E_\max",
            "experts",
            "number that no number of experts exceeds",
            Prior("LogNormal", mu=log(400.0), sigma=0.7),
            "Clark 2022 finds 314 to 478; one standard deviation is a factor of 2",
        ),
    )

    def loss(self, p: Any, x: Any) -> Any:
        """Return the loss; its logarithm is bilinear in those of N and of what experts count as."""
        beyond_one = x.n_experts - 1 + 1 / (1 / p.E_start - 1 / p.E_max)
        log_experts = -np.log(1 / beyond_one + 1 / p.E_max)
        log_n = np.log(x.n_params / _N_0)
        return p.L_1 * np.exp(-p.alpha_N * log_n - (p.alpha_E - p.c * log_n) * log_experts)

    @classmethod
    def from_paper(
        cls, *, a: float, b: float, c: float, d: float, E_start: float, E_max: float
    ) -> dict[str, float]:
        """Return the parameters of this law for constants as the paper has them.

        Parameters
        ----------
        a, b, c, d : float
            Those of log L = a log N + b log E' + c log N log E' + d, with logarithms to base 10.
        E_start, E_max : float
            The same here and there.

        Returns
        -------
        dict of str to float
            A value for each parameter.

        Examples
        --------
        >>> import scaling_bayes as sb
        >>> values = sb.laws.Routed.from_paper(
        ...     a=-0.082, b=-0.108, c=0.009, d=1.104, E_start=1.847, E_max=314.478
        ... )
        >>> print(f"{values['L_1']:.2f}")
        2.32
        """
        log_n = np.log10(_N_0)
        return {
            "L_1": float(10 ** (d + a * log_n)),
            "alpha_N": -a,
            "alpha_E": float(-b - c * log_n),
            "c": c / log(10),
            "E_start": E_start,
            "E_max": E_max,
        }


_IN_PAPER = {
    "s-base": (-0.082, -0.108, 0.009, 1.104, 1.847, 314.478),
    "rl-r": (-0.083, -0.126, 0.012, 1.111, 1.880, 469.982),
    "hash": (-0.087, -0.136, 0.012, 1.157, 4.175, 477.741),
}
_LETTERS = ("a", "b", "c", "d", "E_start", "E_max")

Routed.published = {
    f"clark2022-{routing}": PublishedLaw(
        f"clark2022-{routing}",
        Routed(),
        Routed.from_paper(**dict(zip(_LETTERS, constants, strict=True))),
        CLARK_2022,
        f"{routing.upper()} routing; all models read 130B tokens",
    )
    for routing, constants in _IN_PAPER.items()
}
