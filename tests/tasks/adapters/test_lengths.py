"""Rows of different lengths: padded as the framework does where the model masks it, else named."""

from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

import ravine
from ravine.errors import InvalidArgument
from ravine.training import engine, torch_engine
from ravine.training.evaluation_check import check_evaluation

pytestmark = pytest.mark.usefixtures("compiled_quickly")

draw = np.random.default_rng(0)
SIZES = draw.choice([2, 3, 4, 5, 9], 60, p=[0.3, 0.3, 0.2, 0.15, 0.05])
ROWS = [draw.integers(1, 9, int(size)).astype("int32") for size in SIZES]
Y = np.array([row[0] % 2 for row in ROWS], "float32")
HELD = slice(30, 60)  # of them, to tune and to judge on


def batched(at: slice, size: int = 15, start: int = 0, **options: Any) -> Any:
    """As ``tf.data`` pads each batch to its own longest row."""
    import tensorflow as tf

    kinds = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.float32)
    pairs = [(row + start, y) for row, y in zip(ROWS[at], Y[at], strict=True)]
    data = tf.data.Dataset.from_generator(lambda: iter(pairs), output_signature=kinds)
    return data.padded_batch(size, **options).prefetch(1)


def embedding(*middle: Any, mask: bool = True) -> Any:
    def make() -> Any:
        first = layers.Embedding(10, 4, mask_zero=mask)
        return keras.Sequential([first, *(one() for one in middle), layers.Dense(1, "sigmoid")])

    return make


def masking() -> Any:
    """What is padded with -1, -1 is masked."""
    lifted = layers.Reshape((-1, 1)), layers.Masking(-1.0), layers.GRU(3)
    return keras.Sequential([keras.Input((None,)), *lifted, layers.Dense(1, "sigmoid")])


