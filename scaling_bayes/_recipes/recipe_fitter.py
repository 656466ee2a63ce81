"""From runs of two recipes to their joint posterior."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_bayes._inference.identifiability import check_identifiable
from scaling_bayes._inference.most_rows import check_number
from scaling_bayes._inference.sampling import (
    OnFailure,
    Sampler,
    SamplerName,
    SamplerSettings,
    prepare,
    sample_checked,
)
from scaling_bayes._recipes.likeness import Likeness, checked_share
from scaling_bayes._recipes.pairs import find_pairs
from scaling_bayes._recipes.recipe import Recipe
from scaling_bayes._recipes.recipe_comparison import RecipeComparison, free_spreads, gated
from scaling_bayes._recipes.recipe_model import OBSERVED, SIDES, build_recipe_model, recipe_data
from scaling_bayes._work.progress import watched
from scaling_bayes._work.seeds import generator
from scaling_bayes.errors import IdentifiabilityError, InputError
from scaling_bayes.laws import Law, PowerSum
from scaling_bayes.noise import Noise, StudentT
from scaling_bayes.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

DEFAULT_PAIR_BY = ("n_params", "tokens")


class RecipeFitter:
    """Compares any number of pairs of recipes by one law, and compiles the model only once.

    It is compiled twice if some have runs in pairs and others have none.

    Parameters
    ----------
    law, share, pair_by, likeness, noise, sampler, settings, on_failure
        As in `compare_recipes`.

    Raises
    ------
    InputError
        If the law's terms are not known, or `share` does not suit it.
    """

    def __init__(
        self,
        law: Law,
        *,
        share: Collection[str] = (),
        pair_by: Sequence[str] | None = DEFAULT_PAIR_BY,
        likeness: Likeness | None = None,
        noise: Noise | None = None,
        sampler: SamplerName = "nutpie",
        settings: SamplerSettings | None = None,
        on_failure: OnFailure = "raise",
    ) -> None:
        if not isinstance(law, PowerSum):
            raise InputError(
                f"law is {law!r}, whose terms are not known; recipes are compared term by term. "
                "Give one such as sb.laws.Chinchilla(), with parentheses, or derive it from "
                "sb.laws.PowerSum."
            )
        self.law = law
        self.share = checked_share(share, law)
        self.pair_by = pair_by
        self.likeness = Likeness() if likeness is None else likeness
        self.noise = StudentT() if noise is None else noise
        self.sampler = sampler
        self.settings = SamplerSettings() if settings is None else settings
        self.on_failure = on_failure
        self._prepared: dict[bool, Sampler] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but the compiled models, which every process makes for itself."""
        return self.__dict__ | {"_prepared": {}}

    def fit(
        self, runs: Mapping[str, Runs], *, seed: int | np.random.Generator | None = None
    ) -> RecipeComparison:
        """Sample the joint posterior of two recipes, and check the draws.

        Parameters
        ----------
        runs : mapping of str to Runs
            The runs of exactly two recipes, by name.
        seed : int or Generator, optional
            Source of randomness; the same seed gives the same draws.

        Returns
        -------
        RecipeComparison

        Raises
        ------
        InputError, IdentifiabilityError, ConvergenceError
            As `compare_recipes`.
        """
        first, second = _two(runs)
        law, noise = self.law, self.noise
        spreads = free_spreads(law, self.likeness, self.share)
        pooled = Runs(
            pd.concat([first.frame, second.frame], ignore_index=True),
            source=" and ".join(runs),
            flops_per_param_token=first.flops_per_param_token,
            loss_unit=first.loss_unit,
        )
        check_number(pooled)
        pairs = find_pairs(first, second, list(runs), self.pair_by)
        check_identifiable(pooled, law)
        for name, own in runs.items():
            _check_enough(name, own, law, spreads)
        data = recipe_data(pooled, len(first), law, pairs)
        paired = len(pairs) > 0
        with watched(f"Fit of {' and '.join(runs)}", shown=self.settings.progressbar) as watch:
            watch.tell("building the model")
            if paired not in self._prepared:
                model = build_recipe_model(data, law, noise, spreads)
                self._prepared[paired] = prepare(model, self.sampler)
            data_tree = sample_checked(
                self._prepared[paired],
                data,
                gated(law, noise, spreads, pairs),
                settings=self.settings,
                rng=generator(seed),
                watch=watch,
                on_failure=self.on_failure,
            )
        posterior = data_tree["posterior"].to_dataset()
        recipes = {
            name: Recipe(
                label=name,
                law=law,
                noise=noise,
                runs=own,
                draws=posterior[[f"{which}_{each}" for each in law.parameter_names]].rename(
                    {f"{which}_{each}": each for each in law.parameter_names}
                ),
                noise_draws=posterior[noise.parameter_names],
            )
            for which, (name, own) in zip(SIDES, runs.items(), strict=True)
        }
        described = _described(data_tree, data)
        return RecipeComparison(recipes, self.share, self.likeness, pairs, described)


