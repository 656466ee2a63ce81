"""The form that most scaling laws share: powers of sizes, summed, above an irreducible loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scaling_bayes.laws._law import Law


@dataclass(frozen=True)
class Term:
    """A term (X_c / X)^e of a law.

    Attributes
    ----------
    covariate : str
        The column X.
    scale : str
        The parameter X_c, the size at which the term is 1.
    exponent : str
        The parameter e.
    coefficient : str
        Name of the derived quantity X_c^e, the A of A / X^e.
    """

    covariate: str
    scale: str
    exponent: str
    coefficient: str


class PowerSum(Law):
    """A law of the form L = L_inf + (sum over terms of (X_c / X)^e)^g.

    A law of this form only says which terms it has. From them follow its formula, its
    compute-optimal allocation, its derived quantities, and the data-centred coordinates in
    which it samples well.

    Attributes
    ----------
    terms : tuple of Term
        One per covariate.
    irreducible : bool
        Whether the law has an irreducible loss, the parameter ``L_inf``.
    """

    terms: tuple[Term, ...]
    irreducible: bool = True

    @property
    def covariates(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns of the runs that the terms read."""
        return tuple(dict.fromkeys(term.covariate for term in self.terms))

    def inner_exponent(self, term: Term, p: Any) -> Any:
        """Return the power e to which the ratio X_c / X of a term is raised."""
        return getattr(p, term.exponent)

    def outer_exponent(self, p: Any) -> Any:
        """Return the power g to which the sum of the terms is raised."""
        return 1.0

    def loss(self, p: Any, x: Any) -> Any:
        """Return L_inf + (sum of terms)^g, in nats per token."""
        import numpy as np

        # (X_c / X)^e in logs: the model holds log sizes, so that no log is left to compute.
        terms = sum(
            np.exp(
                self.inner_exponent(term, p)
                * (np.log(getattr(p, term.scale)) - np.log(getattr(x, term.covariate)))
            )
            for term in self.terms
        )
        reducible = terms ** self.outer_exponent(p)
        return p.L_inf + reducible if self.irreducible else reducible

    @property
    def _balances_two_terms(self) -> bool:
        """Whether the optimum balances one N against one D term, with nothing else in the loss."""
        read = [term.covariate for term in self.terms]
        unchanged = type(self).loss is PowerSum.loss
        return unchanged and read.count("n_params") == read.count("tokens") == 1

    def derived(self, p: Any) -> dict[str, Any]:
        """Return the coefficient of each term, and the allocation exponents a and b.

        With N and D terms the optimum obeys N* proportional to C^a and D* to C^b
        (Hoffmann et al. 2022, equation 4).
        """
        derived = {
            term.coefficient: getattr(p, term.scale) ** self.inner_exponent(term, p)
            for term in self.terms
        }
        if self._balances_two_terms:
            exponents = {term.covariate: self.inner_exponent(term, p) for term in self.terms}
            total = exponents["n_params"] + exponents["tokens"]
            derived["a"] = exponents["tokens"] / total
            derived["b"] = exponents["n_params"] / total
        return derived

    def optimal_n_params(self, p: Any, flops: Any, flops_per_param_token: float) -> Any | None:
        """Return N* = G (C / k)^a, which balances the slopes of the N and the D term.

        Any term in C is constant along an isoFLOP line and does not move the optimum, and
        neither does the outer exponent. Hoffmann et al. 2022, equation 4, written in
        characteristic scales.
        """
        if not self._balances_two_terms:
            return None
        terms = {term.covariate: term for term in self.terms}
        e_n = self.inner_exponent(terms["n_params"], p)
        e_d = self.inner_exponent(terms["tokens"], p)
        n_c, d_c = (getattr(p, terms[name].scale) for name in ("n_params", "tokens"))
        a = e_d / (e_n + e_d)
        balance = (e_n / e_d) ** (1 / (e_n + e_d))
        return balance * n_c ** (1 - a) * (flops / flops_per_param_token / d_c) ** a
