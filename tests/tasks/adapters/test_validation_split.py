"""``validation_split`` holds out the rows that Keras's own ``fit`` validates on."""

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import ravine
from ravine.errors import InvalidArgument

draw = np.random.default_rng(0)
ROWS = 57  # of which Keras's share is not whole
X = draw.normal(size=(ROWS, 3)).astype("float32")
Y = draw.normal(size=(ROWS, 1)).astype("float32")
WEIGHTS = draw.uniform(size=ROWS).astype("float32")


def make() -> Any:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


def task(data: Any = (X, Y), **options: Any) -> Any:
    return ravine.Task.from_model(make, data, loss="mse", **options)


@pytest.mark.parametrize("share", [0.2, 0.3])
def test_the_loss_is_that_which_fit_validates_with(share: float) -> None:
    found = task((X, Y, WEIGHTS), validation_split=share)
    network = found.network()
    drawn = network.draw(0)
    model = make()
    model.set_weights(drawn.trainable)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    told = {"sample_weight": WEIGHTS, "validation_split": share, "epochs": 1, "verbose": 0}
    history = model.fit(X, Y, **told).history
    measured = network.measure(*drawn, *found.load().validation)
    assert float(measured[0]) == pytest.approx(history["val_loss"][0], rel=1e-5)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.3, 0.5])
def test_the_rows_are_those_of_keras(share: float) -> None:
    from keras.src.trainers.data_adapters.array_slicing import train_validation_split

    (trained, _), (validated, _) = train_validation_split((X, Y), share)
    splits = task(validation_split=share).load()
    np.testing.assert_array_equal(splits.validation.x, validated)
    both = np.concatenate([splits.train.x, splits.test.x])
    np.testing.assert_array_equal(both, trained)  # test data are the rows before, in their order
    assert len(splits.test.x) == round(ROWS / 5)
    alone = task(validation_split=share, test_data=(X[:5], Y[:5])).load()
    np.testing.assert_array_equal(alone.train.x, trained)


def test_the_plan_says_so() -> None:
    assert "split off in their order, the last rows to validate (validation_split)" in (
        task(validation_split=0.2).description
    )


def test_modules_and_functions_take_it() -> None:
    dataset = TensorDataset(torch.tensor(X), torch.tensor(Y))
    mse = torch.nn.functional.mse_loss
    module = ravine.Task.from_torch(
        lambda: torch.nn.Linear(3, 1), dataset, mse, validation_split=0.2
    )
    pure = ravine.Task.from_jax(
        lambda key: np.zeros((3, 1), np.float32),
        lambda w, x, y: (x @ w - y) ** 2,
        (X, Y),
        validation_split=0.2,
    )
    for one in (module, pure):
        np.testing.assert_array_equal(
            one.load().validation.x, task(validation_split=0.2).load().validation.x
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "random"}, "and split= says otherwise .* leave one of them out"),
        ({"groups": np.arange(ROWS) // 3}, "and groups= says otherwise .* leave one of them out"),
        ({"validation_data": (X, Y)}, "validation_data= gives them: leave one of them out"),
        ({"validation_split": 0}, "validation_split=0 is not allowed: give a share"),
        ({"validation_split": True}, "validation_split=True is not allowed: give a share"),
        ({"validation_split": "0.2"}, "validation_split='0.2' is not allowed: give a share"),
        ({"validation_split": 0.9}, "leaves 0 to train on, 52 to validate and 11 to test"),
        ({"data": DataLoader(TensorDataset(torch.tensor(X), torch.tensor(Y)))}, "is a DataLoader"),
    ],
)
def test_what_cannot_be_split_so_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        task(**{"validation_split": 0.2, **options})


def test_a_task_of_ravines_does_not_take_it() -> None:
    with pytest.raises(InvalidArgument, match="validation_split= goes with a model of your own"):
        ravine.race("digits-mlp", validation_split=0.2)
