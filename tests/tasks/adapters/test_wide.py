"""Numbers of 64 bits, where the process that makes a task has them, are raced as they are.

The data lie so far from zero that numbers of 32 bits would have none of their digits.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch

import ravine
from ravine.errors import InvalidArgument
from ravine.storage.store import Store
from ravine.tasks import settings
from ravine.training import engine, torch_engine
from ravine.training.batches import batch_rows
from ravine.training.evaluation_check import check_evaluation
from ravine.training.programs import Shape, numeric

FAR, STEPS, BATCH = 1e9, 12, 8
draw = np.random.default_rng(0)
X = FAR + draw.normal(size=(60, 4))
Y = draw.normal(size=(60, 1))
ROWS = np.random.default_rng(1).integers(0, 36, (1, STEPS, 1, BATCH)).astype(np.int32)
SMALL: Any = {"rules": ["adam"], "learning_rates": [0.1], "tuning_seeds": 1, "eval_seeds": 1}
SMALL |= {"epochs": 2, "progress": False, "reference": "adam", "early_stopping": False}
ADAM = ravine.Adam(learning_rate=0.1, epsilon=1e-8)


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    """What a test or a worker of it has set is taken back."""
    yield
    settings.agree(keras, None, own=False)
    settings.set_jax("float32")
    torch.set_default_dtype(torch.float32)


def weights(key: Any) -> Any:
    return jax.random.normal(key, (4, 1))


def squared(w: Any, x: Any, y: Any) -> Any:
    return (((x - FAR) @ w - y) ** 2)[:, 0]


def by_optax(w: Any, x: Any, y: Any, rows: Any) -> list[float]:
    rule = optax.adam(0.1)
    state, losses = rule.init(w), []
    slope = jax.jit(jax.value_and_grad(lambda w, x, y: squared(w, x, y).mean()))
    for batch in rows:
        loss, gradient = slope(w, x[batch], y[batch])
        step, state = rule.update(gradient, state)
        w = optax.apply_updates(w, step)
        losses.append(float(loss))
    return losses


def advanced(of: Any, network: Any, train: Any, rule: Any, width: int = 1) -> Any:
    """The losses of runs of seed 0 by the programs of an engine, (width, steps)."""
    drawn = network.draw(0)
    lanes = [[np.stack([array] * width) for array in group] for group in drawn]
    splits = (tuple(train), [tuple(train)])
    shape = Shape(width, STEPS, 1, BATCH)
    exported = of.export(network, rule, shape, tuple(drawn), splits)
    begin, advance = of.load(exported, lambda: network, rule)
    train, held_out = of.resident(splits)
    hyper = {k: np.full(width, v, np.float64) for k, v in numeric(rule).items()}
    carry, _ = begin(hyper, *lanes, held_out)
    span, rows = (np.float64(0), np.int32(STEPS)), np.repeat(ROWS, width, 0)
    return np.asarray(advance(hyper, carry, span, rows, train, held_out)[1])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_two_functions_take_the_steps_of_optax(dtype: str) -> None:
    def init(key: Any) -> Any:
        return jax.random.normal(key, (4, 1), dtype)

    with jax.enable_x64(True):
        task = ravine.Task.from_jax(init, squared, (X, Y))
        x, y = task.load().train
        network = engine.network_of(task)
        losses = advanced(engine, network, (x, y), ADAM)
        drawn = jnp.asarray(network.draw(0).trainable[0])
        expected = by_optax(drawn, x, y, ROWS[0, :, 0])
        assert check_evaluation(engine, network, task, task.load(), network.draw(0)).note == ""
    assert drawn.dtype == dtype  # in 32 bits Optax rounds each step
    np.testing.assert_allclose(losses[0], expected, rtol=1e-12 if dtype == "float64" else 1e-5)


def test_a_race_has_the_losses_of_optax(tmp_path: Path, no_pages: None) -> None:
    with jax.enable_x64(True):
        task = ravine.Task.from_jax(weights, squared, (X, Y), name="far", batch_size=BATCH)
        race: Any = ravine.race(task, **SMALL, workers=1, out=tmp_path / "out")
        (curve, *_) = Store(tmp_path / "out", reading=True).curves()
        x, y = task.load().train
        rows = batch_rows(curve.run.seed, len(x), BATCH, curve.run.steps)
        expected = by_optax(weights(jax.random.key(curve.run.seed)), x, y, rows)
    assert race.plan.facts.floats == "float64"
    assert race.plan.facts.notes == ()
    np.testing.assert_allclose(curve.losses, expected, rtol=1e-5)


def far(dtype: str | None = None) -> Any:
    nearer = keras.layers.Rescaling(1, -FAR, dtype=dtype)
    return keras.Sequential([keras.Input((4,), dtype=dtype), nearer, keras.layers.Dense(1)])


def test_a_model_of_floatx_trains_as_keras_does() -> None:
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")  # which follows by itself until it is set
    task = ravine.Task.from_model(far, (X, Y), loss="mse", metrics=["mae"])
    settings.agree(keras, None, own=False)  # as in a worker
    network = engine.network_of(task)
    drawn, data = network.draw(0), task.load()
    losses = advanced(engine, network, data.train, ravine.SGD(learning_rate=0.1))
    model = far()
    model.set_weights(drawn.trainable)
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    measured = network.measure(*drawn, *data.validation)
    native = model.evaluate(*data.validation, batch_size=60, verbose=0)
    x, y = data.train
    expected = [float(model.train_on_batch(x[b], y[b])[0]) for b in ROWS[0, :, 0]]
    assert drawn.trainable[0].dtype == "float64"
    np.testing.assert_allclose(measured, native, rtol=1e-6)
    np.testing.assert_allclose(losses[0], expected, rtol=1e-6)  # what Keras reports is float32
    assert check_evaluation(engine, network, task, data, drawn).note == ""


def test_a_policy_of_64_bits_travels() -> None:
    keras.config.set_dtype_policy("float64")
    task = ravine.Task.from_model(far, (X, Y), loss="mse")
    settings.agree(keras, None, own=False)
    network = engine.network_of(task)
    assert {v.dtype for v in network.variables_there} == {"float64"}
    assert task.load().train.x.dtype == "float32"  # which Keras hands data over in


def partly(wide: str | None = "float64") -> Any:
    end = keras.layers.Dense(1, dtype="float32")
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype=wide), end])


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64")
def test_a_layer_of_64_bits_needs_floatx() -> None:
    with pytest.raises(
        InvalidArgument, match=r"layer 'dense.*' is of dtype float64, and the race comput"
    ):
        ravine.Task.from_model(partly, (X - FAR, Y), loss="mse").network()
    narrow = ravine.Task.from_model(lambda: partly(None), (X - FAR, Y), loss="mse")
    assert {v.dtype for v in narrow.network().variables_there} == {"float32"}
    keras.config.set_floatx("float64")
    task = ravine.Task.from_model(partly, (X - FAR, Y), loss="mse")
    network = engine.network_of(task)
    drawn, data = network.draw(0), task.load()
    losses = advanced(engine, network, data.train, ADAM)  # though some weights are of 32 bits
    model = partly()
    model.set_weights(drawn.trainable)
    model.compile(keras.optimizers.Adam(0.1, epsilon=1e-8), "mse")
    x, y = data.train
    expected = [float(model.train_on_batch(x[b], y[b])) for b in ROWS[0, :, 0]]
    np.testing.assert_allclose(losses[0], expected, rtol=1e-4)
    assert {a.dtype.name for a in drawn.trainable} == {"float32", "float64"}
    assert check_evaluation(engine, network, task, data, drawn).note == ""


def module() -> Any:
    return torch.nn.Linear(4, 1)


def mean_square(output: Any, target: Any) -> Any:
    return torch.nn.functional.mse_loss(output, target)


class Near(torch.nn.Module):
    """A line through what is near to zero again."""

    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return self.line(x - FAR)


@pytest.mark.parametrize("width", [1, 2])
def test_a_module_of_the_default_dtype_trains_as_by_torch_optim(width: int) -> None:
    torch.set_default_dtype(torch.float64)
    task = ravine.Task.from_torch(Near, (X, Y), mean_square)
    torch.set_default_dtype(torch.float32)  # as in a worker
    network = torch_engine.network_of(task)
    data = task.load()
    losses = advanced(torch_engine, network, data.train, ADAM, width)
    torch.manual_seed(0)
    held, expected = Near(), []
    optimizer = torch.optim.Adam(held.parameters(), lr=0.1)
    x, y = map(torch.tensor, data.train)
    for batch in ROWS[0, :, 0]:
        optimizer.zero_grad()
        loss = mean_square(held(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(losses, [expected] * width, rtol=1e-7)  # as races keep losses
    assert network.draw(0).trainable[0].dtype == "float64"
    assert check_evaluation(torch_engine, network, task, data, network.draw(0)).note == ""


def test_a_module_races_in_a_worker(tmp_path: Path, no_pages: None) -> None:
    torch.set_default_dtype(torch.float64)
    task = ravine.Task.from_torch(Near, (X, Y), mean_square, name="near", batch_size=BATCH)
    race: Any = ravine.race(task, **SMALL, workers=1, out=tmp_path / "out")
    assert race.plan.facts.floats == "float64"
    start = Store(tmp_path / "out", reading=True).curves()[0]
    torch.manual_seed(start.run.seed)
    x, y = map(torch.tensor, task.load().validation)
    assert float(start.measures[0, 0, 0]) == pytest.approx(mean_square(Near()(x), y).item())


def test_a_task_made_with_other_numbers_needs_a_process_of_its_own(tmp_path: Path) -> None:
    wide = ravine.Task.from_torch(module, (X, Y), mean_square)
    torch.set_default_dtype(torch.float64)
    with pytest.raises(InvalidArgument, match=r"call torch.set_default_dtype\(torch.float32\)"):
        ravine.race(wide, **SMALL, workers=0, out=tmp_path / "out")
    with jax.enable_x64(True):
        task = ravine.Task.from_jax(weights, squared, (X, Y))
    with pytest.raises(InvalidArgument, match="needs JAX with 64-bit numbers in this process"):
        ravine.race(task, **SMALL, workers=0, out=tmp_path / "out")


def test_the_environment_counts_where_jax_is_not_imported_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "jax")
    for value, floats in {"": "float32", "0": "float32", "1": "float64", "True": "float64"}.items():
        monkeypatch.setenv("JAX_ENABLE_X64", value)
        assert ravine.Task.from_jax(weights, squared, (X, Y)).floats == floats