def compare_recipes(
    runs: Mapping[str, Runs],
    law: Law,
    *,
    share: Collection[str] = (),
    pair_by: Sequence[str] | None = DEFAULT_PAIR_BY,
    likeness: Likeness | None = None,
    noise: Noise | None = None,
    sampler: SamplerName = "nutpie",
    settings: SamplerSettings | None = None,
    on_failure: OnFailure = "raise",
    seed: int | np.random.Generator | None = None,
) -> RecipeComparison:
    """Fit a law to the runs of two recipes together, to tell which is better at another scale.

    A recipe is an optimizer, a data mix, an architecture, or whatever else runs have in common.
    Both follow the same law with parameters of their own, which are alike before the runs: the
    law's priors are those of the middle of both, and log ratios between the recipes have Normal
    priors around 0. Their noise has the same scale.

    Parameters
    ----------
    runs : mapping of str to Runs
        The runs of exactly two recipes, by name.
    law : PowerSum
        The law of both; its terms must be known.
    share : collection of {"L_inf", "exponents"}
        What the recipes are made to share. Left free it can be tested; see
        `RecipeComparison.sharing`.
    pair_by : sequence of str or None
        Columns in which two runs agree that differ in the recipe alone; their noise may then
        correlate. None if there are no such pairs.
    likeness : Likeness, optional
        How alike the recipes are believed to be.
    noise : Noise, optional
        How log loss scatters around the law; `StudentT` by default.
    sampler, settings, on_failure
        As in `Fitter`.
    seed : int or Generator, optional
        Source of randomness; the same seed gives the same draws.

    Returns
    -------
    RecipeComparison

    Raises
    ------
    InputError
        If there are not two recipes, the law's terms are not known, `share` or `pair_by` does not
        suit, or the recipes count compute with different k of C = k N D.
    IdentifiabilityError
        If the runs cannot identify the law, or there are too few of one recipe.
    ConvergenceError
        If the sampler fails its checks twice and `on_failure` is ``"raise"``.
    """
    fitter = RecipeFitter(
        law,
        share=share,
        pair_by=pair_by,
        likeness=likeness,
        noise=noise,
        sampler=sampler,
        settings=settings,
        on_failure=on_failure,
    )
    return fitter.fit(runs, seed=seed)


def _two(runs: Mapping[str, Runs]) -> tuple[Runs, Runs]:
    example = '{"adam": runs, "muon": others}'
    if not isinstance(runs, Mapping):
        raise InputError(f"give the runs of two recipes by name, such as {example}.")
    if len(runs) != 2 or not all(isinstance(name, str) for name in runs):
        raise InputError(
            f"there are {len(runs)} recipes ({', '.join(map(repr, runs))}); give exactly two by "
            f"name, such as {example}, and compare more of them two by two."
        )
    for name, own in runs.items():
        if not isinstance(own, Runs):
            raise InputError(
                f"{name!r} is a {type(own).__name__}; give what sb.read_runs(...) returns."
            )
    first, second = runs.values()
    if first.flops_per_param_token != second.flops_per_param_token:
        k = ", ".join(f"{name} {own.flops_per_param_token:g}" for name, own in runs.items())
        raise InputError(
            f"the recipes count compute with different k of C = k N D: {k}. Read the runs with the "
            "same flops_per_param_token."
        )
    return first, second


def _check_enough(name: str, own: Runs, law: PowerSum, spreads: Mapping[str, float]) -> None:
    """Refuse a recipe with fewer sizes than parameters of its own."""
    columns = own.covariates(law.covariates)
    n_distinct = len(np.unique(np.column_stack(list(columns.values())), axis=0))
    if n_distinct < len(spreads):
        raise IdentifiabilityError(
            f"{name!r} has runs of {n_distinct} distinct sizes in {', '.join(columns)}, and "
            f"{len(spreads)} parameters of its own ({', '.join(spreads)}). Add runs of other "
            'sizes, or let the recipes share some of them: share=("L_inf", "exponents").'
        )


def _described(data_tree: xr.DataTree, data: Mapping[str, np.ndarray]) -> xr.DataTree:
    """Return posterior and statistics with the data beside them, as ArviZ expects."""
    import xarray as xr

    run = {"run": np.arange(len(data["side"]))}
    read = {name: (("run",) if values.ndim else (), values) for name, values in data.items()}
    observed = read.pop("observed_log_loss")
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=data_tree.attrs),
            "posterior": data_tree["posterior"].to_dataset(),
            "sample_stats": data_tree["sample_stats"].to_dataset(),
            "observed_data": xr.Dataset({OBSERVED: observed}, run),
            "constant_data": xr.Dataset(read, run),
        }
    )
