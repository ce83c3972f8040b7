"""The expert: JAX and Optax, a whole run one jitted scan, written for this network."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from peers.setting import EPSILON, RATE, Curve, Setting


def prepare(
    setting: Setting, lanes: int = 1, threads: int = 1
) -> Callable[[list[int]], list[Curve]]:
    """Runs one after the other, or as vmapped lanes; in several threads of this process."""
    adam = optax.adam(RATE, eps=EPSILON)

    def loss(weights: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = weights
        hidden = jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2)
        logits = hidden @ w3 + b3
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def train(weights: Any, rows: Any, data: Any, held_out: Any) -> Any:
        x, y = data

        def step(carry: Any, batch: Any) -> Any:
            weights, memory = carry
            value, slope = jax.value_and_grad(loss)(weights, x[batch], y[batch])
            updates, memory = adam.update(slope, memory)
            return (optax.apply_updates(weights, updates), memory), value

        def period(carry: Any, batches: Any) -> Any:
            carry, losses = lax.scan(step, carry, batches)
            return carry, (losses, jnp.stack([loss(carry[0], *split) for split in held_out]))

        _, (losses, measures) = lax.scan(period, (weights, adam.init(weights)), rows)
        return losses.reshape(-1), measures

    program = jax.jit(train if lanes == 1 else jax.vmap(train, in_axes=(0, 0, None, None)))
    data = jax.device_put((setting.train, setting.held_out))
    _, batch = setting.rows[0].shape
    weights = setting.weights
    rows = {s: r.reshape(-1, setting.period, batch) for s, r in setting.rows.items()}

    def some(seeds: list[int]) -> list[Curve]:
        if lanes == 1:
            results = [program(weights[s], rows[s], *data) for s in seeds]
            return [Curve(*map(np.asarray, result)) for result in results]
        curves: list[Curve] = []
        for i in range(0, len(seeds), lanes):
            part = seeds[i : i + lanes]
            padded = part + part[-1:] * (lanes - len(part))  # one shape, one program
            stacked = [np.stack(same) for same in zip(*(weights[s] for s in padded), strict=True)]
            result = program(stacked, np.stack([rows[s] for s in padded]), *data)
            curves += map(Curve, *map(np.asarray, result))
        return curves[: len(seeds)]

    some([0])
    if threads == 1:
        return some
    pool = ThreadPoolExecutor(threads)
    return lambda seeds: [c for part in pool.map(some, [[s] for s in seeds]) for c in part]