def task(make: Any, data: Any, held: Any, **options: Any) -> Any:
    told = {"validation_data": held, "test_data": held, "loss": "binary_crossentropy"}
    return ravine.Task.from_model(make, data, **{**told, "metrics": ["accuracy"], **options})


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "mean": (embedding(layers.GlobalAveragePooling1D), {}),
    "another value": (masking, {"padding_values": (-1, 0.0), "start": 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_model_that_masks_is_evaluated_as_on_batches_of_their_own_length(name: str) -> None:
    make, told = CASES[name]
    found = task(make, batched(slice(30), **told), batched(HELD, **told))
    fill = told.get("padding_values", (0,))[0]
    assert f"padded: x to (9,) with {fill}" in found.description
    network = engine.network_of(found)
    drawn = network.draw(0)
    model = make()
    model(found.load().train.x[:1])
    model.set_weights([*drawn.trainable, *drawn.state][: len(model.weights)])
    model.compile(loss="binary_crossentropy", metrics=["accuracy"])
    native = model.evaluate(batched(HELD, **told), steps=2, verbose=0)
    np.testing.assert_allclose(network.measure(*drawn, *found.load().test), native, rtol=1e-5)
    assert check_evaluation(engine, network, found, found.load(), drawn).note == ""


class Counting(keras.Model):  # type: ignore[misc]  # to mypy Keras is Any
    """How wide a batch is matters to it in training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = embedding(layers.GlobalAveragePooling1D)()

    def call(self, x: Any, training: bool = False) -> Any:
        return self.inner(x) ** (x.shape[1] if training else 1)


UNMASKED: dict[str, Any] = {
    "in both": embedding(layers.GlobalAveragePooling1D, mask=False),
    "in training": Counting,
}


@pytest.mark.parametrize("name", UNMASKED)
def test_a_model_that_does_not_mask_is_named(name: str) -> None:
    found = task(UNMASKED[name], batched(slice(30)), batched(HELD))
    network = engine.network_of(found)
    said = "the model does not mask what is padded: the loss of a batch "
    said += "in training" if name == "in training" else "as validation rows"
    with pytest.raises(InvalidArgument, match=said):
        check_evaluation(engine, network, found, found.load(), network.draw(0))


def test_rows_that_are_padded_to_one_length_are_the_models_own_affair() -> None:
    """The advice: Keras then computes with what is padded, too."""
    long = {"padded_shapes": ([12], [])}
    make = UNMASKED["in both"]
    found = task(make, batched(slice(30), **long), batched(HELD, **long))
    network = engine.network_of(found)
    assert "padded" not in found.description
    assert check_evaluation(engine, network, found, found.load(), network.draw(0)).note == ""


def test_splits_are_as_wide_as_the_widest() -> None:
    short = [i for i, size in enumerate(SIZES) if size < 5]
    few = keras.utils.pad_sequences([ROWS[i] for i in short[:10]], padding="post"), Y[short[:10]]
    found = task(embedding(layers.GlobalAveragePooling1D), batched(slice(60)), few)
    assert [split.x.shape[1] for split in found.load()] == [9, 9, 9]
    network = engine.network_of(found)
    assert check_evaluation(engine, network, found, found.load(), network.draw(0)).note == ""


def test_rows_that_are_narrower_without_being_padded_are_named() -> None:
    short = np.zeros((12, 7), "int32"), Y[:12]
    data = loader_of(np.zeros((60, 9), "int32"))
    with pytest.raises(InvalidArgument, match=r"x have shape \(7,\), those of the data \(9,\)"):
        task(embedding(layers.GlobalAveragePooling1D), data, short)


def test_a_model_of_one_length_is_named() -> None:
    def flat() -> Any:
        first = layers.Embedding(10, 4, mask_zero=False)
        return keras.Sequential([first, layers.Lambda(flatten), layers.Dense(1, "sigmoid")])

    found = task(flat, batched(slice(30)), batched(HELD))
    network = engine.network_of(found)
    said = "a batch as it was given cannot be evaluated: .*: pad all rows to one length"
    with pytest.raises(InvalidArgument, match=said):
        check_evaluation(engine, network, found, found.load(), network.draw(0))


def flatten(x: Any) -> Any:
    return keras.ops.reshape(x, (-1, 36))


def loader_of(x: Any) -> Any:
    pairs = [(torch.tensor(row), y) for row, y in zip(x, Y, strict=True)]
    return DataLoader(pairs, 6)


def padding(pairs: list[Any]) -> Any:
    rows, targets = zip(*pairs, strict=True)
    lengths = torch.tensor([len(row) for row in rows])
    padded = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    return (padded, lengths), torch.tensor(targets)


class Mean(torch.nn.Module):
    """Of the embeddings of a row, with its length or without."""

    def __init__(self, masks: bool = True) -> None:
        super().__init__()
        self.embedding, self.out = torch.nn.Embedding(10, 4), torch.nn.Linear(4, 1)
        self.masks = masks

    def forward(self, x: Any, lengths: Any) -> Any:
        held = (torch.arange(x.shape[1]) < lengths[:, None]) | torch.tensor(not self.masks)
        held = held.float()[..., None]
        return self.out((self.embedding(x) * held).sum(1) / held.sum(1))[:, 0]


LOSS = torch.nn.functional.binary_cross_entropy_with_logits


def loader(at: slice, **options: Any) -> Any:
    pairs = list(zip(ROWS[at], Y[at], strict=True))
    return DataLoader(pairs, 6, collate_fn=padding, **options)


def test_a_module_that_is_told_lengths_is_evaluated_as_on_its_loader() -> None:
    held = loader(HELD)
    shuffled = loader(slice(30), shuffle=True)  # each reading has other lengths
    found = ravine.Task.from_torch(Mean, shuffled, LOSS, validation_data=held, test_data=held)
    network = torch_engine.network_of(found)
    drawn = network.draw(0)
    torch.manual_seed(0)
    module, losses = Mean(), []
    with torch.no_grad():
        for x, y in held:
            losses += [float(LOSS(module(*x), y))] * len(y)
    checked = check_evaluation(torch_engine, network, found, found.load(), drawn)
    assert checked.note == ""
    assert checked.start is not None
    trainable, state = map(list, drawn)
    assert checked.start(trainable, state)[0] == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_module_that_is_not_is_named() -> None:
    found = ravine.Task.from_torch(lambda: Mean(False), loader(slice(60)), LOSS)
    network = torch_engine.network_of(found)
    with pytest.raises(InvalidArgument, match="the model does not mask what is padded"):
        check_evaluation(torch_engine, network, found, found.load(), network.draw(0))


class Left(keras.utils.PyDataset):  # type: ignore[misc]  # as above
    """Batches that are padded on the left, as Keras does by default."""

    num_batches = 10

    def __getitem__(self, i: int) -> Any:
        part = slice(6 * i, 6 * i + 6)
        return keras.utils.pad_sequences(ROWS[part]), Y[part]


def test_batches_that_are_padded_on_the_left_stay_so() -> None:
    found = task(embedding(lambda: layers.LSTM(3)), Left(), Left())
    network = engine.network_of(found)
    assert found.load().train.x.shape == (60, 9)
    assert check_evaluation(engine, network, found, found.load(), network.draw(0)).note == ""


@pytest.mark.parametrize("library", ["tensorflow", "torch"])
def test_sparse_rows_are_read_as_they_are(library: str) -> None:
    dense = (draw.random((60, 5)) * (draw.random((60, 5)) < 0.3)).astype("float32")
    if library == "torch":
        x: Any = torch.tensor(dense).to_sparse()
    else:
        import tensorflow as tf

        x = tf.sparse.from_dense(dense)
    found = ravine.Task.from_model(
        lambda: keras.Sequential([layers.Dense(1)]), (x, Y), loss="mse", split="last"
    )
    rows = np.concatenate([split.x for split in found.load()])
    np.testing.assert_array_equal(rows, dense)


class Tagging(torch.nn.Module):
    """A class for each token, of which some begin rows and others fill them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(12, 4, padding_idx=1)
        self.mixing, self.out = torch.nn.GRU(4, 4, batch_first=True), torch.nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        held = (x != 1).float()[..., None]
        mean = (self.embedding(x) * held).sum(1) / held.sum(1)
        return self.out(self.mixing(self.embedding(x))[0] + mean[:, None]).transpose(1, 2)


def tagged(pairs: list[Any]) -> Any:
    """As a tokenizer pads: 0 begins each row, 1 fills it up, and -100 is no class."""
    rows = [torch.tensor([0, *(row + 2)]) for row, _ in pairs]
    tags = [row % 3 for row in rows]
    held = pad_sequence(rows, batch_first=True, padding_value=1)
    return held, pad_sequence(tags, batch_first=True, padding_value=-100)


def test_what_batches_are_padded_with_is_seen_in_them() -> None:
    pairs = list(zip(ROWS, Y, strict=True))
    found = ravine.Task.from_torch(
        Tagging, DataLoader(pairs, 6, collate_fn=tagged), torch.nn.functional.cross_entropy
    )
    assert "padded: x to (10,) with 1, y to (10,) with -100" in found.description
    network = torch_engine.network_of(found)
    checked = check_evaluation(torch_engine, network, found, found.load(), network.draw(0))
    assert checked.note == ""
