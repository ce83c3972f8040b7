"""What the calling process has set decides a user's model in a worker as it does here."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest
from keras import layers

import ravine
from ravine.errors import InvalidArgument
from ravine.tasks import settings
from ravine.tasks.adapters.variables import Variable, compare
from ravine.training import engine
from ravine.training.evaluation_check import check_evaluation

draw = np.random.default_rng(0)
X = draw.normal(size=(60, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
IMAGES = draw.normal(size=(60, 1, 6, 6)).astype("float32")
SMALL: Any = {
    "rules": ["sgd"],
    "learning_rates": [0.1],
    "tuning_seeds": 1,
    "eval_seeds": 1,
    "epochs": 1,
}
SMALL |= {"progress": False}


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    """What a test or a worker of it has set is taken back."""
    yield
    settings.agree(keras, None, own=False)


def sure() -> Any:
    """A model that is sure, so that epsilon decides its loss."""
    end = layers.Dense(1, activation="sigmoid", kernel_initializer=keras.initializers.Constant(50))
    return keras.Sequential([keras.Input((4,)), end])


def convolving() -> Any:
    return keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1)])


def begun(task: Any) -> tuple[Any, Any]:
    """A network in what is a worker: with Keras at its defaults before."""
    settings.agree(keras, None, own=False)
    network = task.network()
    return network, network.draw(0)


def test_epsilon_travels() -> None:
    keras.config.set_epsilon(0.1)
    task = ravine.Task.from_model(sure, (X, Y), loss="binary_crossentropy")
    native = keras.losses.binary_crossentropy(1 - Y, Y).mean()
    network, drawn = begun(task)
    measured = network.measure(*drawn, *task.load().validation)
    assert keras.config.epsilon() == 0.1
    model = sure()
    model.compile(loss="binary_crossentropy")
    x, y = task.load().validation
    assert float(measured[0]) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    assert float(native) == pytest.approx(-np.log(0.1), rel=1e-5)  # it does decide


def test_where_channels_are_travels() -> None:
    keras.config.set_image_data_format("channels_first")
    task = ravine.Task.from_model(convolving, (IMAGES, Y), loss="mse")
    network, _ = begun(task)
    assert next(v.shape for v in network.variables_there) == (3, 3, 1, 2)


def test_a_policy_of_mixed_precision_travels() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    task = ravine.Task.from_model(sure, (X, Y), loss="mse")
    network, drawn = begun(task)
    assert network.predict(*drawn, X).outputs.dtype == "bfloat16"
    assert check_evaluation(engine, network, task, task.load(), drawn).note == ""


def test_what_is_registered_with_keras_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Any:
        config = {"class_name": "function", "config": "thrice", "registered_name": "thrice"}
        thrice = keras.saving.deserialize_keras_object({"module": "builtins", **config})
        return keras.Sequential([keras.Input((4,)), layers.Dense(1, activation=thrice)])

    registered = keras.saving.get_custom_objects()
    monkeypatch.setitem(registered, "thrice", lambda x: 3 * x)
    task = ravine.Task.from_model(make, (X, Y), loss="mse")
    monkeypatch.delitem(registered, "thrice")
    network, drawn = begun(task)
    kernel, bias = drawn.trainable
    predicted = network.predict(*drawn, X).outputs
    np.testing.assert_allclose(predicted, 3 * (X @ kernel + bias), rtol=1e-5, atol=1e-6)


class Forgetful(layers.Layer):
    """Its configuration leaves an argument out."""

    def __init__(self, units: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.units = units

    def get_config(self) -> dict[str, Any]:
        return super().get_config()

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")

    def call(self, x: Any) -> Any:
        return keras.ops.mean(x @ self.kernel, axis=-1, keepdims=True)


def test_a_model_that_is_another_when_rebuilt_is_named(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), Forgetful(5)])
    said = r"forgetful/kernel' \(4, 5\) .* and .*forgetful/kernel' \(4, 2\)"
    with pytest.raises(InvalidArgument, match=said) as told:
        ravine.race(model, (X, Y), loss="mse", **SMALL, workers=0, out=tmp_path / "race")
    assert len(str(told.value).splitlines()) == 1
    (advice,) = [part for part in str(told.value).split("; ") if "functools.partial" in part]
    assert advice


def lazily_built() -> Any:
    model = keras.Sequential([layers.Dense(3), layers.Dense(1)])
    model.build((None, 4))
    return model


def layered(*inner: Any) -> Any:
    return keras.Sequential([keras.Input((4,)), *inner, layers.Dense(1)])


GIVEN = {
    "sequential": lambda: layered(layers.Dense(3)),
    "built later": lazily_built,
    "models in models": lambda: layered(*(keras.Sequential([layers.Dense(4)]) for _ in range(3))),
    "wrapped layers": lambda: layered(
        layers.Reshape((2, 2)), layers.Bidirectional(layers.LSTM(2)), layers.BatchNormalization()
    ),
}


@pytest.mark.parametrize("make", GIVEN.values(), ids=GIVEN)
def test_a_model_of_any_form_is_that_which_was_given(make: Any) -> None:
    task = ravine.Task.from_model(make(), (X, Y), loss="mse")
    network, _ = begun(task)
    compare(task.variables, network.variables_there, task.name)
    assert {v.path for v in task.variables} != {v.path for v in network.variables_there}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("nested", [False, True], ids=["a layer", "in a model"])
def test_what_a_layer_was_adapted_to_is_what_is_evaluated(nested: bool) -> None:
    adapted = layers.Normalization()
    adapted.adapt(5 * X + 3)
    inner = keras.Sequential([keras.Input((4,)), adapted]) if nested else adapted
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(1, kernel_initializer="ones")])
    model.compile(loss="mse")
    task = ravine.Task.from_model(model, (X, Y))
    network, drawn = begun(task)
    compare(task.variables, network.variables_there, task.name)
    x, y = task.load().test
    expected = model.evaluate(x, y, verbose=0)
    assert float(network.measure(*drawn, x, y)[0]) == pytest.approx(expected, rel=1e-5)
    plain = np.square(x.sum(axis=1, keepdims=True) - y).mean()
    assert expected != pytest.approx(plain, rel=0.1)  # it does decide


def test_whole_numbers_are_as_wide_as_a_backend_has_them() -> None:
    count = [Variable("normalization/count", (), dtype, False) for dtype in ("int64", "int32")]
    compare(count[:1], count[1:], "adapted on TensorFlow")


GIVEN_ON_TORCH = """
import keras, numpy as np
from ravine.tasks.adapters.entry import task_of
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
print(task_of(model, (np.ones((20, 4)), np.ones(20)), loss="mse").name)
"""


def test_a_model_of_keras_on_pytorch_is_one_of_keras() -> None:
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    run = partial(subprocess.run, capture_output=True, text=True, check=False, env=environment)
    done = run([sys.executable, "-c", GIVEN_ON_TORCH])
    assert done.stdout == "sequential\n", done.stderr


def test_a_sequential_model_is_raced_as_it_is(tmp_path: Path) -> None:
    model = layered(layers.Dense(3))
    race = ravine.race(model, (X, Y), loss="mse", **SMALL, workers=0, out=tmp_path / "race")
    assert race.stored


MODULE = """
UNITS = 2


