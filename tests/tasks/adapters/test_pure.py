"""A pair of JAX functions trains in the race as its author would train it with Optax."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tests.tasks.adapters.split_rows import data_of

import ravine
from ravine.errors import InvalidArgument
from ravine.storage.splits import blocks_of
from ravine.storage.store import Store
from ravine.training import engine
from ravine.training.batches import batch_rows

pytestmark = pytest.mark.usefixtures("compiled_quickly")

draw = np.random.default_rng(3)
X = {"left": draw.normal(size=(100, 4)), "right": draw.normal(size=(100, 2))}
Y = np.tanh(X["left"][:, 0] - X["right"][:, 1])


class Layer(NamedTuple):
    w: Any
    b: Any


def init(key: Any) -> Any:
    one, two = jax.random.split(key)
    hidden = Layer(jax.random.normal(one, (6, 8)) / 2, jnp.zeros(8))
    return {"layers": [hidden, Layer(jax.random.normal(two, (8,)) / 3, 0.5)]}


def predict(params: Any, x: Any) -> Any:
    hidden, out = params["layers"]
    both = jnp.concatenate([x["left"], x["right"]], axis=1)
    return jnp.tanh(both @ hidden.w + hidden.b) @ out.w + out.b


def loss(params: Any, x: Any, y: Any) -> Any:
    return (predict(params, x) - y) ** 2


def mean_away(params: Any, x: Any, y: Any) -> Any:
    return abs(predict(params, x) - y).mean()


@cache
def step_of(rule: Any) -> Any:
    @jax.jit
    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        value, slope = jax.value_and_grad(lambda p: loss(p, x, y).mean())(params)
        updates, state = rule.update(slope, state)
        return optax.apply_updates(params, updates), state, value

    return step


def by_optax(rule: Any, seed: int, rows: Any, train: Any) -> Any:
    params = jax.tree.map(jnp.float32, init(jax.random.key(seed)))
    state = rule.init(params)
    losses, compiled, (x, y) = [], step_of(rule), train
    for batch in rows:
        params, state, value = compiled(
            params, state, {k: v[batch] for k, v in x.items()}, y[batch]
        )
        losses.append(float(value))
    return params, losses


def test_it_trains_as_with_optax(tmp_path: Path, no_pages: None) -> None:
    task = ravine.Task.from_jax(
        init, loss, (X, Y), metrics={"away": mean_away}, name="pair", epochs=8, batch_size=10
    )
    race = ravine.race(
        task,
        rules=["adam"],
        learning_rates=[0.01, 0.03],
        tuning_seeds=1,
        eval_seeds=2,
        workers=0,
        progress=False,
        out=tmp_path / "out",
    )
    store = Store(tmp_path / "out", reading=True)
    curves = [c for c in store.curves() if c.run.rule == "adam" and not c.stopped]
    plan = store.plan
    store.close()
    assert plan.facts.measures == ("loss", "away")
    ends, rules = {}, {rate: optax.adam(rate) for rate in (0.01, 0.03)}
    for curve in curves:
        data = data_of(task, curve.run.seed)
        train = dict(zip(X, data.train.x, strict=True)), data.train.y
        rows = batch_rows(curve.run.seed, len(data.train.y), 10, plan.steps)
        params, losses = by_optax(rules[curve.run.learning_rate], curve.run.seed, rows, train)
        # Sums in another order, each rounded to 6e-8, over 48 steps.
        np.testing.assert_allclose(curve.losses, losses, rtol=1e-4, atol=1e-6)
        test = dict(zip(X, data.test.x, strict=True)), data.test.y
        said = [loss(params, *test).mean(), mean_away(params, *test)]
        np.testing.assert_allclose(curve.measures[-1, 1], said, rtol=1e-4)
        ends[curve.run.id] = params
    # What is kept of the winner is what was trained, in the nest that init gives.
    assert race.winner.rule == "adam"
    best = race.best
    assert best is not None
    kept = race.winner.model()
    assert isinstance(kept["layers"][0], Layer)
    for ours, theirs in zip(jax.tree.leaves(kept), jax.tree.leaves(ends[best["run"]]), strict=True):
        # Weights near 1 are rounded to 6e-8 at each of 48 steps, small ones by as much.
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=48 * 6e-8)
    elsewhere = ravine.Race.open(tmp_path / "out").winner.model()
    np.testing.assert_array_equal(elsewhere["layers"][0]["w"], kept["layers"][0].w)
    assert json.loads(race.results.to_json())["best"]["file"] == "best.npz"


def test_what_decides_a_result_is_in_its_name() -> None:
    def network(scale: float, start: float = 0.0) -> str:
        at = np.float32(scale)
        pair = (lambda key: jnp.float32(start), lambda w, x, y: (w * at * x - y) ** 2)
        task = ravine.Task.from_jax(*pair, (np.arange(20.0), np.arange(20.0)))
        return str(task.network().config)

    assert network(1) == network(1)
    assert len({network(1), network(2), network(1, 1.0)}) == 3


BAD: dict[str, tuple[Any, Any, str]] = {
    "whole numbers": (lambda key: jnp.arange(3), loss, "gives a number as int32"),
    "nothing": (lambda key: {}, loss, "init gives no parameters"),
    "no key": (lambda: 1.0, loss, "init failed: TypeError"),
    "shape": (lambda key: 1.0, lambda w, x, y: jnp.zeros((3, 2)), r"loss gives \(3, 2\)"),
    "stuck": (lambda key: 1.0, lambda w, x, y: x["none"], "loss failed: KeyError"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_trained_is_named(name: str, tmp_path: Path) -> None:
    start, cost, said = BAD[name]
    task = ravine.Task.from_jax(start, cost, (X, Y))
    with pytest.raises(InvalidArgument, match=said):
        ravine.race(task, out=tmp_path / "out", workers=0, progress=False)


@pytest.mark.parametrize("function", [loss, mean_away], ids=["a number a row", "a mean"])
def test_blocks_of_rows_are_measured_by_the_functions_themselves(function: Any) -> None:
    task = ravine.Task.from_jax(init, function, (X, Y))
    network, rows = task.network(), task.load().test
    drawn, blocks = network.draw(0), blocks_of(len(rows.y), at_random=False)
    begin = jax.jit(engine.programs(network, ravine.SGD()).begin)
    lanes = [[array[None] for array in group] for group in drawn]
    _, measures = begin({"learning_rate": np.ones(1)}, *lanes, [(rows.x, rows.y, blocks)])
    params = jax.tree.map(jnp.float32, init(jax.random.key(0)))
    native = [
        function(
            params, {name: x[at] for name, x in zip(X, rows.x, strict=True)}, rows.y[at]
        ).mean()
        for at in [slice(None), *blocks]
    ]
    np.testing.assert_allclose(measures[0, :, 0], native, rtol=1e-5)
