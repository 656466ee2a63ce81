"""One training run, from starting weights to validation loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np
import optax
from corpus import Corpus, windows
from model import CONTEXT, Params, Shape, init, losses
from plan import Point

WARM_UP = 0.1  # share of the steps over which the learning rate rises
CHUNK = 50  # steps of one compiled call
EVALUATION_BATCH = 64
OPTIMIZER = optax.chain(
    optax.clip_by_global_norm(1.0),
    optax.scale_by_adam(b1=0.9, b2=0.98),
    optax.add_decayed_weights(0.1),
)


@dataclass(frozen=True)
class Result:
    """What was measured.

    Attributes
    ----------
    loss : float
        Mean over the predicted bytes of the validation text, in nats per byte.
    loss_se : float
        Its standard error, with files as the units that vary.
    epochs : float
        Times the training text was read; a window comes again only when this exceeds 1.
    seconds : float
        Wall time of the training steps, compilation left out.
    """

    loss: float
    loss_se: float
    epochs: float
    seconds: float


def train(point: Point, corpus: Corpus) -> Result:
    """Train one model and measure it.

    The learning rate rises over the first tenth of the run, then falls in a straight line that
    reaches zero one step after its last. So every run is finished, whatever its length: the loss
    in the middle of a longer schedule is too high, and bends scaling laws (Hoffmann et al. 2022,
    app. B; Porian et al. 2024).

    Parameters
    ----------
    point : Point
    corpus : Corpus

    Returns
    -------
    Result

    Raises
    ------
    FloatingPointError
        When the validation loss is not finite.
    """
    pieces = windows(corpus.training, CONTEXT)
    order = _order(len(pieces), point)
    params = init(point.shape, jax.random.key(point.seed))
    state = (params, OPTIMIZER.init(params))
    advance = _compiled(point.shape, point.batch)
    for steps in {CHUNK, point.steps % CHUNK} - {0}:
        advance(state, jnp.zeros((steps, point.batch, CONTEXT + 1), jnp.uint8), jnp.zeros(steps))

    rates = _rates(point)
    begin = perf_counter()
    for first in range(0, point.steps, CHUNK):
        chunk = slice(first, first + CHUNK)
        state = advance(state, jnp.asarray(pieces[order[chunk]]), jnp.asarray(rates[chunk]))
    jax.block_until_ready(state)
    seconds = perf_counter() - begin

    loss, loss_se = _validate(state[0], point.shape, corpus)
    if not np.isfinite(loss):
        raise FloatingPointError(f"The validation loss of {point} is {loss}.")
    return Result(loss, loss_se, point.batch * point.steps / len(pieces), seconds)


def _order(n_pieces: int, point: Point) -> np.ndarray:
    """Choose the windows of each step: a new permutation for every epoch."""
    rng = np.random.default_rng(point.seed)
    needed = point.batch * point.steps
    epochs = [rng.permutation(n_pieces) for _ in range(-(-needed // n_pieces))]
    return np.concatenate(epochs)[:needed].reshape(point.steps, point.batch)


def _rates(point: Point) -> np.ndarray:
    rising = WARM_UP * point.steps
    step = np.arange(1, point.steps + 1)
    falling = (point.steps - step + 1) / (point.steps - rising)
    return (point.lr * np.minimum(step / rising, falling)).astype(np.float32)


@cache
def _compiled(shape: Shape, batch: int) -> Callable:
    """Compile the training steps once for all runs of a shape."""

    def mean_loss(params: Params, batch: jax.Array) -> jax.Array:
        return losses(params, shape, batch).mean()

    def step(state: tuple, batch_and_rate: tuple) -> tuple:
        params, optimizer_state = state
        batch, rate = batch_and_rate
        gradient = jax.grad(mean_loss)(params, batch)
        updates, optimizer_state = OPTIMIZER.update(gradient, optimizer_state, params)
        updates = jax.tree.map(lambda update: -rate * update, updates)
        return (optax.apply_updates(params, updates), optimizer_state), None

    @jax.jit
    def advance(state: tuple, batches: jax.Array, rates: jax.Array) -> tuple:
        return jax.lax.scan(step, state, (batches, rates))[0]

    return advance


_evaluate = jax.jit(losses, static_argnames="shape")


def _validate(params: Params, shape: Shape, corpus: Corpus) -> tuple[float, float]:
    """Return the mean loss over the validation text, and its standard error.

    Bytes of one file are alike, so the standard error is that of a ratio of sums over files.
    """
    pieces = windows(corpus.validation, CONTEXT)
    of_file = windows(corpus.validation_file, CONTEXT)[:, 1:]
    parts = [
        np.asarray(_evaluate(params, shape, pieces[first : first + EVALUATION_BATCH]))
        for first in range(0, len(pieces), EVALUATION_BATCH)
    ]
    loss = np.concatenate(parts).astype(float)
    total, count = (
        np.bincount(of_file.ravel(), weights) for weights in (loss.ravel(), np.ones(loss.size))
    )
    mean = total.sum() / count.sum()
    files = len(total)
    variance = files / (files - 1) * np.sum((total - mean * count) ** 2) / count.sum() ** 2
    return float(mean), float(np.sqrt(variance))
