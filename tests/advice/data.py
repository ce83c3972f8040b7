"""Advice on models and data of a user's own. See ``frameworks.py``."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.utils.rnn import (
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
)
from torch.utils.data import DataLoader as Loader

import ravine
from ravine.tasks.adapters import memmap
from ravine.tasks.adapters.entry import called, task_of
from ravine.tasks.adapters.module_network import ModuleNetwork
from ravine.tasks.adapters.pure import PureNetwork
from ravine.tasks.adapters.serialization import move_model
from ravine.tasks.pretraining import pretrained
from ravine.tasks.settings import check_keras, check_torch, of_torch
from ravine.training import keras_engine

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
LABELS = np.arange(60) % 3
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
SPARSE, CATEGORICAL = "sparse_categorical_crossentropy", "categorical_crossentropy"
MSE = torch.nn.MSELoss()


def net(units: int = 3, end: str | None = "softmax", **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        dense = keras.layers.Dense(units, activation=end)
        dense.trainable = options.get("trainable", True)
        inputs = [keras.Input((4,), name=f"in{i}") for i in range(options.get("inputs", 1))]
        x = keras.layers.concatenate(inputs) if len(inputs) > 1 else inputs[0]
        outputs = [dense(x) for _ in range(options.get("outputs", 1))]
        kind = options.get("kind", keras.Model)
        return kind(inputs if len(inputs) > 1 else x, outputs if len(outputs) > 1 else outputs[0])

    return make


def fits(make: Any = None, data: Any = None, loss: Any = SPARSE, **options: Any) -> Any:
    """All that is checked of a model and its data before anything is trained."""
    task: Any = ravine.Task.from_model(make or net(), data or (X, LABELS), loss=loss, **options)
    return task.criterion(task.build())


class Own(keras.Model):  # type: ignore[misc]  # to mypy Keras is Any
    """A model with a ``train_step`` of its own."""

    def train_step(self, *given: Any) -> Any:
        return super().train_step(*given)


class Penal(keras.layers.Layer):  # type: ignore[misc]  # as above
    """A layer that adds to the loss."""

    def call(self, x: Any) -> Any:
        self.add_loss(keras.ops.mean(x))
        return x


def penal() -> Any:
    x = keras.Input((4,))
    return keras.Model(x, Penal()(keras.layers.Dense(3, "softmax")(x)))


def module(make: Any = None, data: Any = None, loss: Any = MSE, **options: Any) -> Any:
    task: Any = ravine.Task.from_torch(
        make or (lambda: torch.nn.Linear(4, 3)), data or (X, ONE_HOT), loss, **options
    )
    return ModuleNetwork(task)


def seeded() -> Any:
    torch.manual_seed(1)
    return torch.nn.Linear(4, 3)


def summed(output: Any, target: Any) -> Any:
    return ((output - target) ** 2).sum()


def pure(init: Any = None, data: Any = None, loss: Any = None) -> Any:
    made = init or (lambda key: {"w": np.zeros((4, 3), np.float32)})
    of: Any = loss or (lambda p, x, y: ((x @ p["w"] - y) ** 2).mean(1))
    task: Any = ravine.Task.from_jax(made, of, data or (X, ONE_HOT))
    return PureNetwork(task)


def tensors(*change: str) -> Any:
    """A ``tf.data.Dataset`` of rows of different lengths, or single rows."""
    import tensorflow as tf

    x = tf.ragged.constant([[1] * (1 + i % 4) for i in range(60)]) if "ragged" in change else X
    found = tf.data.Dataset.from_tensor_slices((x, LABELS))
    found = found if "single" in change else found.batch(32)
    if "padded" in change:
        found = found.map(lambda x, y: (x.to_tensor(), y))
    return found.repeat() if "repeated" in change else found


TOKENS = [[1 + i % 3] * min(4, 1 + i // 5) for i in range(60)]
REAL = [[0.5] * (4 if i else 3) for i in range(60)]
SEQUENCES = [torch.tensor(row) for row in TOKENS]
PACKED = pack_sequence([row[:, None].float() for row in SEQUENCES], enforce_sorted=False)


def masked() -> Any:
    first = keras.layers.Embedding(5, 4, mask_zero=True)
    last = keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(3, "softmax")
    return keras.Sequential([first, *last])


def lines() -> Any:
    """Rows of different lengths, one by one."""
    import tensorflow as tf

    kinds = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)
    pairs = list(zip(TOKENS, LABELS, strict=True))
    return tf.data.Dataset.from_generator(lambda: iter(pairs), output_signature=kinds)


def nested() -> Any:
    return torch.nested.nested_tensor([row.float() for row in SEQUENCES], layout=torch.jagged)


class With(torch.nn.Linear):
    """A module that takes lengths."""

    def __init__(self) -> None:
        super().__init__(4, 3)

    def forward(self, x: Any, lengths: Any) -> Any:  # type: ignore[override]  # what a user has
        return super().forward(x * (torch.arange(4) < lengths[:, None]))


class Packing(torch.nn.GRU):
    """A module that packs."""

    def __init__(self) -> None:
        super().__init__(1, 3, batch_first=True)

    def forward(self, x: Any, lengths: Any) -> Any:  # type: ignore[override]  # as above
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return super().forward(packed)[1][0]


class Sequences(torch.utils.data.Dataset[Any]):
    """Rows of different lengths."""

    def __len__(self) -> int:
        return 60

    def __getitem__(self, i: int) -> Any:
        return SEQUENCES[i], torch.tensor(ONE_HOT[i])


def padded_pairs(pairs: list[Any]) -> Any:
    rows, targets = zip(*pairs, strict=True)
    return pad_sequence(rows, batch_first=True), torch.stack(targets)


def masked_module() -> Any:
    return torch.nn.EmbeddingBag(5, 3, mode="sum", padding_idx=0)


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # as above
    """Batches without an end, or with one."""

    def __init__(self, count: int | None) -> None:
        super().__init__()
        self.count = count

    @property
    def num_batches(self) -> int | None:
        return self.count

    def __getitem__(self, place: int) -> Any:
        return X[20 * place : 20 * place + 20], LABELS[20 * place : 20 * place + 20]


def task_function(*, returns: bool) -> Any:
    def make_task() -> Any:
        task = ravine.Task.from_model(net(), (X, LABELS), loss=SPARSE)
        return task if returns else 3

    return make_task


@contextlib.contextmanager
def set_to(setter: Any, value: Any, back: Any) -> Iterator[None]:
    setter(value)
    try:
        yield
    finally:
        setter(back)


def with_floatx() -> None:
    with set_to(keras.config.set_floatx, "float64", "float32"):
        check_keras(keras)


def with_default_dtype(dtype: Any) -> None:
    with set_to(torch.set_default_dtype, dtype, torch.float32):
        of_torch()
        check_torch("float32")


def in_double() -> None:
    with set_to(torch.set_default_dtype, torch.float64, torch.float32):
        module(lambda: torch.nn.Linear(4, 3), (X.astype("float64"), ONE_HOT.astype("float64")))


def file(name: str, write: Callable[[Path], Any] | None = None) -> Path:
    path = Path(tempfile.mkdtemp(prefix="ravine-test-")) / name
    if write:
        write(path)
    return path


def unbuildable() -> Any:
    class Secret(keras.Model):  # type: ignore[misc]  # as above
        """Of a class that cannot be made from its configuration."""

        def __init__(self, what: Any) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3, "softmax")

        def call(self, x: Any) -> Any:
            return self.dense(x)

    made = Secret(object())
    made(X)
    return made


def holed(value: float) -> Any:
    x = X.copy()
    x[7, 2] = value
    return x


def with_augment_on_tensorflow() -> None:
    task = ravine.Task.from_model(net(), (X, LABELS), loss=SPARSE, augment=lambda x, key: x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "tensorflow")
        keras_engine.network_of(task)


def without_memory(data: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memmap, "LIMIT", 100)
        return fits(masked, data)


TWO = net(outputs=2)
FRAME = pd.DataFrame({"size": X[:, 0], "colour": ["red"] * 60})
FOLLOWED: list[tuple[str, Any, Any]] = [
    (
        "is empty: give at least one row",
        lambda: fits(validation_data=(X[:0], LABELS[:0])),
        lambda: fits(validation_data=(X[:1], LABELS[:1])),
    ),
    (
        "the model has {} inputs",
        lambda: fits(net(inputs=2)),
        lambda: [fits(net(inputs=2), (x, LABELS)) for x in ([X, X], {"in0": X, "in1": X})],
    ),
    (
        "{}: {} has {} rows and {} {}",
        lambda: fits(data=(X, LABELS[:-1])),
        lambda: fits(data=(X, LABELS)),
    ),
    (
        "fill such values in, or leave those rows out",
        lambda: fits(data=(holed(np.nan), LABELS)),
        lambda: [
            fits(data=(holed(0.0), LABELS)),
            fits(data=(np.delete(X, 7, 0), np.delete(LABELS, 7))),
        ],
    ),
    (
        "reshape the data, or change the model's Input",
        lambda: fits(data=(X[:, :2], LABELS)),
        lambda: fits(data=(X[:, :2].repeat(2, 1), LABELS)),
    ),
    (
        "give the name of a task, a ravine.Task, a Keras model",
        lambda: task_of(3, None),
        lambda: [
            task_of("digits-mlp", None),
            task_of(net()(), (X, LABELS), loss=SPARSE),
            task_of(net(), (X, LABELS), loss=SPARSE),
        ],
    ),
    (
        "the task is a module of PyTorch",
        lambda: task_of(torch.nn.Linear(4, 3), (X, LABELS)),
        module,
    ),
    (
        "not a task: end it with",
        lambda: called(task_function(returns=False)),
        lambda: called(task_function(returns=True)),
    ),
    (
        "has no weights to train: make some layer trainable",
        lambda: fits(net(trainable=False)),
        fits,
    ),
    (
        "the model has {} outputs, the data {} targets",
        lambda: fits(TWO),
        lambda: fits(TWO, (X, [LABELS, LABELS]), loss=[SPARSE, SPARSE]),
    ),
    ("the targets are labels, use", lambda: fits(loss=CATEGORICAL), fits),
    (
        "the targets are one-hot, use",
        lambda: fits(data=(X, ONE_HOT)),
        lambda: fits(data=(X, ONE_HOT), loss=CATEGORICAL),
    ),
    (": for classes, use", lambda: fits(loss="mse"), fits),
    (
        "takes probabilities, and the model's outputs are not",
        lambda: fits(net(end=None)),
        lambda: [
            fits(net()),
            fits(net(end=None), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
        ],
    ),
    (
        "which the race would not call: give the loss",
        lambda: fits(net(kind=Own)),
        lambda: [fits(loss=lambda y, p: -keras.ops.log(p[:, 0])), fits(penal)],
    ),
    (
        "needs an output for each class; the model has",
        lambda: fits(net(1, None)),
        lambda: [
            fits(net(1, "sigmoid"), (X, LABELS % 2), loss="binary_crossentropy"),
            fits(net(1, None), loss="mse"),
        ],
    ),
    (
        "no loss: give loss=",
        lambda: fits(loss=None),
        lambda: [fits(), fits(compiled(), loss=None)],
    ),
    (
        "metrics is a {}: give functions by name",
        lambda: module(metrics=["accuracy"]),
        lambda: module(
            metrics={"accuracy": lambda output, target: output.argmax(1) == target.argmax(1)}
        ),
    ),
    (
        "is built already; every seed needs",
        lambda: module(torch.nn.Linear(4, 3)),
        lambda: module(lambda: torch.nn.Linear(4, 3)),
    ),
    (
        "a loss of PyTorch weighs its rows itself",
        lambda: module(data=(X, ONE_HOT, np.ones(60))),
        lambda: [
            module(data=(X, ONE_HOT * np.ones((60, 1)))),
            module(With, ((X, np.arange(60) % 4), ONE_HOT)),
        ],
    ),
    (
        "{} is the class {}: give",
        lambda: module(loss=torch.nn.MSELoss),
        lambda: module(loss=torch.nn.MSELoss()),
    ),
    (
        "{} is a {}: give a function",
        lambda: module(loss="mse"),
        lambda: module(loss=torch.nn.functional.mse_loss),
    ),
    ("leave out torch.manual_seed", lambda: module(seeded), module),
    (
        "has no parameters to train: give it a layer",
        lambda: module(torch.nn.Identity),
        lambda: module(lambda: torch.nn.Linear(4, 3)),
    ),
    (
        "sums over the rows, so that it grows with the batch",
        lambda: module(loss=torch.nn.MSELoss(reduction="sum")),
        lambda: [
            module(loss=torch.nn.MSELoss(reduction="mean")),
            module(loss=lambda o, y: torch.nn.functional.mse_loss(o, y, reduction="none").mean(1)),
        ],
    ),
    (
        "races are in float32 on the CPU, or in float64 if",
        lambda: module(lambda: torch.nn.Linear(4, 3).double(), (X.astype("float64"), ONE_HOT)),
        lambda: [module(), in_double()],
    ),
    (
        "cannot be moved: {}; give a function",
        lambda: move_model(unbuildable()),
        lambda: fits(net()),
    ),
    (
        "class_weight needs one output",
        lambda: fits(TWO, (X, [LABELS, LABELS]), class_weight={0: 2.0}),
        lambda: fits(TWO, (X, [LABELS, LABELS], np.ones(60)), loss=[SPARSE, SPARSE]),
    ),
    (
        "class_weight needs one label a row",
        lambda: fits(data=(X, LABELS.repeat(2).reshape(60, 2, 1)), class_weight={0: 2.0}),
        lambda: fits(data=(X, LABELS, np.where(LABELS == 0, 2.0, 1.0))),
    ),
    (
        "class_weight={} is not allowed",
        lambda: fits(class_weight=[2.0]),
        lambda: fits(class_weight={0: 1.0}),
    ),
    (
        "rows are too few to split off",
        lambda: fits(data=(X[:6], LABELS[:6])),
        lambda: [
            fits(),
            fits(data=(X[:6], LABELS[:6]), validation_data=(X, LABELS), test_data=(X, LABELS)),
        ],
    ),
    (
        "a loss of your own weighs its rows itself",
        lambda: pure(data=(X, ONE_HOT, np.ones(60))),
        lambda: [
            pure(data=(X, ONE_HOT * np.ones((60, 1)))),
            pure(None, ((X, LABELS), ONE_HOT), lambda p, x, y: ((x[0] @ p["w"] - y) ** 2).mean(1)),
        ],
    ),
    (
        "init gives {} as {}: give {} arrays",
        lambda: pure(lambda key: {"w": np.zeros((4, 3), np.int32)}),
        pure,
    ),
    (
        "give (x, y) or (x, y, sample_weight), a tf.data.Dataset",
        lambda: fits(data=iter([(X, LABELS)])),
        lambda: [
            fits(data=(X, LABELS)),
            fits(data=(X, LABELS, np.ones(60))),
            fits(data=tensors()),
            fits(data=Batches(3)),
            fits(data=torch.utils.data.DataLoader([*zip(X, LABELS, strict=True)], 20)),
        ],
    ),
    (
        "a RaggedTensor has rows of different lengths: pad them by",
        lambda: fits(data=tensors("ragged")),
        lambda: fits(masked, tensors("ragged", "padded")),
    ),
    (
        "torch.nested.to_padded_tensor",
        lambda: module(data=(nested(), LABELS)),
        lambda: module(With, ((torch.nested.to_padded_tensor(nested(), 0), LABELS), ONE_HOT)),
    ),
    (
        "{} has rows of different lengths: pad them by keras.utils.pad_sequences",
        lambda: fits(masked, (TOKENS, LABELS)),
        lambda: [
            fits(masked, (keras.utils.pad_sequences(TOKENS, padding="post"), LABELS)),
            fits(data=(keras.utils.pad_sequences(REAL, padding="post", dtype="float32"), LABELS)),
        ],
    ),
    (
        "is a PackedSequence, which has no rows: give (x, lengths)",
        lambda: module(data=(pack_sequence(SEQUENCES, enforce_sorted=False), LABELS)),
        lambda: module(Packing, (pad_packed_sequence(PACKED, batch_first=True), ONE_HOT)),
    ),
    (
        "which are as many inputs to the model: give one array",
        lambda: fits(data=([*X], LABELS)),
        lambda: fits(data=(np.stack([*X]), LABELS)),
    ),
    (
        "give a DataLoader whose collate_fn pads them",
        lambda: module(data=Sequences()),
        lambda: module(masked_module, Loader(Sequences(), 20, collate_fn=padded_pairs)),
    ),
    (
        "give the DataLoader a collate_fn that pads rows",
        lambda: module(data=Loader(Sequences(), 20)),
        lambda: module(masked_module, Loader(Sequences(), 20, collate_fn=padded_pairs)),
    ),
    (
        "call .padded_batch() rather than .batch()",
        lambda: fits(data=lines().batch(32)),
        lambda: fits(masked, lines().padded_batch(32)),
    ),
    (
        "end it with .padded_batch(32)",
        lambda: fits(data=lines()),
        lambda: fits(masked, lines().padded_batch(32)),
    ),
    (
        "give it a batch_size",
        lambda: fits(data=Loader([*zip(X, LABELS, strict=True)], batch_size=None)),
        lambda: fits(data=Loader([*zip(X, LABELS, strict=True)], batch_size=20)),
    ),
    (
        "does not fit into memory: pad all rows to one length",
        lambda: without_memory(lines().padded_batch(7)),
        lambda: without_memory(lines().padded_batch(7, padded_shapes=([4], []))),
    ),
    (
        "cannot be evaluated: {}: {}: pad all rows to one length",
        None,
        "tests/tasks/adapters/test_lengths.py::test_a_model_of_one_length_is_named",
    ),
    (
        "does not mask what is padded",
        None,
        "tests/tasks/adapters/test_lengths.py::"
        "test_rows_that_are_padded_to_one_length_are_the_models_own_affair",
    ),
    (
        "{} holds {}{}: give {}",
        lambda: fits(data=(X, np.array(["a", "b", "c"] * 20))),
        lambda: fits(data=(X, np.unique(np.array(["a", "b", "c"] * 20), return_inverse=True)[1])),
    ),
    (
        "repeats for ever: leave out .repeat()",
        lambda: fits(data=tensors("repeated")),
        lambda: fits(data=tensors()),
    ),
    (
        "is a PyDataset without an end",
        lambda: fits(data=Batches(None)),
        lambda: fits(data=Batches(3)),
    ),
    (
        "end it with .batch(32)",
        lambda: fits(data=tensors("single")),
        lambda: fits(data=tensors("single").batch(32)),
    ),
    (
        "not numbers; encode it, or leave it out",
        lambda: fits(net(), (FRAME, LABELS)),
        lambda: [task(FRAME.assign(colour=pd.factorize(FRAME.colour)[0])), task(FRAME[["size"]])],
    ),
    (
        "to begin with: give a .keras file",
        lambda: pretrained(Path("nowhere.keras")),
        lambda: pretrained(file("name.keras", lambda path: net()().save(path))),
    ),
    (
        "is not a .keras file: save one with",
        lambda: pretrained(file("name.keras", lambda path: path.write_text("x"))),
        lambda: pretrained(file("name.keras", lambda path: net()().save(path))),
    ),
    (
        "groups has shape {}",
        lambda: split(groups=np.zeros((60, 2))),
        lambda: split(groups=np.arange(60) // 6),
    ),
    (
        "both are given: leave {}= out",
        lambda: split(split="last", validation_data=(X, LABELS), test_data=(X, LABELS)),
        lambda: split(validation_data=(X, LABELS), test_data=(X, LABELS)),
    ),
    (
        "says otherwise how rows are split off: leave one",
        lambda: split(split="last", validation_split=0.2),
        lambda: [split(split="last"), split(validation_split=0.2)],
    ),
    (
        "and validation_data= gives them: leave one of them out",
        lambda: split(validation_data=(X, LABELS), validation_split=0.2),
        lambda: [split(validation_data=(X, LABELS)), split(validation_split=0.2)],
    ),
    (
        "is not allowed: give a share of the rows",
        lambda: split(validation_split=20),
        lambda: split(validation_split=0.2),
    ),
    (
        "to test: give another share, or test_data",
        lambda: split(validation_split=0.9),
        lambda: [
            split(validation_split=0.9, test_data=(X, LABELS)),
            split(validation_split=0.5),
        ],
    ),
    (
        "validation_split takes the last rows of arrays",
        lambda: fits(data=tensors(), validation_split=0.2),
        lambda: fits(data=tensors(), validation_data=(X, LABELS)),
    ),
    (
        "is a {} of Keras 2 (tf_keras)",
        lambda: ravine.race(of_keras_2(), (X, LABELS), loss="mse"),
        lambda: fits(net()),
    ),
    (
        "neighbouring rows are alike in",
        None,
        "tests/tasks/adapters/test_splits.py::"
        "test_rows_that_depend_on_their_neighbours_are_warned_of_under_a_random_split",
    ),
    (
        "takes logits (from_logits=True)",
        None,
        "tests/tasks/adapters/test_daily.py::test_probabilities_that_are_taken_for_logits_are_warned_of",
    ),
    (
        "as targets hold nan",
        None,
        "tests/tasks/adapters/test_daily.py::test_targets_may_be_nan_where_the_loss_leaves_them_out",
    ),
    (
        "put what draws into the model",
        None,
        "tests/tasks/adapters/test_rereading.py::test_the_advice_of_a_layer_that_draws_holds",
    ),
    (
        "call keras.config.set_floatx('float64') before",
        None,
        "tests/tasks/adapters/test_wide.py::test_a_layer_of_64_bits_needs_floatx",
    ),
    (
        "give the dtype to what makes the array",
        None,
        "tests/tasks/adapters/test_settings.py::test_64_bit_numbers_of_jax_are_named",
    ),
    (
        "give it to the function that builds the model, such as functools.partial",
        None,
        "tests/tasks/adapters/test_settings.py::test_a_model_that_is_another_when_rebuilt_is_named",
    ),
    (
        "which draws by itself: put it into the model",
        lambda: fits(augment=keras.layers.GaussianNoise(0.5)),
        "tests/tasks/adapters/test_rereading.py::test_the_advice_of_a_layer_that_draws_holds",
    ),
    (
        "augment is a {}: give a function of a batch and a key",
        lambda: fits(augment="flip"),
        lambda: augmented(lambda x, key: x[:, ::-1]),
    ),
    (
        "use jax.numpy and jax.random in it",
        lambda: augmented(lambda x, key: np.flip(np.asarray(x))),
        lambda: augmented(lambda x, key: jnp.flip(x) * jax.random.uniform(key)),
    ),
    (
        "use jax.random with the key",
        lambda: augmented(lambda x, key: x * np.random.default_rng().normal()),
        lambda: augmented(lambda x, key: x * jax.random.normal(key)),
    ),
    (
        "of the same shape and dtype, such as y.astype(x.dtype)",
        lambda: augmented(lambda x, key: (x > 0).astype("int32")),
        lambda: augmented(lambda x, key: (x > 0).astype(x.dtype)),
    ),
    (
        "of the same shape and dtype, such as y.to(x.dtype)",
        lambda: module(augment=lambda x, generator: x > 0),
        lambda: module(augment=lambda x, generator: (x > 0).to(x.dtype)),
    ),
    (
        "use torch.rand and the like",
        lambda: module(augment=lambda x, g: x * float(np.random.default_rng().normal())),
        lambda: [
            module(augment=lambda x, g: x * torch.rand(x.shape)),
            module(augment=lambda x, g: x * torch.rand(x.shape, generator=g)),
        ],
    ),
    (
        "put into the model what augments",
        with_augment_on_tensorflow,
        "tests/tasks/adapters/test_rereading.py::test_the_advice_of_a_layer_that_draws_holds",
    ),
    (
        "take torch.set_default_dtype back",
        lambda: with_default_dtype(torch.bfloat16),
        lambda: with_default_dtype(torch.float32),
    ),
    (
        "call torch.set_default_dtype(torch.{})",
        lambda: with_default_dtype(torch.float64),
        lambda: with_default_dtype(torch.float32),
    ),
    ("take it back, or give what needs it to the layers", with_floatx, lambda: check_keras(keras)),
]


def augmented(augment: Any) -> Any:
    return ravine.Task.from_model(net(), (X, LABELS), loss=SPARSE, augment=augment).network()


def compiled() -> Any:
    made = net()()
    made.compile(loss=SPARSE)
    return made


def of_keras_2() -> Any:
    return type("Sequential", (), {"__module__": "tf_keras.src.engine.sequential"})()


def split(**options: Any) -> Any:
    return ravine.Task.from_model(net(), (X, LABELS), loss=SPARSE, **options)


def task(frame: Any) -> Any:
    return ravine.Task.from_model(net(), (frame, LABELS), loss=SPARSE)
