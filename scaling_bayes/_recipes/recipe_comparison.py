"""The joint posterior of two recipes, and what it can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_bayes._inference.diagnostics import Diagnostics, diagnose
from scaling_bayes._notebook import page_of
from scaling_bayes._prediction.law_draws import sizes
from scaling_bayes._printable import printed
from scaling_bayes._recipes.crossing import Crossing, crossing
from scaling_bayes._recipes.likeness import Likeness, Part, members, ratio_name
from scaling_bayes._recipes.pair_check import PairCheck, check_pairs
from scaling_bayes._recipes.pairs import Pairs
from scaling_bayes._recipes.recipe import Recipe
from scaling_bayes._recipes.recipe_model import CORRELATION, SIDES
from scaling_bayes._recipes.recipes_at import RecipesAt, recipes_at
from scaling_bayes._recipes.same_winner import SameWinner, same_winner
from scaling_bayes._recipes.sharing import sharing
from scaling_bayes.laws import PowerSum
from scaling_bayes.noise import Noise

if TYPE_CHECKING:
    import xarray as xr

BEYOND = 1000.0
"""How far above the largest run a crossing is looked for, if not said otherwise."""


@dataclass(frozen=True, eq=False)
class RecipeComparison:
    """The joint posterior of two recipes. Made by `compare_recipes`.

    Attributes
    ----------
    recipes : dict of str to Recipe
        The first recipe and the second, each a source of forecasts and allocations.
    share : tuple of str
        What they were made to share.
    likeness : Likeness
        How alike they were believed to be.
    pairs : Pairs
        Which runs belong together.
    data_tree : DataTree
        Groups ``posterior``, ``sample_stats``, ``observed_data`` and ``constant_data``. In the
        posterior, ``first_`` and ``second_`` stand before the natural parameters of each recipe,
        ``log_ratio_`` before what the second's are to the first's (sizes of terms at the centre of
        the runs, such as ``N_c_term``), ``shift_`` before what that does to the log loss there, and
        names alone are of the middle of both.
    """

    recipes: dict[str, Recipe]
    share: tuple[Part, ...]
    likeness: Likeness
    pairs: Pairs
    data_tree: xr.DataTree

    @property
    def names(self) -> tuple[str, str]:
        """The first recipe and the second."""
        first, second = self.recipes
        return first, second

    @property
    def law(self) -> PowerSum:
        """The law of both."""
        return self._first.law

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the pairing."""
        return self.pairs.notes

    @property
    def _first(self) -> Recipe:
        return next(iter(self.recipes.values()))

    @property
    def _spent(self) -> np.ndarray:
        """Compute of all runs."""
        return np.concatenate([one.runs.frame["flops"] for one in self.recipes.values()])

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Figures that tell whether the draws can be trusted."""
        spreads = free_spreads(self.law, self.likeness, self.share)
        return diagnose(self.data_tree, gated(self.law, self._first.noise, spreads, self.pairs))

    @cached_property
    def sharing(self) -> pd.DataFrame:
        """Whether the runs say that the recipes share parameters that were left free.

        One row each for L_inf, for every exponent, for all exponents together, and with L_inf:
        median ``log_ratio`` of the second recipe to the first with the 90% equal-tailed interval,
        and ``prior_sd``, where it is one; ``log_bayes_factor`` in favour of equality, by the
        Savage-Dickey ratio of posterior to prior density at zero (Dickey 1971), with its range
        over priors of these log ratios half and twice as wide; ``beyond_draws``, whether zero lies
        where there are no draws, so that the figure is rough; and ``words``.
        """
        posterior = self.data_tree["posterior"].to_dataset()
        return sharing(posterior, free_spreads(self.law, self.likeness, self.share), self.law)

    def at(
        self, *, n_params: object = None, tokens: object = None, flops: object = None
    ) -> RecipesAt:
        """Return what both recipes reach at the same scale.

        Parameters
        ----------
        n_params, tokens, flops : float, str or array_like, optional
            Two of the three, scalar or of shape (point,); or compute alone, which each recipe then
            spends in the way that is best for it.

        Returns
        -------
        RecipesAt
            Draws of losses, difference, ratio and compute multiplier.

        Raises
        ------
        InputError
            If the sizes do not hold what the law needs.
        UnitError
            If a size cannot be read.
        NoOptimumError
            If compute alone is given, and the law neither reads it nor trades N against D.
        """
        at = {"n_params": n_params, "tokens": tokens, "flops": flops}
        return recipes_at(self.recipes, **at, most_flops=self._spent.max())

    def crossing(self, *, least: object = None, most: object = None) -> Crossing:
        """Return the compute at which the compute-optimal losses of the recipes cross.

        Parameters
        ----------
        least, most : float or str, optional
            Compute between which to look, in FLOPs; by default from the smallest run to 1000 times
            the largest.

        Raises
        ------
        InputError
            If `least` is not below `most`.
        NoOptimumError
            If the law neither reads compute nor trades N against D.
        """
        spent = self._spent
        low = spent.min() if least is None else sizes("flops", least).item()
        high = BEYOND * spent.max() if most is None else sizes("flops", most).item()
        return crossing(self.recipes, float(low), float(high))

    def same_winner(self, *, small: object, target: object) -> SameWinner:
        """Return the probability that the recipe better at a small scale is better at the target.

        Parameters
        ----------
        small, target : float, str or mapping
            Compute, which each recipe spends in its best way; or sizes as `at` takes them, such as
            ``{"n_params": "1B", "tokens": "20B"}``.
        """
        places = (
            self.at(**place) if isinstance(place, Mapping) else self.at(flops=place)
            for place in (small, target)
        )
        return same_winner(*places)

    def check_pairs(self) -> PairCheck:
        """Return whether the law follows how the differences of pairs move with compute.

        Raises
        ------
        InputError
            If there are fewer than two pairs.
        """
        return check_pairs(self.recipes, self.pairs)

    def _repr_html_(self) -> str:
        title, *lines = repr(self).splitlines()
        return page_of(title, self.sharing, [line.removeprefix("- ") for line in lines])

    @printed
    def __repr__(self) -> str:
        first, second = self.recipes.values()
        lines = [
            f"{second.label} against {first.label} by {self.law.name}: {len(second.runs)} and "
            f"{len(first.runs)} runs, {self._pairs_in_words()}",
            *(f"- {note}" for note in self.notes),
            *(f"- {part} shared by choice" for part in self.share),
            *(f"- {name} shared? {row['words']}" for name, row in self.sharing.iterrows()),
            *([f"- {self.check_pairs()}"] if len(self.pairs) > 1 else []),
            f"- {self.diagnostics}",
        ]
        return "\n".join(lines)

    def _pairs_in_words(self) -> str:
        if not len(self.pairs):
            return "no pairs"
        correlation = float(self.data_tree["posterior"][CORRELATION].median())
        return f"{len(self.pairs)} pairs with noise that correlates by {correlation:.2f} (median)"


def free_spreads(law: PowerSum, likeness: Likeness, share: Sequence[Part]) -> dict[str, float]:
    """Return the prior standard deviation of each log ratio that is not held at 0."""
    shared = set(chain.from_iterable(members(law, part) for part in share))
    return {name: spread for name, spread in likeness.spreads(law).items() if name not in shared}


def gated(law: PowerSum, noise: Noise, spreads: Mapping[str, float], pairs: Pairs) -> list[str]:
    """Return the names of the variables that must have converged."""
    return [
        *(f"{which}_{name}" for which in SIDES for name in law.parameter_names),
        *map(ratio_name, spreads),
        *noise.parameter_names,
        *([CORRELATION] if len(pairs) else []),
    ]
