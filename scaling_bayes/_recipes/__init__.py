"""Two training recipes, and which of them is better at a scale that neither was run at."""

from __future__ import annotations

from scaling_bayes._recipes._at import RecipesAt
from scaling_bayes._recipes._comparison import RecipeComparison
from scaling_bayes._recipes._crossing import Crossing
from scaling_bayes._recipes._fitter import RecipeFitter, compare_recipes
from scaling_bayes._recipes._likeness import Likeness
from scaling_bayes._recipes._pair_check import PairCheck
from scaling_bayes._recipes._winner import SameWinner

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
