"""Scaling laws of training loss, fitted as Bayesian inference.

From training runs to a posterior, to forecasts of loss, to decisions on compute.
"""

from __future__ import annotations

import lazy_loader

from scaling_bayes._files.compile_folder import ensure_compile_folder as _ensure_compile_folder
from scaling_bayes._version import __version__ as __version__

_ensure_compile_folder()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
