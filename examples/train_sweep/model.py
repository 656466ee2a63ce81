"""A decoder-only transformer over bytes, as plain functions on a dictionary of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

VOCABULARY = 256
CONTEXT = 128
HEAD_WIDTH = 32

Params = dict[str, jax.Array]


@dataclass(frozen=True)
class Shape:
    """Width and depth of a model; everything else follows.

    Norms have no parameters, layers no biases, positions are rotary, and the output layer is the
    transposed embedding. So every parameter is a matrix entry that each token meets once, as the
    rule C = 6 N D supposes.
    """

    width: int
    depth: int

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return max(1, self.width // HEAD_WIDTH)

    @property
    def n_params_non_embedding(self) -> int:
        """Parameters of attention (4 d^2) and feed-forward (8 d^2) in every layer."""
        return 12 * self.depth * self.width**2

    @property
    def n_params(self) -> int:
        """All parameters; the embedding counts once, since the output layer shares it."""
        return self.n_params_non_embedding + VOCABULARY * self.width

    @property
    def flops_per_token(self) -> int:
        """Operations of one training step per token, forward and backward, exactly.

        6 for each parameter, and 12 d T for each layer's scores and their use: every position
        is compared with all T, since the causal mask is laid over a full product. Norms, softmax
        and the optimiser are not counted.
        """
        return 6 * self.n_params + 12 * self.width * CONTEXT * self.depth


def init(shape: Shape, key: jax.Array) -> Params:
    """Draw the starting weights: N(0, 1/fan_in), layers that end a branch scaled by depth."""
    d, layers = shape.width, shape.depth
    keys = jax.random.split(key, 5)
    branch_end = (2 * layers) ** -0.5

    def normal(key: jax.Array, *size: int, fan_in: int) -> jax.Array:
        return jax.random.normal(key, size) * fan_in**-0.5

    return {
        "embedding": normal(keys[0], VOCABULARY, d, fan_in=d),
        "qkv": normal(keys[1], layers, d, 3 * d, fan_in=d),
        "attended": normal(keys[2], layers, d, d, fan_in=d) * branch_end,
        "up": normal(keys[3], layers, d, 4 * d, fan_in=d),
        "down": normal(keys[4], layers, 4 * d, d, fan_in=4 * d) * branch_end,
    }


def losses(params: Params, shape: Shape, windows: jax.Array) -> jax.Array:
    """Cross-entropy of every predicted byte, in nats.

    Parameters
    ----------
    params : dict of arrays
    shape : Shape
    windows : array of uint8, shape (batch, CONTEXT + 1)

    Returns
    -------
    array, shape (batch, CONTEXT)
    """
    x = _norm(params["embedding"][windows[:, :-1]])
    layers = {name: params[name] for name in ("qkv", "attended", "up", "down")}
    for index in range(shape.depth):
        layer = {name: stack[index] for name, stack in layers.items()}
        x = x + _attention(layer, shape, _norm(x))
        x = x + jax.nn.gelu(_norm(x) @ layer["up"]) @ layer["down"]
    log_probability = jax.nn.log_softmax(_norm(x) @ params["embedding"].T)
    target = windows[:, 1:, None].astype(jnp.int32)
    return -jnp.take_along_axis(log_probability, target, axis=-1)[..., 0]


def _attention(layer: Params, shape: Shape, x: jax.Array) -> jax.Array:
    batch, length, width = x.shape
    q, k, v = jnp.split(x @ layer["qkv"], 3, axis=-1)
    by_head = (batch, length, shape.heads, width // shape.heads)
    q, k, v = _rotate(q.reshape(by_head)), _rotate(k.reshape(by_head)), v.reshape(by_head)
    return (
        jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape) @ layer["attended"]
    )


def _norm(x: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)


def _rotate(x: jax.Array) -> jax.Array:
    """Turn pairs of features by an angle that grows with position (Su et al. 2021, RoPE)."""
    half = x.shape[-1] // 2
    angle = jnp.arange(x.shape[1])[:, None] * 1000.0 ** (-jnp.arange(half) / half)
    cos, sin = jnp.cos(angle)[:, None, :], jnp.sin(angle)[:, None, :]
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