def make_model():
    import keras

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(UNITS), keras.layers.Dense(1)])
"""


def test_a_global_variable_that_does_not_travel_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "global_units.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("global_units")
    monkeypatch.setattr(module, "UNITS", 5)
    try:
        with pytest.raises(InvalidArgument, match=r"dense/kernel' \(4, 5\) .* \(4, 2\)"):
            ravine.race(
                *(module.make_model, (X, Y)), loss="mse", **SMALL, workers=1, out=tmp_path / "race"
            )
    finally:
        sys.modules.pop("global_units")


def test_64_bit_numbers_of_jax_are_named() -> None:
    def loss(w: Any, x: Any, y: Any) -> Any:
        return (x @ w - y[:, 0]) ** 2

    def weights(dtype: Any) -> Any:
        return lambda key: jax.random.normal(key, (4,), dtype)

    wide = ravine.Task.from_jax(weights(None), loss, (X, Y), name="wide")
    given = ravine.Task.from_jax(weights("float32"), loss, (X, Y), name="given")
    with jax.enable_x64(True):
        here = wide.variables, given.variables
    there = [task.network().variables_there for task in (wide, given)]
    with pytest.raises(
        InvalidArgument, match=r"float64.*float32.*give the dtype to what makes the arr"
    ):
        compare(here[0], there[0], "wide")
    compare(here[1], there[1], "given")  # the advice
