"""Tables of published training runs that come with the package."""

from __future__ import annotations

from scaling_bayes.datasets._cerebras_gpt import load_cerebras_gpt

__all__ = ["load_cerebras_gpt"]
