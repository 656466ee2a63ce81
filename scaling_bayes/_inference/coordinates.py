"""The coordinates in which the sampler moves; the posterior is the same in all of them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Literal

import numpy as np

from scaling_bayes.discrepancy import Discrepancy
from scaling_bayes.errors import InputError
from scaling_bayes.laws import Law, PowerSum
from scaling_bayes.parameters import Parameter
from scaling_bayes.runs import Runs

CoordinateName = Literal["natural", "centred", "mixed"]
COORDINATES_KEY = "sampling_coordinates"
"""Attribute that says in which coordinates draws were drawn."""


def reference_name(covariate: str) -> str:
    """Return the name under which a model holds the centre of a covariate."""
    return f"{covariate}_centre"


def references(runs: Runs, law: Law) -> dict[str, np.ndarray]:
    """Return the geometric mean of every covariate of the law over the runs."""
    return {
        reference_name(name): np.exp(np.mean(np.log(values)))
        for name, values in runs.covariates(law.covariates).items()
    }


def natural(law: Law, centres: SimpleNamespace) -> SimpleNamespace:
    """Create the law's natural parameters as the variables to sample.

    Parameters
    ----------
    law : Law
        Any law.
    centres : SimpleNamespace
        Not used here: natural coordinates know nothing of the runs.
    """
    return SimpleNamespace(**{name: prior.create(name) for name, prior in law.priors.items()})


def centred(law: Law, centres: SimpleNamespace) -> SimpleNamespace:
    """Create the law's natural parameters from coordinates that the runs determine well.

    Sampled are the exponents, the log of the loss at the centre of the runs, and the shares
    of that loss that fall to L_inf and to each term. Priors stay those of the natural
    parameters: their densities are added together with the log Jacobian of the map. For k
    terms r_i = L_centre w_i with inner exponents e_i and outer exponent g it is

        (number of shares) log L_centre - sum log r_i - log g - sum log e_i

    in the measure d L_inf, d log X_c.

    Parameters
    ----------
    law : PowerSum
        A law whose terms are known.
    centres : SimpleNamespace
        The centre of each covariate, by covariate name.
    """
    import pymc as pm
    import pytensor.tensor as pt

    assert isinstance(law, PowerSum)
    scales = {term.scale for term in law.terms}
    derived_here = scales | ({"L_inf"} if law.irreducible else set())
    p = SimpleNamespace(
        **{
            name: prior.create(name)
            for name, prior in law.priors.items()
            if name not in derived_here
        }
    )
    n_shares = len(law.terms) + law.irreducible
    log_total = pm.Flat("log_loss_centre")
    share = pm.Dirichlet("share", np.ones(n_shares)) if n_shares > 1 else pt.ones(1)
    log_share = pt.log(share)
    log_terms = log_total + log_share[-len(law.terms) :]
    outer = law.outer_exponent(p)
    inner = [law.inner_exponent(term, p) for term in law.terms]
    log_reducible = pt.logsumexp(log_terms)

    log_density = n_shares * log_total - pt.sum(log_terms) - pt.log(outer)
    if law.irreducible:
        p.L_inf = pm.Deterministic("L_inf", pt.exp(log_total + log_share[0]))
        log_density += law.priors["L_inf"].log_density(p.L_inf)
    for i, term in enumerate(law.terms):
        log_inner_term = log_terms[i] + (1 / outer - 1) * log_reducible
        log_scale = pt.log(getattr(centres, term.covariate)) + log_inner_term / inner[i]
        value = pm.Deterministic(term.scale, pt.exp(log_scale))
        setattr(p, term.scale, value)
        log_density += law.priors[term.scale].log_density(value) + log_scale - pt.log(inner[i])
    pm.Potential("natural_prior", log_density)
    return p


COORDINATES: dict[CoordinateName, Callable[[Law, SimpleNamespace], SimpleNamespace]] = {
    "natural": natural,
    "centred": centred,
    "mixed": natural,
}
"""How the law's parameters are created; in mixed coordinates the discrepancy alone is centred."""

_WITH_ENDS = ("Uniform", "Beta", "Triangular", "Kumaraswamy")
"""Distributions that end on both sides."""
_NARROW = 0.01
"""Relative spread below which a prior is as good as a value."""


def resolve(
    name: CoordinateName | None, law: Law, discrepancy: Discrepancy | None = None
) -> CoordinateName:
    """Return the coordinates to use: centred as far as the law and its discrepancy can be.

    Raises
    ------
    InputError
        If the coordinates are unknown, or centred ones are asked of a law that has no terms.
    """
    if name is None:
        if isinstance(law, PowerSum) and not any(map(_is_walled, law.parameters)):
            return "centred"
        return "natural" if discrepancy is None else "mixed"
    if name not in COORDINATES:
        raise InputError(f"coordinates {name!r} are unknown; take {' or '.join(COORDINATES)}.")
    if name == "centred" and law.held:
        raise InputError(
            f"centred coordinates move every parameter of the law, and {', '.join(law.held)} is "
            "held. Leave out coordinates."
        )
    if name == "centred" and not isinstance(law, PowerSum):
        raise InputError(
            f"centred coordinates need the terms of the law, and {law.name} declares none. "
            "Take natural coordinates, or derive the law from sb.laws.PowerSum."
        )
    return name


def _is_walled(parameter: Parameter) -> bool:
    """Whether a parameter is held, or nearly, or its prior ends inside the support.

    In centred coordinates the ends of a prior are walls that no transform takes away, and a very
    narrow prior is a thin, bent sheet.
    """
    prior = parameter.prior
    if prior.held_at is not None or prior.distribution in _WITH_ENDS:
        return True
    centre, spread = (prior.parameters.get(name) for name in ("mu", "sigma"))
    if isinstance(centre, int | float) and isinstance(spread, int | float):
        scale = 1.0 if prior.distribution == "LogNormal" else abs(centre)
        if spread < _NARROW * scale:
            return True
    lower, upper = (prior.parameters.get(end) for end in ("lower", "upper"))
    low, high = parameter.support
    return (isinstance(lower, int | float) and lower > low) or (
        isinstance(upper, int | float) and upper < high
    )
