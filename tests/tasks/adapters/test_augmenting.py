"""Augmented training is a loop by hand with the same keys, and no held-out row is augmented."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch
from tests.tasks.adapters.split_rows import data_of

import ravine
from ravine.errors import InvalidArgument
from ravine.storage.store import Store
from ravine.tasks.adapters.augmenting import TAG
from ravine.tasks.adapters.module_network import seed_step
from ravine.training import engine, torch_engine
from ravine.training.batches import batch_rows
from ravine.training.evaluation_check import check_evaluation

BATCH = 8
draw = np.random.default_rng(0)
X = draw.normal(size=(60, 4)).astype("float32")
Y = draw.normal(size=(60, 1)).astype("float32")
SMALL: Any = {"rules": ["sgd"], "learning_rates": [0.1], "tuning_seeds": 1, "eval_seeds": 1}
SMALL |= {"epochs": 2, "progress": False, "early_stopping": False, "workers": 0}


def noisy(x: Any, key: Any) -> Any:
    return x + jax.random.normal(key, x.shape)


def key_of(seed: int, step: int) -> Any:
    """As the documentation says it."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), TAG), step)


def init(key: Any) -> Any:
    return {"w": jax.random.normal(key, (4, 1))}


def squared(params: Any, x: Any, y: Any) -> Any:
    return ((x @ params["w"] - y) ** 2)[:, 0]


def by_optax(seed: int, x: Any, y: Any, rows: Any) -> tuple[list[float], Any]:
    params, rule, losses = init(jax.random.key(seed)), optax.sgd(0.1), []
    state = rule.init(params)
    slope = jax.jit(jax.value_and_grad(lambda p, x, y: squared(p, x, y).mean()))
    for i, batch in enumerate(rows):
        loss, gradient = slope(params, noisy(x[batch], key_of(seed, i + 1)), y[batch])
        step, state = rule.update(gradient, state)
        params = optax.apply_updates(params, step)
        losses.append(float(loss))
    return losses, params


def test_a_race_is_a_loop_with_optax_and_the_same_keys(tmp_path: Path, no_pages: None) -> None:
    task = ravine.Task.from_jax(init, squared, (X, Y), batch_size=BATCH, augment=noisy)
    assert task.description.endswith("training batches are augmented by noisy")
    ravine.race(task, **SMALL, out=tmp_path / "out")
    curves = Store(tmp_path / "out", reading=True).curves()
    for curve in curves[:3]:
        data = data_of(task, curve.run.seed)
        rows = batch_rows(curve.run.seed, len(data.train.x), BATCH, curve.run.steps)
        losses, params = by_optax(curve.run.seed, *data.train, rows)
        np.testing.assert_allclose(curve.losses, losses, rtol=1e-5)
        held_out = [squared(params, *split).mean() for split in data[1:]]
        np.testing.assert_allclose(curve.measures[-1, :, 0], held_out, rtol=1e-5)


def dense() -> Any:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])


def two() -> Any:
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    both = keras.layers.Concatenate()([left, right])
    return keras.Model({"right": right, "left": left}, keras.layers.Dense(1)(both))


def left_alone(x: Any, key: Any) -> Any:
    return {"left": noisy(x["left"], key), "right": x["right"]}


@pytest.mark.parametrize(
    ("make", "x", "augment"),
    [(dense, X, noisy), (two, {"right": X, "left": 2 * X}, left_alone)],
    ids=["one input", "a dict"],
)
def test_a_model_trains_on_what_the_function_gives(make: Any, x: Any, augment: Any) -> None:
    task = ravine.Task.from_model(make, (x, Y), loss="mse", augment=augment)
    plain = ravine.Task.from_model(make, (x, Y), loss="mse").network()
    network, data = engine.network_of(task), task.load()
    drawn, bare = network.draw(3), plain.draw(3)
    state = drawn.state
    for step in (1, 2):
        loss, state = network.loss(drawn.trainable, state, *data.train)
        given = jax.tree.map(jnp.asarray, task.inputs(data.train.x))
        given = augment(given, key_of(3, step))
        flat = [given[name] for name in x] if isinstance(x, dict) else given
        expected, held = plain.loss(bare.trainable, bare.state, flat, data.train.y)
        assert float(loss) == pytest.approx(float(expected), rel=1e-6)
        bare = bare._replace(state=held)
    measured = network.measure(*drawn, *data.validation)
    assert measured == plain.measure(*plain.draw(3), *data.validation)
    assert check_evaluation(engine, network, task, data, network.draw(0)).note == ""
    other = ravine.Task.from_model(make, (x, Y), loss="mse", augment=lambda x, key: x)
    assert len({network.config, plain.config, other.network().config}) == 3


