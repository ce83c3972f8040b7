"""Levers of tasks: what is asked for, what is refused, what becomes of weights and rows."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ravine.errors import InvalidArgument
from ravine.execution.model_probe import try_out
from ravine.tasks import TASKS, find
from ravine.tasks import levers as axes
from ravine.tasks.adapters.entry import task_of
from ravine.tasks.adapters.keras_network import Network
from ravine.tasks.layers import ACTIVATIONS, INITIALIZERS, KNOWN, NORMALIZATIONS, normalized
from ravine.tasks.pretraining import Half, pretrained
from ravine.tasks.task import Task
from ravine.training.engine import slopes

pytestmark = pytest.mark.usefixtures("compiled_quickly")

DIGITS = tuple(part[:256] for part in find("digits-deep").load().train)
DATA = np.zeros((40, 3), "float32"), np.zeros(40, "float32")


def own(make: Any) -> Any:
    return task_of(make, DATA, loss="mse")


def units(units: int, activation: str = "relu") -> Any:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units), keras.layers.Dense(1)])


@pytest.mark.parametrize(
    ("task", "vary", "said"),
    [
        ("digits-mlp", "activaton=relu", "has no argument 'activaton'.*did you mean 'activation'"),
        ("digits-mlp", "activation=rellu", "unknown activation 'rellu': did you mean 'relu'"),
        ("quadratic-deep", "activation=relu", "no lever of 'quadratic-deep': it has batch_size"),
        ("digits-mlp", "batch_size=16,0", "batch_size=0: give whole numbers"),
        ("digits-mlp", "activation", "cannot read vary 'activation'.*such as activation=tanh,relu"),
        ("digits-mlp", "activation=relu,relu", "activation has 'relu' twice"),
        ("digits-mlp", ["activation=relu", "activation=tanh"], "is varied twice"),
        ("digits-mlp", {"activation": [np.tanh]}, "a ufunc among its values"),
        ("digits-mlp", {}, "nothing is varied"),
        ("digits-mlp", "pretraining=mine", "give none, other-half, or a file"),
        (units, {"units": [1, 2], "depth": [3]}, "has no argument 'depth'.*units, activation"),
        (units, {"activation": ["relu"]}, "needs 'units' too"),
        (units(2), {"units": [1, 2]}, "built already has no lever 'units': give a function"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_varied_is_named(task: Any, vary: Any, said: str) -> None:
    task = find(task) if isinstance(task, str) else own(task)
    with pytest.raises(InvalidArgument, match=said):
        axes.check_vary(task, axes.read_vary(vary))


def test_combinations_are_tasks_of_their_own() -> None:
    vary = axes.read_vary(["units=4,8", "batch_size=8"])
    variants = [axes.varied(own(units), values, vary) for values in axes.combinations(vary)]
    assert [v.name for v in variants] == [
        "units[units=4,batch_size=8]",
        "units[units=8,batch_size=8]",
    ]
    assert [v.make_model().layers[0].units for v in variants] == [4, 8]
    assert {v.batch_size for v in variants} == {8}


def test_keras_knows_every_value_of_the_shipped_levers() -> None:
    for name in ACTIVATIONS:
        assert callable(keras.activations.get(name))
    for name in INITIALIZERS:
        assert callable(keras.initializers.get(name))
    for name in NORMALIZATIONS:
        assert len(normalized(name)) == (name != "none")
    assert {"tanh", "sigmoid", "relu", "gelu"} <= set(ACTIVATIONS)
    assert {"glorot_uniform", "he_normal", "orthogonal"} <= set(INITIALIZERS)
    for task in TASKS.values():  # whose builders call them alike
        assert {*axes.offered(task)} - {*axes.OF_ANY_TASK} in (set(), set(KNOWN))


def test_the_two_halves_are_the_training_rows_and_none_that_is_judged_on() -> None:
    whole = find("digits-mlp").load()
    raced, other = Half(lambda: whole)(), Half(lambda: whole, other=True)()

    def rows(split: Any) -> set[bytes]:
        return {x.tobytes() + y.tobytes() for x, y in zip(*split, strict=True)}

    assert rows(raced.train) | rows(other.train) == rows(whole.train)
    assert abs(len(raced.train.x) - len(other.train.x)) <= 1
    for judged in (raced.train, raced.validation, raced.test):
        assert not rows(other.train) & rows(judged)
    assert raced.test.x is whole.test.x


# Keras on JAX saves arrays in a way that NumPy 2 has warned of since.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_weights_of_a_file_are_taken_where_they_fit(tmp_path: Path) -> None:
    task, file = axes.varied(own(units), {"units": 4}, {}), tmp_path / "mine.keras"
    dense = keras.layers.Dense
    trained = keras.Sequential([keras.Input((3,)), dense(4), dense(7)])
    trained.save(file)
    held = pretrained(file)
    variant = axes.varied(task, {"pretraining": str(file)}, {}, held)
    assert variant.name.endswith("[pretraining=mine]")
    network, plain = Network(variant), Network(task)
    assert network.taken == ("dense",)  # the last has one output, not seven
    assert network.config != plain.config
    drawn, anew = network.draw(3), plain.draw(3)
    for i, array in enumerate(drawn.trainable):
        expected = np.asarray(trained.trainable_variables[i]) if i < 2 else anew.trainable[i]
        np.testing.assert_array_equal(array, expected)
    # What is not numbers is never opened. All but the last, though all would fit.
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad:
        for name in whole.namelist():
            bad.writestr(name, b"{" if name == "config.json" else whole.read(name))
    like, bad_file = keras.models.clone_model(trained), pretrained(tmp_path / "bad.keras")
    assert bad_file.into(like) == ("dense", "dense_1")
    assert replace(bad_file, but_last=True).into(like) == ("dense",)
    with pytest.raises(InvalidArgument, match="no layer of the model fits"):
        held.into(keras.Sequential([keras.Input((3,)), dense(5), dense(1)]))
    trained.layers[0].kernel.assign_add(np.ones((3, 4)))  # else the same bytes, in the same second
    trained.save(file)
    with pytest.raises(InvalidArgument, match="has changed since the race began"):
        held.into(like)
    for name, said in (("none.keras", "there is no file"), ("text.keras", "is not a .keras file")):
        (tmp_path / "text.keras").write_text("no model")
        with pytest.raises(InvalidArgument, match=said):
            pretrained(tmp_path / name)


def first_over_last(**levers: str) -> float:
    network = Network(axes.varied(find("digits-deep"), levers, {}))
    sizes = slopes(network, tuple(network.draw(0)), DIGITS)
    kernels = [
        size for name, size in zip(network.names, sizes, strict=True) if name.endswith("kernel")
    ]
    assert len(kernels) == 10
    return kernels[0] / kernels[-1]


def test_gradients_vanish_in_the_deep_task_and_are_cured() -> None:
    """Root mean squares at the first of ten dense layers, over those at the last."""
    assert first_over_last(activation="sigmoid", initializer="glorot_uniform") < 1e-5
    assert first_over_last(activation="relu", initializer="he_normal") > 0.1
    cured = {"activation": "sigmoid", "initializer": "glorot_uniform", "normalization": "batch"}
    assert first_over_last(**cured) > 0.05


def test_a_module_is_varied_by_what_builds_it() -> None:
    import torch

    def make_module(width: int = 2) -> Any:
        return torch.nn.Sequential(torch.nn.Linear(3, width), torch.nn.Linear(width, 1))

    task = Task.from_torch(make_module, DATA, lambda output, y: (output[:, 0] - y) ** 2)
    assert axes.offered(task) == ("width", "batch_size")
    assert try_out(axes.varied(task, {"width": 5}, {"width": [2, 5]}), None).parameters == 26
    with pytest.raises(InvalidArgument, match="by which it loads a state_dict"):
        axes.check_vary(task, {"pretraining": ["none", "other-half"]})


def test_what_only_its_own_framework_runs_has_no_levers() -> None:
    class Squared(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            import torch

            return torch.square(x)

    def make_model(units: int = 2) -> Any:
        layers = [keras.Input((3,)), Squared(name="squared"), keras.layers.Dense(units)]
        return keras.Sequential([*layers, keras.layers.Dense(1)])

    said = r"layer 'squared' \(Squared\) computes with PyTorch, .* race each variant by itself"
    with pytest.raises(InvalidArgument, match=said):
        try_out(own(make_model), None)
