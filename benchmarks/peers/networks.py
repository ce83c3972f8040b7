"""The networks as functions of their weights: written by hand in JAX, or as Keras calls them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from optax import softmax_cross_entropy_with_integer_labels as cross_entropy

from peers.setting import Subject, task

SIZE, EPSILON, MOMENTUM, KEPT = 8, 1e-3, 0.9, 0.75  # of the images, batch norms, dropout


class Network(NamedTuple):
    """``loss(weights, state, x, y)``: the batch's mean, and the new state; ``measure``: a mean."""

    loss: Callable[..., Any]
    measure: Callable[..., Any]


def by_hand(subject: Subject) -> Network:
    """As somebody writes them who knows what is fast."""
    return _dense() if subject.task == "digits-mlp" else _convolutional(subject.dropout)


def as_keras(subject: Subject) -> Network:
    """The model as it is, through ``stateless_call``: nobody wrote it twice."""
    from ravine.tasks.adapters.keras_network import Network as Intake

    made = Intake(task(subject))
    return Network(made.loss, lambda *arguments: made.measure(*arguments)[0])


def _dense() -> Network:
    def measure(weights: Any, _: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = weights
        hidden = jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2)
        return cross_entropy(hidden @ w3 + b3, y).mean()

    return Network(lambda weights, state, x, y: (measure(weights, state, x, y), state), measure)


def _convolutional(dropout: bool) -> Network:
    def loss(weights: Any, state: Any, x: Any, y: Any) -> Any:
        x = x.reshape(-1, SIZE, SIZE, 1)
        running: list[Any] = []
        for i in (0, 1):
            kernel, scale, offset = weights[3 * i : 3 * i + 3]
            x = _shifted(x, kernel)
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
            for old, new in zip(state[2 * i : 2 * i + 2], (mean, variance), strict=True):
                running.append(MOMENTUM * old + (1 - MOMENTUM) * new)
            x = _pooled(_normed(x, mean, variance, scale, offset))
        x = x.reshape(len(x), -1)
        if dropout:  # the counter is the key's second half: Keras's masks, and no key to split
            key = state[4]
            x = jnp.where(jax.random.bernoulli(key, KEPT, x.shape), x / KEPT, 0)
            running.append(key.at[1].add(1))
        return cross_entropy(x @ weights[6] + weights[7], y).mean(), running

    def measure(weights: Any, state: Any, x: Any, y: Any) -> Any:
        x = x.reshape(-1, SIZE, SIZE, 1)
        for i in (0, 1):
            kernel, scale, offset = weights[3 * i : 3 * i + 3]
            # Forward and on many rows XLA's own convolution is the faster one.
            layout = ("NHWC", "HWIO", "NHWC")
            x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)
            x = _pooled(_normed(x, *state[2 * i : 2 * i + 2], scale, offset))
        x = x.reshape(len(x), -1)
        return cross_entropy(x @ weights[6] + weights[7], y).mean()

    return Network(loss, measure)


def _shifted(x: Any, kernel: Any) -> Any:
    """A 3×3 convolution: in a loop, XLA's own is slow to differentiate on a CPU."""
    height, width = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    seen = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(seen, -1) @ kernel.reshape(-1, kernel.shape[-1])


def _normed(x: Any, mean: Any, variance: Any, scale: Any, offset: Any) -> Any:
    factor = lax.rsqrt(variance + EPSILON) * scale
    return x * factor + (offset - mean * factor)


def _pooled(x: Any) -> Any:
    """ReLU, then the largest of each 2×2: row by row, which beats one maximum over both axes."""
    rows, height, width, channels = x.shape
    x = jax.nn.relu(x).reshape(rows, height // 2, 2, width // 2, 2, channels)
    x = jnp.maximum(x[:, :, 0], x[:, :, 1])
    return jnp.maximum(x[:, :, :, 0], x[:, :, :, 1])
