"""Whether the recipe that is better at a small scale is better at a large one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_bayes._printable import printed
from scaling_bayes._recipes.recipes_at import RecipesAt
from scaling_bayes.errors import InputError


@dataclass(frozen=True, eq=False)
class SameWinner:
    """Probability that the recipe better at a small scale is better at the target, too.

    Attributes
    ----------
    small, target : RecipesAt
        Both recipes at either scale.
    joint : DataFrame
        The probability of each recipe being better at the small scale (rows) and at the target
        (columns); they sum to 1.
    """

    small: RecipesAt
    target: RecipesAt
    joint: pd.DataFrame

    @property
    def probability(self) -> float:
        """The probability that it is the same recipe."""
        return float(np.trace(self.joint.to_numpy()))

    @printed
    def __repr__(self) -> str:
        lines = [
            "The recipe better at the small scale is better at the target with probability "
            f"{self.probability:.3f}"
        ]
        for name, row in self.joint.iterrows():
            there = ", ".join(f"{other} {share:.3f}" for other, share in row.items())
            lines.append(f"  {name} better at the small scale, and at the target {there}")
        return "\n".join(lines)


def same_winner(small: RecipesAt, target: RecipesAt) -> SameWinner:
    """Return whether the winner is the same; see `RecipeComparison.same_winner`.

    Raises
    ------
    InputError
        If either is not a single point.
    """
    for name, at in (("small", small), ("target", target)):
        if at.points.sizes["point"] != 1:
            raise InputError(
                f"{name} names {at.points.sizes['point']} points; give one, such as flops='1e21'."
            )
    at_small, at_target = (at.difference.isel(point=0) < 0 for at in (small, target))
    joint = pd.DataFrame(
        [
            [float(((at_small == here) & (at_target == there)).mean()) for there in (False, True)]
            for here in (False, True)
        ],
        index=pd.Index(small.names, name="small"),
        columns=pd.Index(target.names, name="target"),
    )
    return SameWinner(small, target, joint)
