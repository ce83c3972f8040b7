"""A race evaluates a user's model as the user's framework does, or it does not begin."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest
import torch
from keras import layers

import ravine
from ravine.errors import InvalidArgument
from ravine.storage.splits import blocks_of
from ravine.tasks.adapters import keras_network, masks
from ravine.training import engine
from ravine.training.evaluation_check import check_evaluation

pytestmark = pytest.mark.usefixtures("no_pages", "compiled_quickly")

SMALL: Any = {
    "rules": ["sgd"],
    "learning_rates": [0.1],
    "tuning_seeds": 1,
    "eval_seeds": 1,
    "epochs": 1,
}
SMALL |= {"workers": 0, "progress": False}
draw = np.random.default_rng(0)
WORDS = np.where(np.arange(6) < draw.integers(1, 6, (60, 1)), draw.integers(1, 9, (60, 6)), 0)
IMAGES = draw.normal(size=(60, 6, 6, 1)).astype("float32")
CLASSES = draw.integers(0, 3, (60, 6))  # also where rows are padded
X = draw.normal(size=(60, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("float32")
HELD = (X[:20], Y[:20])


def captioned() -> Any:
    """Words after an image: a convolution, and an embedding that masks."""
    image, words = keras.Input((6, 6, 1)), keras.Input((6,), dtype="int32")
    start = layers.Dense(4)(layers.Flatten()(layers.Conv2D(2, 3, activation="tanh")(image)))
    embedded = layers.Embedding(9, 4, mask_zero=True)(words)
    hidden = layers.SimpleRNN(4, return_sequences=True)(embedded, initial_state=start)
    return keras.Model([image, words], layers.Dense(3, activation="softmax")(hidden))


def dense() -> Any:
    return keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="sigmoid")])


def caption_task() -> Any:
    part = ([IMAGES, WORDS], CLASSES)
    told: Any = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    return ravine.Task.from_model(captioned, part, validation_data=part, test_data=part, **told)


def raced(task: Any, folder: Path) -> Any:
    return ravine.race(task, **SMALL, out=folder)


def test_padded_steps_count_in_no_evaluation_with_a_convolution() -> None:
    task = caption_task()
    network = task.network()
    drawn = network.draw(0)
    begin = jax.jit(engine.programs(network, ravine.SGD()).begin)
    lanes = [[array[None] for array in group] for group in drawn]
    blocks = blocks_of(60, at_random=False)
    _, measures = begin({"learning_rate": np.ones(1)}, *lanes, [(*task.load().test, blocks)])
    model = captioned()
    model.set_weights(drawn.trainable)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    parts = [slice(None), *blocks]  # all rows, and each block of them
    native = [
        model.evaluate([IMAGES[at], WORDS[at]], CLASSES[at], batch_size=60, verbose=0)
        for at in parts
    ]
    np.testing.assert_allclose(measures[0], native, rtol=1e-5)


# The engine of a framework is in a process of its own; all 300 rows are more than one piece.
NATIVE = """
import json
import keras, numpy as np, ravine
from ravine.training import keras_engine
from ravine.training.evaluation_check import check_evaluation
from ravine.storage.splits import blocks_of

layers = keras.layers
def make():
    embedded = layers.Embedding(9, 4, mask_zero=True)
    out = layers.TimeDistributed(layers.Dense(3, activation="softmax"))
    return keras.Sequential([keras.Input((6,), dtype="int32"), embedded, out])

