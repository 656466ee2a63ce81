"""Scaling laws of training loss, fitted as Bayesian inference.

From training runs to a posterior, to forecasts of loss, to decisions on compute.
"""

from __future__ import annotations

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = version("scaling-bayes")
