"""What N and C of a transformer are: parameters and training FLOPs from its architecture."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from scaling_bayes.errors import InputError
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN, parse_quantity

_BACKWARD = 3
"""Forward and backward pass together, as multiples of the forward pass."""


@dataclass(frozen=True)
class Architecture:
    """A decoder-only transformer.

    Parameters
    ----------
    n_layers, width, n_heads, vocabulary : int
        Layers, width of the residual stream, heads of attention, and tokens of the vocabulary.
    n_kv_heads : int, optional
        Heads of keys and values; as many as heads by default.
    head_width : int, optional
        Width of a head; the width over the number of heads by default.
    ffn_width : int, optional
        Inner width of the feed-forward part; four times the width by default.
    ffn : {"plain", "gated"}
        Two matrices, or three as in SwiGLU.
    tied : bool
        Whether the output reads the matrix of the embedding.
    biases : bool
        Whether matrices and norms have biases.
    learned_positions : int
        Positions that have an embedding of their own; 0 for none.
    n_experts, top_k : int
        Experts of the feed-forward part, and how many each token goes to.

    Raises
    ------
    InputError
        If a count is not a positive whole number, or more experts are used than there are.
    """

    n_layers: int
    width: int
    n_heads: int
    vocabulary: int
    n_kv_heads: int | None = None
    head_width: int | None = None
    ffn_width: int | None = None
    ffn: Literal["plain", "gated"] = "plain"
    tied: bool = True
    biases: bool = False
    learned_positions: int = 0
    n_experts: int = 1
    top_k: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("ffn", "tied", "biases") or value is None:
                continue
            least = 0 if field.name == "learned_positions" else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(
                    f"{field.name} is {value!r}; give a whole number of at least {least}."
                )
        if self.ffn not in ("plain", "gated"):
            raise InputError(f"ffn is {self.ffn!r}; take 'plain' or 'gated'.")
        if self.top_k > self.n_experts:
            raise InputError(f"top_k is {self.top_k}, of {self.n_experts} experts.")
        if self.head_width is None and self.width % self.n_heads:
            raise InputError(
                f"{self.n_heads} heads do not divide the width {self.width}. Give head_width."
            )

    @property
    def of_heads(self) -> tuple[int, int]:
        """Widths of all heads of queries, and of keys or values, together."""
        width = self.head_width or self.width // self.n_heads
        return self.n_heads * width, (self.n_kv_heads or self.n_heads) * width

    @property
    def inner(self) -> int:
        """Inner width of the feed-forward part."""
        return self.ffn_width or 4 * self.width


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of an architecture.

    Attributes
    ----------
    total : int
        All of them, the N of Hoffmann et al. 2022.
    non_embedding : int
        Without embeddings of tokens and positions, and without an output matrix that is not tied:
        the N of Kaplan et al. 2020.
    active : int
        Those that one token uses: of experts only the chosen ones.
    """

    total: int
    non_embedding: int
    active: int


def count_parameters(architecture: Architecture) -> ParameterCount:
    """Count the parameters of an architecture.

    Parameters
    ----------
    architecture : Architecture
        The architecture.

    Returns
    -------
    ParameterCount

    Examples
    --------
    >>> gpt2 = Architecture(12, 768, 12, 50257, biases=True, learned_positions=1024)
    >>> count_parameters(gpt2).total
    124439808
    """
    each = architecture
    attention, ffn = _matrices(each)
    biases = 0
    if each.biases:
        queries, keys = each.of_heads
        biases = queries + 2 * keys + each.width
    ffn_biases = each.inner + each.width if each.biases else 0
    norms = 2 * each.width * (2 if each.biases else 1)
    router = each.width * each.n_experts if each.n_experts > 1 else 0
    fixed = attention + biases + norms + router
    expert = ffn + ffn_biases
    final_norm = norms // 2
    non_embedding = each.n_layers * (fixed + each.n_experts * expert) + final_norm
    embedding = each.vocabulary * each.width * (1 if each.tied else 2)
    embedding += each.learned_positions * each.width
    unused = each.n_layers * (each.n_experts - each.top_k) * expert
    total = non_embedding + embedding
    return ParameterCount(total, non_embedding, total - unused)


@dataclass(frozen=True)
class FlopCount:
    """Training FLOPs of an architecture, forward and backward.

    Attributes
    ----------
    total : float
        Those of all matrices that a token meets, the output's included, and of attention.
    attention : float
        The part of these that grows with the context: scores, and sums of values.
    by_total, by_non_embedding : float
        6 N D with all active parameters, and with those without embeddings.
    """

    total: float
    attention: float
    by_total: float
    by_non_embedding: float


def count_flops(architecture: Architecture, *, tokens: object, context: int) -> FlopCount:
    """Count the FLOPs of training an architecture.

    The forward pass takes 2 FLOPs for each weight that a token meets; the backward pass takes twice
    as many. Scores of attention are counted for the whole context, as Hoffmann et al. 2022 do, also
    where a mask hides half of it. Norms, activations and softmax are left out: they are less than a
    hundredth.

    Parameters
    ----------
    architecture : Architecture
        The architecture.
    tokens : float or str
        Tokens of training.
    context : int
        Tokens of a sequence.

    Returns
    -------
    FlopCount

    Raises
    ------
    InputError
        If tokens or context are not positive.

    Examples
    --------
    >>> llama = Architecture(32, 4096, 32, 32000, ffn_width=11008, ffn="gated", tied=False)
    >>> found = count_flops(llama, tokens="2T", context=4096)
    >>> f"{found.total:.3g} {found.by_total:.3g}"
    '9.22e+22 8.09e+22'
    """
    if not isinstance(context, int) or isinstance(context, bool) or context < 1:
        raise InputError(f"context is {context!r}; give a whole number of at least 1.")
    n_tokens = parse_quantity(tokens, kind="tokens")  # type: ignore[arg-type]
    each, counted = architecture, count_parameters(architecture)
    attention, ffn = _matrices(each)
    router = each.width * each.n_experts if each.n_experts > 1 else 0
    weights = each.n_layers * (attention + router + each.top_k * ffn) + each.width * each.vocabulary
    # Scores of queries with keys, and sums of values, each 2 FLOPs for each of the context.
    scores = each.n_layers * 2 * 2 * context * each.of_heads[0]
    active_non_embedding = counted.active - (counted.total - counted.non_embedding)
    return FlopCount(
        total=_BACKWARD * (2 * weights + scores) * n_tokens,
        attention=_BACKWARD * scores * n_tokens,
        by_total=FLOPS_PER_PARAM_TOKEN * counted.active * n_tokens,
        by_non_embedding=FLOPS_PER_PARAM_TOKEN * active_non_embedding * n_tokens,
    )


def _matrices(each: Architecture) -> tuple[int, int]:
    """Return the weights of the attention of a layer, and of one feed-forward part."""
    queries, keys = each.of_heads
    attention = 2 * each.width * queries + 2 * each.width * keys
    return attention, (3 if each.ffn == "gated" else 2) * each.width * each.inner
