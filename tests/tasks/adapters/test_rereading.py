"""Data that draw are named: a race reads each row once. Case 13."""

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch.utils import data as torch_data

import ravine
from ravine.errors import InvalidArgument
from ravine.training import engine
from ravine.training.evaluation_check import check_evaluation

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")
SAID = "x of a row differs at a second reading: a race reads rows once"


class Noisy(torch_data.Dataset[Any]):
    """Rows that are other ones at each reading."""

    def __init__(self, noise: float = 0.5) -> None:
        self.noise = noise

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, i: int) -> Any:
        return torch.tensor(X[i]) + self.noise * torch.randn(4), torch.tensor(Y[i])


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # to mypy Keras is Any
    """Batches with noise."""

    num_batches = 3

    def __getitem__(self, i: int) -> Any:
        part = slice(20 * i, 20 * i + 20)
        return X[part] + np.random.default_rng().normal(size=(20, 4)), Y[part]


def jittered(pairs: list[Any]) -> Any:
    x, y = torch_data.default_collate(pairs)
    return x + torch.randn(x.shape), y


def as_tensorflow(noise: bool) -> Any:
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(60)
    if noise:
        data = data.map(lambda x, y: (x + tf.random.normal((4,)), y))
    return data.batch(16)


def still() -> Any:
    return torch_data.TensorDataset(torch.tensor(X), torch.tensor(Y))


def task(data: Any, **options: Any) -> Any:
    loss = torch.nn.functional.cross_entropy
    return ravine.Task.from_torch(lambda: torch.nn.Linear(4, 2), data, loss, **options)


DRAWS: dict[str, Any] = {
    "a dataset": Noisy,
    "a loader": lambda: torch_data.DataLoader(Noisy(), 16, shuffle=True),
    "a collate_fn": lambda: torch_data.DataLoader(still(), 16, shuffle=True, collate_fn=jittered),
    "a PyDataset": Batches,
    "tf.data": lambda: as_tensorflow(True),
}


@pytest.mark.parametrize("name", DRAWS)
def test_data_that_draw_are_named(name: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^data: {SAID}") as told:
        task(DRAWS[name]())
    assert len(str(told.value).splitlines()) == 1


def test_the_split_that_draws_is_named() -> None:
    with pytest.raises(InvalidArgument, match=f"^validation_data: {SAID}"):
        task((X, Y), validation_data=Noisy())


@pytest.mark.parametrize(
    "still",
    [
        lambda: Noisy(0.0),
        lambda: torch_data.DataLoader(still(), 16, shuffle=True),
        lambda: torch_data.DataLoader(
            still(), 16, sampler=torch_data.WeightedRandomSampler([1.0] * 60, 60)
        ),
        lambda: torch_data.DataLoader(torch_data.TensorDataset(*map(torch.tensor, (Y, Y))), 16),
        lambda: as_tensorflow(False),
        lambda: torch_data.DataLoader(still(), 20, shuffle=True, drop_last=True),
        lambda: as_tensorflow(False).unbatch().batch(20, drop_remainder=True),
    ],
)
def test_data_in_another_order_are_the_same(still: Any) -> None:
    assert sum(len(split.y) for split in task(still()).load()) == 60


def test_the_advice_of_a_layer_that_draws_holds() -> None:
    """It draws anew at each step, by the seed of the run, and rests in evaluation."""

    def make() -> Any:
        noise = keras.layers.GaussianNoise(0.5)
        return keras.Sequential([keras.Input((4,)), noise, keras.layers.Dense(1)])

    found = ravine.Task.from_model(make, (X, Y), loss="mse")
    network = found.network()
    drawn = network.draw(0)
    x, y = found.load().train
    losses, state = [], drawn.state
    for _ in range(2):
        loss, state = network.loss(drawn.trainable, state, x, y)
        losses.append(float(loss))
    model = make()
    model.set_weights(drawn.trainable)
    model.compile(loss="mse")
    held_out = found.load().validation
    score = network.measure(*drawn, *held_out)
    native = model.evaluate(*held_out, batch_size=60, verbose=0)
    assert losses[0] != losses[1]
    assert float(score[0]) == pytest.approx(native, rel=1e-5)
    assert check_evaluation(engine, network, found, found.load(), drawn).note == ""


def test_the_advice_of_giving_arrays_keeps_one_reading() -> None:
    x, y = (torch.stack(column) for column in zip(*Noisy(), strict=False))
    assert sum(len(split.y) for split in task((x, y)).load()) == 60