def jittered(x: Any, generator: Any) -> Any:
    return x + torch.randn(x.shape, generator=generator)


def test_a_module_trains_on_what_the_function_gives(tmp_path: Path, no_pages: None) -> None:
    mse = torch.nn.functional.mse_loss
    task = ravine.Task.from_torch(
        lambda: torch.nn.Linear(4, 1), (X, Y), mse, batch_size=BATCH, augment=jittered
    )
    network = torch_engine.network_of(task)
    assert check_evaluation(torch_engine, network, task, task.load(), network.draw(0)).note == ""
    ravine.race(task, **SMALL, out=tmp_path / "out")
    curve = Store(tmp_path / "out", reading=True).curves()[1]
    seed = curve.run.seed
    torch.manual_seed(seed)
    module, data = torch.nn.Linear(4, 1), data_of(task, seed)
    optimizer, losses = torch.optim.SGD(module.parameters(), lr=0.1), []
    x, y = map(torch.tensor, data.train)
    for i, batch in enumerate(batch_rows(seed, len(x), BATCH, curve.run.steps)):
        seed_step(seed, i + 1)
        loss = mse(module(x[batch] + torch.randn(BATCH, 4)), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(curve.losses, losses, rtol=1e-5)
    ends = [mse(module(torch.tensor(a)), torch.tensor(b)).item() for a, b in data[1:]]
    np.testing.assert_allclose(curve.measures[-1, :, 0], ends, rtol=1e-5)


def with_numpy(x: Any, key: Any) -> Any:
    return x + np.random.default_rng().normal()


BAD: dict[str, tuple[Callable[..., Any], str]] = {
    "shape": (lambda x, key: x[:, :2], r"augment gives .*2\), 'float32'.* for .*4\), 'float32'"),
    "dtype": (lambda x, key: x.astype(int), "augment gives .*'int32'.* give a batch of the same"),
    "another nest": (lambda x, key: [x, x], "augment gives .* for .*: give a batch of the same"),
    "not traced": (lambda x, key: np.asarray(x), "augment failed: Tracer.*use jax.numpy"),
    "arguments": (lambda x: x, "augment failed: TypeError.*called with a batch of inputs and a"),
    "no key": (with_numpy, "augment draws without its key"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_augmentation_is_named_in_one_line(name: str) -> None:
    augment, said = BAD[name]
    with pytest.raises(InvalidArgument, match=said) as told:
        ravine.Task.from_jax(init, squared, (X, Y), augment=augment).network()
    assert len(str(told.value).splitlines()) == 1


def own_stream(x: Any, generator: Any) -> Any:
    return x + float(np.random.default_rng().normal())


BAD_TORCH: dict[str, tuple[Any, str]] = {
    "shape": (lambda x, g: x[:, :2], r"augment gives \(4, 2\) float32 for \(4, 4\) float32"),
    "fails": (lambda x, g: x.nothing(), "augment failed: AttributeError"),
    "draws": (own_stream, "augment draws elsewhere than from PyTorch's generator"),
}


@pytest.mark.parametrize("name", BAD_TORCH)
def test_of_a_module_too(name: str) -> None:
    augment, said = BAD_TORCH[name]
    mse = torch.nn.functional.mse_loss
    with pytest.raises(InvalidArgument, match=said):
        ravine.Task.from_torch(
            lambda: torch.nn.Linear(4, 1), (X, Y), mse, augment=augment
        ).network()


def test_what_cannot_be_one_is_named_where_the_task_is_made() -> None:
    with pytest.raises(
        InvalidArgument, match=r"augment is a RandomFlip of Keras.*put it into the model"
    ):
        ravine.Task.from_model(dense, (X, Y), loss="mse", augment=keras.layers.RandomFlip())
    with pytest.raises(
        InvalidArgument, match="augment is a str: give a function of a batch and a key"
    ):
        ravine.Task.from_model(dense, (X, Y), loss="mse", augment="flip")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="augment= goes with a model of your own"):
        ravine.race("digits-mlp", augment=noisy)


def test_keras_own_fit_and_engines_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    from ravine.execution.crosscheck import check_framework
    from ravine.training import keras_engine

    task = ravine.Task.from_model(dense, (X, Y), loss="mse", augment=noisy)
    with pytest.raises(
        InvalidArgument, match=r"cannot be confirmed by model\.fit: its batches are aug"
    ):
        check_framework("torch", task)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    said = "augment= runs in JAX, and this model trains in TensorFlow: put into the model"
    with pytest.raises(InvalidArgument, match=said):
        keras_engine.network_of(task)
