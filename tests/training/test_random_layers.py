"""Layers that draw: dropout is paired by seed.

That a task with such layers trains as in Keras is in tasks/test_contract.py.
"""

from typing import Any

import keras
import numpy as np
import pytest

from ravine.tasks.adapters.keras_network import Network
from ravine.tasks.task import Data, Split, Task


def masked(seeds: list[int | None]) -> Task:
    """A model whose output is its dropout masks, one column a layer."""

    def make_model() -> Any:
        x = keras.Input((64,))
        outs = [keras.layers.Dropout(0.5, seed=seed)(x) for seed in seeds]
        return keras.Model(x, keras.ops.stack([keras.layers.Reshape((64, 1))(y) for y in outs], -1))

    ones = Split(np.ones((2, 64), np.float32), np.ones(2, np.float32))
    return Task(
        "masks",
        "",
        make_model,
        lambda: Data(ones, ones, ones),
        lambda y, p: p.sum((1, 2)),
        {},
        1,
        2,
    )


@pytest.mark.parametrize("seeds", [[None, None], [7, 7]])
def test_masks_are_those_of_the_seed_and_the_layer(seeds: list[int | None]) -> None:
    network = Network(masked(seeds))

    def masks(seed: int) -> Any:
        state = network.draw(seed).state
        y, _ = network._model.stateless_call([], state, np.ones((2, 64)), training=True)
        return np.asarray(y)[:, :, 0]

    first, again, other = masks(1), masks(1), masks(2)
    assert set(np.unique(first)) == {0, 2}
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[..., 0] != first[..., 1]).any()
