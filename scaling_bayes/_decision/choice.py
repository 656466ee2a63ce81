"""One run to train."""

from __future__ import annotations

from dataclasses import dataclass

from scaling_bayes.units import format_quantity


@dataclass(frozen=True)
class Choice:
    """One run to train.

    Attributes
    ----------
    n_params, tokens : float
        Model size and the tokens it is trained on, repeated ones counted each time.
    flops : float
        Compute of the training, k N D.
    total_flops : float
        With that of serving.
    epochs : float or None
        How often the unique tokens are read, below 1 if not all; None where these are not limited.
    """

    n_params: float
    tokens: float
    flops: float
    total_flops: float
    epochs: float | None = None

    def __str__(self) -> str:
        words = (
            f"N {format_quantity(self.n_params, kind='n_params')}, "
            f"D {format_quantity(self.tokens, kind='tokens')} "
            f"({self.tokens / self.n_params:.3g} tokens per parameter"
        )
        words += f", {self.epochs:.2f} epochs)" if self.epochs is not None else ")"
        return f"{words}, C {format_quantity(self.flops, kind='flops')}"