draw = np.random.default_rng(0)
x = np.where(np.arange(6) < draw.integers(1, 6, (300, 1)), draw.integers(1, 9, (300, 6)), 0)
part = x, draw.integers(0, 3, (300, 6))
loss = "sparse_categorical_crossentropy"
f1 = [keras.metrics.SparseTopKCategoricalAccuracy(1)]
held = {"validation_data": part, "test_data": part}
task = ravine.Task.from_model(make, part, loss=loss, metrics=f1, **held)
network = keras_engine.network_of(task)
drawn = network.draw(0)
begin, _ = keras_engine.programs(network, ravine.SGD())
lanes = [[array[None] for array in group] for group in drawn]
blocks = blocks_of(300, at_random=True)
_, measures = begin({"learning_rate": np.ones(1)}, *lanes, [(*task.load().test, blocks)])
model = make()
model.set_weights(drawn.trainable)
model.compile(loss=loss, metrics=[keras.metrics.SparseTopKCategoricalAccuracy(1)])
rows = [slice(None), *blocks]  # all of them, and each block
native = [
    model.evaluate(*(array[at] for array in part), batch_size=300, verbose=0) for at in rows
]
print(json.dumps([measures[0].tolist(), native]))
print(check_evaluation(keras_engine, network, task, task.load(), drawn).note)
"""


def test_padded_steps_count_in_no_evaluation_on_tensorflow() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", NATIVE],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=True,
    )
    numbers, note = done.stdout.splitlines()[-2:]
    np.testing.assert_allclose(*json.loads(numbers), rtol=1e-5)
    assert note == ""


def test_a_race_whose_evaluation_loses_masks_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_network, "attached", lambda predicted: predicted.outputs)
    with pytest.raises(
        InvalidArgument, match=r"the loss of validation rows is .* 5 rows are predicted"
    ):
        raced(caption_task(), tmp_path / "race")


def test_what_the_model_evaluates_otherwise_is_named(tmp_path: Path) -> None:
    class Doubled(keras.Sequential):
        def test_step(self, *state_and_data: Any) -> Any:
            logs, state = super().test_step(*state_and_data)
            return logs | {"mae": 2 * logs["mae"]}, state

    def make() -> Any:
        return Doubled([keras.Input((4,)), layers.Dense(1)])

    task = ravine.Task.from_model(make, (X, Y), loss="mse", metrics=["mae"])
    with pytest.raises(InvalidArgument, match="the metric 'mae' of validation rows is"):
        raced(task, tmp_path / "race")


def test_a_training_loss_that_is_not_the_frameworks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = keras_network.Network.told
    monkeypatch.setattr(
        keras_network.Network, "told", lambda self, training: told(self, not training)
    )

    def make() -> Any:
        return keras.Sequential([keras.Input((4,)), layers.BatchNormalization(), layers.Dense(1)])

    with pytest.raises(InvalidArgument, match=r"the (metric|loss)( 'mae')? of"):
        raced(ravine.Task.from_model(make, (X, Y), loss="mse"), tmp_path / "race")


def test_a_module_whose_rows_depend_on_each_other_is_refused_where_rows_are_cut(
    tmp_path: Path,
) -> None:
    def make() -> Any:
        norm = torch.nn.BatchNorm1d(4, track_running_stats=False)
        return torch.nn.Sequential(norm, torch.nn.Linear(4, 1), torch.nn.Flatten(0))

    many = np.tile(X, (5, 1)), np.tile(Y, 5)
    mse = torch.nn.functional.mse_loss
    few = ravine.Task.from_torch(make, (X, Y), mse, validation_data=HELD, test_data=HELD)
    raced(few, tmp_path / "few")  # predicted in one call, as its user would
    task = ravine.Task.from_torch(make, (X, Y), mse, validation_data=many, test_data=HELD)
    with pytest.raises(InvalidArgument, match="a row depends on other rows"):
        raced(task, tmp_path / "many")


def test_a_first_evaluation_that_is_not_the_frameworks_ends_the_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a compiled program were at fault."""
    load = engine.load

    def faulty(*given: Any, **more: Any) -> Any:
        programs = load(*given, **more)

        def begin(*arguments: Any) -> Any:
            lanes, measures = programs.begin(*arguments)
            return lanes, measures + 0.01

        return programs._replace(begin=begin)

    monkeypatch.setattr(engine, "load", faulty)
    monkeypatch.setattr(engine, "memory", lambda program: 0.0)  # of what is no program
    task = ravine.Task.from_model(dense, (X, Y), loss="binary_crossentropy")
    with pytest.raises(InvalidArgument, match="the loss of the validation data before step one is"):
        raced(task, tmp_path / "race")


def test_a_comparison_that_cannot_be_made_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("no such instrument")

    monkeypatch.setattr(engine, "evaluator", fails)
    race = raced(ravine.Task.from_model(dense, (X, Y), loss="mse"), tmp_path / "race")
    said = "evaluation was not compared with the framework's: RuntimeError: no such instrument"
    assert said in race.verdict.warnings


