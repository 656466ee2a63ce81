"""A law with the covariates held that no compute budget determines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scaling_bayes.laws._law import Law


class HeldLaw(Law):
    """A law of sizes: another law, with some of its covariates held at values.

    Parameters
    ----------
    law : Law
        The law that reads them.
    at : mapping of str to float
        Values of covariates of the law.
    """

    def __init__(self, law: Law, at: Mapping[str, float]) -> None:
        self.law, self.at = law, dict(at)
        self.name, self.parameters, self.citation = law.name, law.parameters, law.citation
        self.tokens_per_param = law.tokens_per_param
        self.covariates = tuple(name for name in law.covariates if name not in at)

    def loss(self, p: Any, x: Any) -> Any:
        """Return the loss of the law at sizes `x` and the values that are held."""
        return self.law.loss(p, _Beside(x, self.at))

    def derived(self, p: Any) -> dict[str, Any]:
        """Return what the law derives from its parameters."""
        return self.law.derived(p)

    def optimal_n_params(self, p: Any, flops: Any, flops_per_param_token: float) -> Any | None:
        """Return the law's closed form of the compute-optimal model size, if it has one."""
        return self.law.optimal_n_params(p, flops, flops_per_param_token)


class _Beside:
    """Sizes, and beside them the values that are held."""

    def __init__(self, sizes: Any, held: Mapping[str, float]) -> None:
        self._sizes, self._held = sizes, held

    def __getattr__(self, name: str) -> Any:
        return self._held[name] if name in self._held else getattr(self._sizes, name)
