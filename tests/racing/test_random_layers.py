"""Layers with a state of their own: batch norm is a lane's, dropout is paired by seed."""

from typing import Any

import jax
import keras
import numpy as np
import pytest

from ravine.racing.engine import numeric, programs
from ravine.rules import SGD
from ravine.tasks import find
from ravine.tasks.intake import Network
from ravine.tasks.task import Data, Split, Task

# A rounding in time turns some ReLU or maximum over, and curves part: on one CPU at step 15.
STEPS = 12


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(find("digits-cnn"))


def test_the_engine_trains_as_keras_does(network: Network) -> None:
    """Convolutions, running means, dropout masks: against Keras's own training loop, on JAX."""
    task = find("digits-cnn")
    data = task.load()
    seeds = [5, 6]
    draw = np.random.default_rng(0)
    rows = np.stack([draw.integers(0, len(data.train.x), (1, STEPS, 32)) for _ in seeds])
    drawn = [network.draw(seed) for seed in seeds]
    hyper = {k: np.full(2, v, np.float32) for k, v in numeric(SGD(0.05)).items()}
    begin, advance = map(jax.jit, programs(network, SGD(0.05)))
    both = [
        [np.stack(pair) for pair in zip(*group, strict=True)] for group in zip(*drawn, strict=True)
    ]
    lanes, _ = begin(hyper, *both, [data.test])
    _, losses, measures = advance(
        hyper, lanes, (np.float32(0), np.int32(1)), rows.astype(np.int32), data.train, [data.test]
    )
    model = task.make_model()
    model.compile(
        optimizer=keras.optimizers.SGD(0.05),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    for lane, weights in enumerate(drawn):
        for variable, value in zip(model.trainable_variables, weights.trainable, strict=True):
            variable.assign(value)
        for variable, value in zip(model.non_trainable_variables, weights.state, strict=True):
            variable.assign(value)
        model.reset_metrics()
        expected = [
            float(model.train_on_batch(data.train.x[batch], data.train.y[batch])[0])
            for batch in rows[lane, 0]
        ]
        # Sums of some hundred products in another order, each rounded to 6e-8, over twelve steps.
        np.testing.assert_allclose(losses[lane], expected, rtol=0, atol=5e-5)
        held_out = model.evaluate(data.test.x, data.test.y, verbose=0, batch_size=360)
        np.testing.assert_allclose(measures[lane, -1, 0], held_out, rtol=1e-3)


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
