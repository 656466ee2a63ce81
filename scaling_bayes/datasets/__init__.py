"""Tables of published training runs: some come with the package, others are downloaded."""

from __future__ import annotations

from scaling_bayes.datasets._cerebras_gpt import load_cerebras_gpt
from scaling_bayes.datasets._chinchilla_fig4 import fetch_chinchilla_fig4
from scaling_bayes.datasets._clark_routed import fetch_clark_routed
from scaling_bayes.datasets._datablations import fetch_datablations
from scaling_bayes.datasets._gadre_overtraining import fetch_gadre_overtraining
from scaling_bayes.datasets._porian_isoflop import fetch_porian_isoflop
from scaling_bayes.datasets._steplaw_dense import fetch_steplaw_dense
from scaling_bayes.datasets._tiny_transformers import load_tiny_transformers

__all__ = [
    "fetch_chinchilla_fig4",
    "fetch_clark_routed",
    "fetch_datablations",
    "fetch_gadre_overtraining",
    "fetch_porian_isoflop",
    "fetch_steplaw_dense",
    "load_cerebras_gpt",
    "load_tiny_transformers",
]
