"""Two training recipes, and which of them is better at a scale that neither was run at."""

from __future__ import annotations

from scaling_bayes._recipes.crossing import Crossing
from scaling_bayes._recipes.likeness import Likeness
from scaling_bayes._recipes.pair_check import PairCheck
from scaling_bayes._recipes.recipe_comparison import RecipeComparison
from scaling_bayes._recipes.recipe_fitter import RecipeFitter, compare_recipes
from scaling_bayes._recipes.recipes_at import RecipesAt
from scaling_bayes._recipes.same_winner import SameWinner

__all__ = [
    "Crossing",
    "Likeness",
    "PairCheck",
    "RecipeComparison",
    "RecipeFitter",
    "RecipesAt",
    "SameWinner",
    "compare_recipes",
]
