"""What cannot be trained is named before anything is trained: through ``ravine.race``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import keras
import numpy as np
import pytest
import torch
from keras import layers

import ravine
from ravine.errors import InvalidArgument
from ravine.tasks.adapters.serialization import move_model

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
Y = np.arange(60) % 3
SPARSE = "sparse_categorical_crossentropy"


def net(*more: Any, units: int = 3, end: str | None = "softmax") -> Callable[[], Any]:
    def make() -> Any:
        return keras.Sequential(
            [keras.Input((4,)), *(one() for one in more), layers.Dense(units, activation=end)]
        )

    return make


def frozen() -> Any:
    model = net()()
    model.trainable = False
    return model


class Growing:
    """A function whose models differ."""

    def __init__(self) -> None:
        self.units = 2

    def __call__(self) -> Any:
        self.units += 1
        return net(lambda: layers.Dense(self.units))()


def holed(at: tuple[int, int], value: float) -> Any:
    x = X.copy()
    x[at] = value
    return x


BAD = {
    "NaN": ((net(), (holed((7, 2), np.nan), Y)), {}, r"x holds nan in row 7, at \[2\]"),
    "infinity": ((net(), (X, Y), ), {"validation_data": (holed((3, 0), np.inf), Y)},
                 "validation_data: x holds inf in row 3"),
    "label": ((net(), (X, Y + 1)), {}, "holds 3 in row .* 3 outputs allow 0 to 2"),
    "rows": ((net(), (X, Y[:-1])), {}, "x has 60 rows and y 59"),
    "shape": ((net(), (X[:, :3], Y)), {}, r"takes rows of shape \(4,\), the data have \(3,\)"),
    "text": ((net(), (X, np.array(["a"] * 60))), {}, "y holds text such as 'a'"),
    "object": ((net(), (X, np.array([None] * 60))), {}, "y holds object such as None"),
    "no data": ((net(), None), {}, "no data for your model"),
    "no loss": ((net(), (X, Y)), {"loss": None}, "no loss: give loss="),
    "a generator": ((net(), iter([(X, Y)])), {}, "has no known end"),
    "empty validation": ((net(), (X, Y)), {"validation_data": (X[:0], Y[:0])},
                         "validation_data is empty"),
    "too few": ((net(), (X[:5], Y[:5])), {}, "5 rows are too few to split off"),
    "loss, one output": ((net(units=1, end=None), (X, Y)), {}, "needs an output for each class"),
    "loss, one-hot": ((net(), (X, Y)), {"loss": "categorical_crossentropy"},
                      "use 'sparse_categorical_crossentropy'"),
    "loss, labels": ((net(), (X, np.eye(3)[Y])), {}, "use 'categorical_crossentropy'"),
    "loss, logits": ((net(end=None), (X, Y)), {}, r"from_logits=True\)"),
    "loss, mse of classes": ((net(), (X, Y)), {"loss": "mse"}, r"y has rows of shape \(\)"),
    "unknown loss": ((net(), (X, Y)), {"loss": "sparse_crossentropy"}, "unknown loss 'sparse_cro"),
    "unknown metric": ((net(), (X, Y)), {"metrics": ["acuracy"]}, "did you mean 'accuracy'"),
    "no weights": ((frozen, (X, Y)), {}, "has no weights to train"),
    "two shapes": ((Growing(), (X, Y)), {}, "different shapes"),
    "not a model": ((lambda: 3, (X, Y)), {}, "gives a int, not a Keras model"),
    "class": ((net(), (X, Y)), {"class_weight": {7: 1.0}}, "names class 7, which no row has"),
    "class, below 0": ((net(), (X, Y)), {"class_weight": {1: -1}}, "class 1 is -1: at least 0"),
    "weights below 0": ((net(), (X, Y, np.where(Y == 2, -1, 1))), {},
                        "sample_weight is negative in row 2: weights are at least 0"),
    "a number": ((3, (X, Y)), {}, "the task is a int"),
    "a module": ((torch.nn.Linear(1, 1), (X, Y)), {}, r"Linear, .*: give ravine\.Task\.from_torch"),
    "data of a task": (("digits-mlp", (X, Y)), {}, "data= goes with a model of your own"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_it_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    (task, data), options, said = BAD[name]
    out = tmp_path / "out"
    asked = {"loss": SPARSE, "out": out, "workers": 0, "progress": False, **options}
    with pytest.raises(InvalidArgument, match=said) as told:
        ravine.race(task, data, **asked)
    assert len(str(told.value).splitlines()) == 1
    assert not out.exists()


def test_a_lambda_moves_with_its_function() -> None:
    model = keras.Sequential(
        [keras.Input((4,)), layers.Lambda(lambda x: 2 * x, name="mine"), layers.Dense(3)]
    )
    moved = cloudpickle.loads(cloudpickle.dumps(move_model(model)))()
    for ours, theirs in zip(moved.variables, model.variables, strict=True):
        ours.assign(keras.ops.copy(theirs.value))  # whose buffer JAX gives away once
    np.testing.assert_array_equal(moved.predict_on_batch(X), model.predict_on_batch(X))