def test_two_functions_that_draw_by_themselves_are_named(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)

    def loss(w: Any, x: Any, y: Any) -> Any:
        return (x @ w - y) ** 2 + drawn.uniform()

    task = ravine.Task.from_jax(lambda key: np.zeros(4, "float32"), loss, (X, Y))
    with pytest.raises(
        InvalidArgument, match=r"the loss of validation rows is .* JAX's own evaluation"
    ):
        raced(task, tmp_path / "race")


def test_a_model_that_draws_in_evaluation_is_not_compared() -> None:
    """Monte Carlo dropout, which pieces of a split draw for themselves."""

    class Always(layers.Dropout):
        def call(self, inputs: Any, training: bool = False) -> Any:
            return super().call(inputs, training=True)

    def make() -> Any:
        image = keras.Input((6, 6, 1))
        hidden = layers.Flatten()(layers.Conv2D(2, 3)(image))
        return keras.Model(image, layers.Dense(1)(Always(0.5)(hidden)))

    task = ravine.Task.from_model(make, (IMAGES, Y), loss="mse")
    network = task.network()
    checked = check_evaluation(engine, network, task, task.load(), network.draw(0))
    assert checked.note.startswith("the model draws in evaluation")
    assert checked.start is None


def test_masks_are_joined_with_their_rows() -> None:
    one, two = (masks.Predicted([x], [x > 0]) for x in (np.array([1, 0]), np.array([0, 2])))
    joined = masks.joined([one, two], np.concatenate)
    assert joined.outputs[0].tolist() == [1, 0, 0, 2]
    assert joined.masks[0].tolist() == [True, False, False, True]


class Confusion(keras.metrics.Metric):
    """A metric that gives a matrix."""

    def __init__(self, name: str = "confusion", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.counts = self.add_weight(shape=(2, 2), initializer="zeros")

    def update_state(self, y: Any, predicted: Any, sample_weight: Any = None) -> None:
        labels = (keras.ops.cast(keras.ops.ravel(one) > 0.5, "int32") for one in (y, predicted))
        both = [keras.ops.one_hot(one, 2) for one in labels]
        self.counts.assign_add(keras.ops.transpose(both[0]) @ both[1])

    def result(self) -> Any:
        return self.counts.value


class Extremes(Confusion):
    """A metric that gives several numbers by name."""

    def result(self) -> Any:
        return {"low": keras.ops.min(self.counts), "high": keras.ops.max(self.counts)}


def metrics() -> list[Any]:
    kinds = keras.metrics
    wrapped = kinds.MeanMetricWrapper(lambda y, predicted: abs(y - predicted)[:, 0], name="wrapped")
    stateful = [kinds.F1Score(threshold=0.5), kinds.AUC(name="auc"), kinds.R2Score()]
    return [*stateful, wrapped, Confusion(), Extremes(name="extremes"), "accuracy"]


def test_metrics_with_a_state_and_of_any_shape_are_kerass_own() -> None:
    part = X, Y[:, None], draw.uniform(size=60).astype("float32")
    held: Any = {"validation_data": part, "test_data": part}
    loss = "binary_crossentropy"
    task = ravine.Task.from_model(dense, part, loss=loss, metrics=metrics(), **held)
    network = task.network()
    drawn = network.draw(0)
    begin = jax.jit(engine.programs(network, ravine.SGD()).begin)
    lanes = [[array[None] for array in group] for group in drawn]
    _, measures = begin({"learning_rate": np.ones(1)}, *lanes, [tuple(task.load().test)])
    model = dense()
    model.set_weights(drawn.trainable)
    model.compile(loss=loss, metrics=metrics())
    x, y, weights = part
    given: Any = {"sample_weight": weights, "batch_size": 60, "verbose": 0, "return_dict": True}
    native = model.evaluate(x, y, **given)
    assert set(network.measures) == set(native)
    means = [float(np.mean(native[name])) for name in network.measures]
    np.testing.assert_allclose(measures[0, 0], means, rtol=1e-5)
