"""Laws of training loss: one file per law."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from scaling_bayes.laws._additive import Additive
from scaling_bayes.laws._broken_power_law import BrokenPowerLaw
from scaling_bayes.laws._chinchilla import Chinchilla
from scaling_bayes.laws._common_parameters import exponent, irreducible_loss, scale
from scaling_bayes.laws._coupled import Coupled
from scaling_bayes.laws._data_constrained import DataConstrained
from scaling_bayes.laws._farseer import Farseer
from scaling_bayes.laws._functions import maximum, minimum
from scaling_bayes.laws._held_law import HeldLaw
from scaling_bayes.laws._kaplan import Kaplan
from scaling_bayes.laws._law import Citation, Law, PublishedLaw
from scaling_bayes.laws._power_law import PowerLaw, PurePowerLaw
from scaling_bayes.laws._power_sum import PowerSum, Term
from scaling_bayes.laws._routed import Routed
from scaling_bayes.parameters import Parameter

REGISTRY: dict[str, Callable[..., Law]] = {
    "chinchilla": Chinchilla,
    "kaplan": Kaplan,
    "coupled": Coupled,
    "additive": Additive,
    "data-constrained": DataConstrained,
    "farseer": Farseer,
    "routed": Routed,
    "power-n": partial(PowerLaw, "n_params"),
    "power-d": partial(PowerLaw, "tokens"),
    "power-c": partial(PowerLaw, "flops"),
    "pure-power-n": partial(PurePowerLaw, "n_params"),
    "pure-power-d": partial(PurePowerLaw, "tokens"),
    "pure-power-c": partial(PurePowerLaw, "flops"),
    "bnsl-n": partial(BrokenPowerLaw, "n_params"),
    "bnsl-d": partial(BrokenPowerLaw, "tokens"),
    "bnsl-c": partial(BrokenPowerLaw, "flops"),
    "bnsl2-n": partial(BrokenPowerLaw, "n_params", 2),
    "bnsl2-d": partial(BrokenPowerLaw, "tokens", 2),
    "bnsl2-c": partial(BrokenPowerLaw, "flops", 2),
}

__all__ = [
    "REGISTRY",
    "Additive",
    "BrokenPowerLaw",
    "Chinchilla",
    "Citation",
    "Coupled",
    "DataConstrained",
    "Farseer",
    "HeldLaw",
    "Kaplan",
    "Law",
    "Parameter",
    "PowerLaw",
    "PowerSum",
    "PublishedLaw",
    "PurePowerLaw",
    "Routed",
    "Term",
    "exponent",
    "irreducible_loss",
    "maximum",
    "minimum",
    "scale",
]
