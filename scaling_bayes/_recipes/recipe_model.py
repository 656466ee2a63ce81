"""From runs of two recipes to a PyMC model of both."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_bayes._inference.coordinates import centred, reference_name, references
from scaling_bayes._inference.model import log_name
from scaling_bayes._recipes.likeness import gains, natural_parameters, ratio_name
from scaling_bayes._recipes.pairs import Pairs, combined
from scaling_bayes.laws import PowerSum
from scaling_bayes.noise import Noise
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import pymc as pm

OBSERVED = "combined_log_loss"
"""Name under which the model holds log losses, or means and differences of those of pairs."""
CORRELATION = "pair_correlation"
"""Name of rho, the correlation of the log losses of a pair around the law."""
SIDES = {"first": -0.5, "second": 0.5}
"""The recipes as the model names them, and where they lie around their middle."""
RECIPE = "recipe"
"""Name under which the model holds which recipe each run is of, 0 or 1."""


def recipe_data(runs: Runs, n_first: int, law: PowerSum, pairs: Pairs) -> dict[str, np.ndarray]:
    """Return everything of the runs that the model reads, by the name it has there.

    Parameters
    ----------
    runs : Runs
        Of both recipes, those of the first before those of the second.
    n_first : int
        Number of runs of the first.
    law : PowerSum
        The law, which says which covariates are read.
    pairs : Pairs
        Which runs belong together.
    """
    columns = runs.covariates(("loss", "weight"))
    data = pairs.data(columns["weight"], n_first)
    sizes = runs.covariates(law.covariates)
    return {
        RECIPE: (np.arange(len(runs)) >= n_first).astype(int),
        **{log_name(name): np.log(values) for name, values in sizes.items()},
        **references(runs, law),
        **data,
        "observed_log_loss": combined(np.log(columns["loss"]), SimpleNamespace(**data)),
    }


def build_recipe_model(
    data: Mapping[str, np.ndarray], law: PowerSum, noise: Noise, spreads: Mapping[str, float]
) -> pm.Model:
    """Return the PyMC model of two recipes that follow the same law.

    Sampled are the parameters of the middle of both, in centred coordinates, with the priors of
    the law; and for each log ratio of the second recipe to the first, what it does to the log loss
    at the centre. It does not matter which recipe is the first.

    Parameters
    ----------
    data : mapping of str to ndarray
        What `recipe_data` returned. Where no runs are pairs, none can be in data exchanged later.
    law : PowerSum
        The law, with its priors.
    noise : Noise
        How log loss scatters, in both alike.
    spreads : mapping of str to float
        Prior standard deviation of each log ratio, by what it is of; those left out are 0.

    Returns
    -------
    pymc.Model
        With the natural parameters of each recipe under names such as ``first_L_inf``.

    Raises
    ------
    PriorError
        If a prior reaches outside of its parameter's support.
    """
    import pymc as pm

    for parameter in (*law.parameters, *noise.parameters):
        parameter.prior.check_support(parameter.name, parameter.support)
    with pm.Model(coords={"run": np.arange(len(data[RECIPE]))}) as model:
        x = SimpleNamespace(
            **{
                name: pm.Data(name, values, dims=("run",) if values.ndim else None)
                for name, values in data.items()
            }
        )
        centres = SimpleNamespace(
            **{name: getattr(x, reference_name(name)) for name in law.covariates}
        )
        middle = centred(law, centres)
        log_ratios = _log_ratios(spreads, gains(law, middle, centres))
        of_recipes = natural_parameters(
            law,
            middle,
            log_ratios,
            centres,
            side=np.array(list(SIDES.values())),
        )
        for i, which in enumerate(SIDES):
            for name in law.parameter_names:
                pm.Deterministic(f"{which}_{name}", getattr(of_recipes, name)[i])
        of_runs = SimpleNamespace(
            **{name: values[x.recipe] for name, values in vars(of_recipes).items()}
        )
        sizes = SimpleNamespace(
            **{name: np.exp(getattr(x, log_name(name))) for name in law.covariates}
        )
        noise_p = SimpleNamespace(
            **{name: prior.create(name) for name, prior in noise.priors.items()}
        )
        variance = 1.0
        if data["side"].any():
            # From pairs with nothing in common to pairs that differ in nothing but the recipe.
            variance += pm.Uniform(CORRELATION, 0.0, 1.0) * x.side
        noise.observe(
            OBSERVED,
            combined(np.log(law.loss(of_runs, sizes)), x),
            noise_p,
            weight=1 / variance,
            observed=x.observed_log_loss,
        )
    return model


def _log_ratios(spreads: Mapping[str, float], gain: Mapping[str, Any]) -> dict[str, Any]:
    """Create the log ratios from what they do to the log loss at the centre, which is sampled.

    Their priors are Normal; the log Jacobian is added.
    """
    import pymc as pm
    import pytensor.tensor as pt

    found = {}
    for of, spread in spreads.items():
        shift = pm.Flat(f"shift_{of}")
        found[of] = pm.Deterministic(ratio_name(of), shift / gain[of])
        log_density = pm.logp(pm.Normal.dist(0.0, spread), found[of])
        pm.Potential(f"{ratio_name(of)}_prior", log_density - pt.log(gain[of]))
    return found
