"""What holds for every task that ravine ships."""

import itertools
from functools import cache
from typing import Any

import jax
import keras
import numpy as np
import pytest

from ravine.rules import RULES, SGD
from ravine.tasks import AT_HAND, find
from ravine.tasks.adapters.keras_network import Network
from ravine.tasks.task import Data
from ravine.training.engine import numeric, programs

every_task = pytest.mark.parametrize("name", AT_HAND)
STEPS = 6


pytestmark = pytest.mark.usefixtures("compiled_quickly")


@cache
def network(name: str) -> Network:
    return Network(find(name))


@cache
def data(name: str) -> Data:
    return find(name).load()


@every_task
def test_a_task_says_what_it_is(name: str) -> None:
    task = find(name)
    assert task.name == name
    assert 30 < len(task.description) <= 90
    assert set(task.learning_rates) <= set(RULES)
    for low, high in task.learning_rates.values():
        assert high / low == pytest.approx(1e4)  # as wide as the rules' own
    assert task.batch_size <= len(data(name).train.x)


@every_task
def test_the_splits_are_of_one_kind_and_share_no_row(name: str) -> None:
    splits = data(name)
    for x, y in splits:
        assert len(x) == len(y) >= 60
        for part, like in ((x, splits.train.x), (y, splits.train.y)):
            assert part.dtype == like.dtype
            assert part.dtype in (np.float32, np.int32)
            assert part.shape[1:] == like.shape[1:]
            assert np.isfinite(part).all()
    rows = [{a.tobytes() + b.tobytes() for a, b in zip(*split, strict=True)} for split in splits]
    for one, other in itertools.combinations(rows, 2):
        assert not one & other


@every_task
def test_loading_again_gives_the_same(name: str) -> None:
    for part, again in zip(
        jax.tree.leaves(data(name)), jax.tree.leaves(find(name).load()), strict=True
    ):
        np.testing.assert_array_equal(part, again)


@every_task
def test_a_seed_decides_the_initial_weights(name: str) -> None:
    one, again, other = (network(name).draw(seed) for seed in (1, 1, 2))
    for w, same, different in zip(*(drawn.trainable for drawn in (one, again, other)), strict=True):
        assert w.dtype == np.float32
        np.testing.assert_array_equal(w, same)
        assert (w == w.flat[0]).all() or (w != different).any()  # a constant, or drawn


@every_task
def test_losses_and_metrics_are_a_finite_number_a_row(name: str) -> None:
    task, (x, y) = find(name), data(name).validation
    y_pred = task.make_model()(x)
    for function in (task.loss, *task.metrics.values()):
        values = np.asarray(function(y, y_pred))
        assert values.shape == (len(x),)
        assert np.isfinite(values).all()


@every_task
def test_the_engine_trains_as_keras_does(name: str) -> None:
    """On JAX, so that layers which draw draw alike; two lanes, with a state of layers each."""
    task, splits = find(name), data(name)
    # A rate at which the loss moves and does not run away.
    low, high = task.learning_rates.get("sgd", (1e-3, 10))
    rule = SGD((low * high) ** 0.5 / 2)
    drawn = [network(name).draw(seed) for seed in (5, 6)]
    rows = np.random.default_rng(0).integers(
        0, len(splits.train.x), (2, 1, STEPS, task.batch_size), np.int32
    )
    hyper = {k: np.full(2, v, np.float32) for k, v in numeric(rule).items()}
    begin, advance = map(jax.jit, programs(network(name), rule))
    held_out = [tuple(splits.validation)]
    lanes, start = begin(hyper, *jax.tree.map(lambda *w: np.stack(w), *map(tuple, drawn)), held_out)
    _, losses, measures = advance(
        hyper, lanes, (np.float32(0), np.int32(1)), rows, tuple(splits.train), held_out
    )
    assert np.isfinite(np.asarray(start)).all()
    model = task.make_model()
    model.compile(optimizer=keras.optimizers.SGD(rule.learning_rate), loss=task.loss)
    for lane, weights in enumerate(drawn):
        for variable, value in zip(model.trainable_variables, weights.trainable, strict=True):
            variable.assign(value)
        for variable, value in zip(model.non_trainable_variables, weights.state, strict=True):
            variable.assign(value)
        expected = [
            float(model.train_on_batch(splits.train.x[batch], splits.train.y[batch]))
            for batch in rows[lane, 0]
        ]
        # Sums in another order, each rounded to 6e-8, over six steps.
        np.testing.assert_allclose(losses[lane], expected, rtol=2e-5)
        assert min(losses[lane]) < losses[lane][0]
        y_pred = model(splits.validation.x)
        end = [np.mean(f(splits.validation.y, y_pred)) for f in (task.loss, *task.metrics.values())]
        np.testing.assert_allclose(measures[lane, 0, 0], end, rtol=1e-4)


def test_another_network_of_a_task_draws_the_same_weights() -> None:
    """Neither the object nor what it drew before matters: the seed alone decides."""
    network("digits-mlp").draw(4)
    first, again = network("digits-mlp").draw(3), Network(find("digits-mlp")).draw(3)
    for w, same in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        assert w.tobytes() == same.tobytes()


def test_the_text_is_followed_by_itself() -> None:
    x, y = data("text-transformer").train
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    assert set(np.unique(x)) == set(range(64))


def test_a_character_does_not_know_what_follows() -> None:
    """What the causal transformer says at a place depends on no later place."""
    model: Any = find("text-transformer").make_model()
    x = data("text-transformer").test.x[:2].copy()
    before = np.asarray(model(x))
    x[:, 20:] = (x[:, 20:] + 1) % 64
    after = np.asarray(model(x))
    np.testing.assert_allclose(after[:, :20], before[:, :20], rtol=0, atol=1e-6)
    assert (after[:, 20:] != before[:, 20:]).any()
