"""JAX and Optax: a whole run one jitted scan."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from peers import networks
from peers.setting import EPSILON, RATE, Curve, Setting


def prepare(
    setting: Setting, written: str = "by_hand", lanes: int = 1, threads: int = 1
) -> Callable[[list[int]], list[Curve]]:
    """Runs one after the other, or as vmapped lanes; in several threads of this process.

    ``written``: who wrote the network, a function of ``networks``.
    """
    adam = optax.adam(RATE, eps=EPSILON)
    network: networks.Network = getattr(networks, written)(setting.subject)
    slope = jax.value_and_grad(network.loss, has_aux=True)

    def train(weights: Any, state: Any, rows: Any, data: Any, held_out: Any) -> Any:
        x, y = data

        def step(carry: Any, batch: Any) -> Any:
            weights, state, memory = carry
            (value, state), gradients = slope(weights, state, x[batch], y[batch])
            updates, memory = adam.update(gradients, memory)
            return (optax.apply_updates(weights, updates), state, memory), value

        def period(carry: Any, batches: Any) -> Any:
            carry, losses = lax.scan(step, carry, batches)
            measures = [network.measure(*carry[:2], *split) for split in held_out]
            return carry, (losses, jnp.stack(measures))

        start = (weights, state, adam.init(weights))
        _, (losses, measures) = lax.scan(period, start, rows)
        return losses.reshape(-1), measures

    program = jax.jit(train if lanes == 1 else jax.vmap(train, in_axes=(0, 0, 0, None, None)))
    data = jax.device_put((setting.train, setting.held_out))
    _, batch = setting.rows[0].shape
    drawn = {
        s: (setting.weights[s], setting.states[s], r.reshape(-1, setting.period, batch))
        for s, r in setting.rows.items()
    }

    def some(seeds: list[int]) -> list[Curve]:
        if lanes == 1:
            results = [program(*drawn[s], *data) for s in seeds]
            return [Curve(*map(np.asarray, result)) for result in results]
        curves: list[Curve] = []
        for i in range(0, len(seeds), lanes):
            part = seeds[i : i + lanes]
            padded = part + part[-1:] * (lanes - len(part))  # one shape, one program
            stacked = jax.tree.map(lambda *same: np.stack(same), *(drawn[s] for s in padded))
            curves += map(Curve, *map(np.asarray, program(*stacked, *data)))
        return curves[: len(seeds)]

    some([0])
    if threads == 1:
        return some
    pool = ThreadPoolExecutor(threads)
    return lambda seeds: [c for part in pool.map(some, [[s] for s in seeds]) for c in part]
