"""The methods that are scored, made once a process, so that each compiles its law once."""

from __future__ import annotations

from functools import cache

from rival import SimpleScalingLaws
from sweeps import Kind

import scaling_bayes as sb

DEFAULT = "default: coupled + smooth"
HUBER = "Huber + bootstrap"
QUIET = sb.SamplerSettings(progressbar=False)


@cache
def methods(kind: Kind, *, every: bool) -> dict[str, sb.Forecaster]:
    """Return what is scored on sweeps over N and D, or on single curves, by name.

    Parameters
    ----------
    kind : {"joint", "curve"}
        What the sweep is.
    every : bool
        Whether the slow rest is scored too.
    """
    if kind == "joint":
        chinchilla = sb.laws.Chinchilla()
        found: dict[str, sb.Forecaster] = {
            DEFAULT: sb.Fitter(settings=QUIET),
            "Chinchilla + smooth": sb.Fitter(chinchilla, settings=QUIET),
            "coupled alone": sb.Fitter(discrepancy=None, settings=QUIET),
            "Chinchilla alone": sb.Fitter(chinchilla, discrepancy=None, settings=QUIET),
            HUBER: sb.baselines.HuberBootstrap(),
        }
    else:
        curve = sb.laws.PowerLaw("tokens")
        found = {
            "power law + smooth": sb.Fitter(curve, settings=QUIET),
            "power law alone": sb.Fitter(curve, discrepancy=None, settings=QUIET),
            HUBER: sb.baselines.HuberBootstrap(curve),
        }
    if every:
        found |= {
            "log-linear least squares": sb.baselines.LogLinearLeastSquares(),
            "broken law (BNSL)": sb.baselines.BrokenLaw(),
            "last slope": sb.baselines.LastSlope(),
        }
    if every and kind == "joint":
        found["simple-scaling-laws"] = SimpleScalingLaws()
    return found
