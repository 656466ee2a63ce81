"""How accuracy follows from task loss."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np

from scaling_bayes.errors import InputError
from scaling_bayes.parameters import Declared, Parameter
from scaling_bayes.priors import Prior

_ANYWHERE = (-np.inf, np.inf)
_SHARE = (0.0, 1.0)
_QUESTIONS = 200.0
"""Questions whose guessing would tell as much of the floor as its prior does."""


class Link(Declared):
    r"""A sigmoid in the log of task loss, from a floor near chance to a ceiling below 1.

    With x, the log of the loss over the geometric mean of the table's, accuracy is

        p = floor + (ceiling - floor) / (1 + exp(slope (x - middle))),

    and k right answers of n are BetaBinomial around p: runs of the same loss scatter by
    `scatter`, beyond what n questions leave open. The sign of the slope is not assumed.

    Parameters
    ----------
    chance : float
        Accuracy of guessing, such as 0.25 for four answers.
    priors : mapping of str to Prior or PreliZ distribution, optional
        Priors to take instead of the default ones, by parameter name.

    Raises
    ------
    InputError
        If `chance` does not lie between 0 and 1.

    References
    ----------
    Bhagia et al. 2024, arXiv:2412.04403, whose second step is a sigmoid in the loss itself.

    Examples
    --------
    >>> import scaling_bayes as sb
    >>> sb.Link(0.25, priors={"ceiling": sb.Prior("Beta", alpha=60.0, beta=1.0)})
    Link(0.25)
    """

    name = "sigmoid"

    def __init__(self, chance: float, *, priors: Mapping[str, object] | None = None) -> None:
        known = isinstance(chance, int | float | np.number) and not isinstance(chance, bool)
        if not known or not 0 < chance < 1:
            raise InputError(
                f"chance is {chance!r}; give the accuracy of guessing, such as 0.25 for four "
                "answers, or a small number such as 0.001 where nothing can be guessed."
            )
        self.chance = float(chance)
        of_floor = Prior("Beta", alpha=_QUESTIONS * chance, beta=_QUESTIONS * (1 - chance))
        self.parameters = (
            Parameter(
                "floor",
                "a",
                "1",
                "accuracy of models that know nothing",
                of_floor,
                "near chance; small models may prefer wrong answers a little",
                _SHARE,
            ),
            Parameter(
                "ceiling",
                "b",
                "1",
                "accuracy of models that know everything",
                Prior("Beta", alpha=19.0, beta=1.0),
                "some questions of every benchmark have no or a wrong answer",
                _SHARE,
            ),
            Parameter(
                "middle",
                "m",
                "1",
                "log of loss, over that of the table, at which accuracy is half-way up",
                Prior("Normal", mu=-0.3, sigma=0.5),
                "tasks are looked at while they are being learned",
                _ANYWHERE,
            ),
            Parameter(
                "slope",
                "k",
                "1",
                "steepness in the log of loss",
                Prior("Normal", mu=5.0, sigma=10.0),
                "lower loss mostly means more right answers, and not always",
                _ANYWHERE,
            ),
            Parameter(
                "scatter",
                "s",
                "1",
                "standard deviation of accuracy between runs of the same loss",
                Prior("LogNormal", mu=log(0.008), sigma=0.8),
                "seeds move accuracy by a percent, and never by nothing",
            ),
        )
        super().__init__(priors=priors)

    def accuracy(self, p: Any, log_loss: Any) -> Any:
        """Return the accuracy that a log loss is expected to bring.

        Parameters
        ----------
        p : object with one attribute per parameter
            Parameters, as draws or variables.
        log_loss : array
            Log of task loss, over that of the table.
        """
        return p.floor + (p.ceiling - p.floor) / (1 + np.exp(p.slope * (log_loss - p.middle)))

    def log_loss(self, p: Any, accuracy: float) -> Any:
        """Return the highest log loss that is expected to bring an accuracy.

        Infinite where every loss does, and minus infinity where none does.

        Parameters
        ----------
        p : Dataset
            Draws of the parameters.
        accuracy : float
            The accuracy.
        """
        share = (accuracy - p.floor) / (p.ceiling - p.floor)
        inside = share.where((share > 0) & (share < 1), 0.5)
        found = p.middle + np.log(1 / inside - 1) / p.slope
        found = found.where(share > 0, np.inf)
        return found.where((share < 1) & (p.slope > 0), -np.inf)

    def observe(self, p: Any, *, log_loss: Any, right: Any, questions: Any) -> None:
        """Add the likelihood of right answers to the PyMC model in context.

        Parameters
        ----------
        p : object with one attribute per parameter
            Parameters as variables.
        log_loss, right, questions : TensorVariable, shape (run,)
            Log of task loss over that of the table, right answers, and questions asked.
        """
        import pymc as pm

        mean = self.accuracy(p, log_loss)
        precision = mean * (1 - mean) / p.scatter**2
        pm.BetaBinomial(
            "right_answers",
            alpha=mean * precision,
            beta=(1 - mean) * precision,
            n=questions,
            observed=right,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return name, class, chance and priors as plain data."""
        return super().to_dict() | {"chance": self.chance}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.chance:g})"
