"""Networks with what people build networks of, their data, and rules: what both backends are given.

Rates of dropout are 0: the backends draw different masks.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from ravine.rules import SGD, Adagrad, Adam, AdamW, Momentum, Nadam, Nesterov, RMSprop
from ravine.rules.update_rule import Rule

ROWS, BATCH, STEPS, RATE = 48, 8, 12, 2**-5
draw = np.random.default_rng(7)


def floats(*shape: int) -> Any:
    return draw.normal(size=(ROWS, *shape)).astype("float32")


def labels(classes: int, *shape: int) -> Any:
    return draw.integers(0, classes, (ROWS, *shape)).astype("int32")


# A rule, and the optimizer of Keras that is the same algorithm. The numbers have few binary digits,
# and no epsilon is so small that what rounding leaves of a gradient would be a step. Where a row of
# an embedding has several gradients, Keras on TensorFlow squares each: no Adam there.
SAME: dict[str, tuple[Rule, Any]] = {
    "sgd": (SGD(RATE), lambda: keras.optimizers.SGD(RATE)),
    # Keras keeps the learning rate in the velocity: the same path as long as it stays.
    "momentum": (
        Momentum(RATE, momentum=0.75, dampening=0),
        lambda: keras.optimizers.SGD(RATE, momentum=0.75),
    ),
    # Keras's variable is our point ahead, where our training loss is taken too.
    "nesterov": (
        Nesterov(RATE, momentum=0.75, dampening=0),
        lambda: keras.optimizers.SGD(RATE, momentum=0.75, nesterov=True),
    ),
    "adagrad": (
        Adagrad(RATE, initial_accumulator_value=0.125, epsilon=0.125),
        lambda: keras.optimizers.Adagrad(RATE, initial_accumulator_value=0.125, epsilon=0.125),
    ),
    "rmsprop": (
        RMSprop(RATE, rho=0.875, epsilon=0.125),
        lambda: keras.optimizers.RMSprop(RATE, rho=0.875, epsilon=0.125),
    ),
    "adam": (
        Adam(RATE, 0.875, 0.9375, epsilon=0, epsilon_hat=0.125),
        lambda: keras.optimizers.Adam(RATE, 0.875, 0.9375, 0.125),
    ),
    "adamw": (
        AdamW(RATE, 0.875, 0.9375, epsilon=0, epsilon_hat=0.125, weight_decay=0.125),
        lambda: keras.optimizers.AdamW(RATE, 0.125, 0.875, 0.9375, 0.125),
    ),
    "nadam": (
        Nadam(RATE, 0.875, 0.9375, epsilon=0.125, momentum_decay=1),
        lambda: keras.optimizers.Nadam(RATE, 0.875, 0.9375, 0.125),
    ),
}


class Case(NamedTuple):
    """A network, data (x, y) or (x, y, weights), and what ``compile`` and ``fit`` are told."""

    make: Callable[[], Any]
    data: tuple[Any, ...]
    told: dict[str, Any]
    class_weight: dict[int, float] | None = None
    by: str = "sgd"


@keras.saving.register_keras_serializable("tests")
class Scale(layers.Layer):
    """A layer of the user's own."""

    def build(self, shape: Any) -> None:
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x: Any) -> Any:
        return ops.tanh(x * self.factor)


class Subclassed(keras.Model):
    """No layer knows its shapes until it is called."""

    def __init__(self, units: int = 6) -> None:
        super().__init__()
        self.units = units
        self.hidden = layers.Dense(units, activation="gelu")
        self.scale = Scale()
        self.dropout = layers.Dropout(0.0)
        self.out = layers.Dense(3)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.out(self.dropout(self.scale(self.hidden(x)), training=training))


class Untold(keras.Model):
    """Its ``call`` takes no ``training``, and what it holds is of no class of Keras."""

    def __init__(self) -> None:
        super().__init__()
        self.function = ops.sin
        self.out = layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.out(self.function(x))


def convolutional() -> Any:
    given = keras.Input((9, 9, 2))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(given)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.5)(x))
    x = layers.MaxPooling2D()(x)
    x = layers.SeparableConv2D(5, 3, activation="elu")(x)
    return keras.Model(given, layers.Dense(4, activation="softmax")(layers.Flatten()(x)))


def recurrent() -> Any:
    return keras.Sequential(
        [
            layers.Embedding(11, 5, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def attentive() -> Any:
    given = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(9, 8)(given)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    x = layers.Attention()([x, x])
    x = layers.Dense(9)(x)
    return keras.Model(given, x)


measured = floats(4) * 3 + 5


def adapted() -> Any:
    normalization = layers.Normalization()
    normalization.adapt(measured)
    return keras.Sequential(
        [
            keras.Input((4,)),
            normalization,
            layers.Dense(5, activation="softplus", kernel_regularizer=keras.regularizers.L2(0.01)),
            layers.ActivityRegularization(l1=0.01),
            layers.Dense(1),
        ]
    )


def several() -> Any:
    image, tags = keras.Input((5,), name="image"), keras.Input((3,), name="tags")
    both = layers.Dense(6, activation="tanh")(layers.Concatenate()([image, tags]))
    kind = layers.Dense(3, activation="softmax", name="kind")(both)
    size = layers.Dense(2, name="size")(both)
    return keras.Model({"image": image, "tags": tags}, {"kind": kind, "size": size})


def listed() -> Any:
    given = keras.Input((5,))
    x = layers.UnitNormalization()(layers.Dense(6, activation="selu")(given))
    frozen = layers.Dense(4, trainable=False)(x)
    return keras.Model(given, [layers.Dense(1, name="a")(frozen), layers.Dense(2, name="b")(x)])


def plain() -> Any:
    return keras.Sequential([keras.Input((5,)), layers.Dense(3, activation="softmax")])


def quartic(y_true: Any, y_pred: Any) -> Any:
    return ops.mean((y_true - y_pred) ** 4, axis=-1)


def spread(y_true: Any, y_pred: Any) -> Any:
    return ops.max(abs(y_true - y_pred), axis=-1)


logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
tokens = labels(11, 7)
tokens[:, 5:] = 0  # padding, masked
CASES = {
    "subclassed, own layer": Case(
        Subclassed, (floats(5), labels(3)), {"loss": logits, "metrics": ["accuracy"]}, by="adam"
    ),
    "call without training": Case(Untold, (floats(5), floats(2)), {"loss": "mse"}, by="rmsprop"),
    "convolutions, batch norm": Case(
        convolutional,
        (floats(9, 9, 2), np.eye(4, dtype="float32")[labels(4)]),
        {"loss": "categorical_crossentropy", "metrics": ["accuracy", "AUC"]},
        by="momentum",
    ),
    "LSTM, GRU, masks": Case(
        recurrent,
        (tokens, labels(2)),
        {"loss": "binary_crossentropy", "metrics": ["accuracy", "precision"]},
        by="adagrad",
    ),
    "attention, a target a token": Case(
        attentive,
        (labels(9, 6), labels(9, 6)),
        {"loss": logits, "metrics": ["accuracy"]},
    ),
    "adapted, regularised": Case(
        adapted,
        (measured, measured.sum(1) / 20),
        {"loss": "mse", "metrics": ["mae", "mse"]},
        by="adamw",
    ),
    "dicts, weighted": Case(
        several,
        (
            {"tags": floats(3), "image": floats(5)},
            {"size": floats(2), "kind": labels(3)},
            abs(floats()),
        ),
        {
            "loss": {"kind": "sparse_categorical_crossentropy", "size": "huber"},
            "metrics": {"kind": "accuracy", "size": ["mae"]},
            "loss_weights": {"kind": 0.5, "size": 2.0},
        },
    ),
    "lists, frozen": Case(
        listed,
        (floats(5), [floats(1), floats(2)], [abs(floats()), abs(floats())]),
        {"loss": ["mae", quartic], "loss_weights": [1.0, 0.25]},
    ),
    "own loss and metric": Case(
        lambda: keras.Sequential([keras.Input((5,)), layers.Dense(2)]),
        (floats(5) / 2, floats(2) / 2),
        {"loss": quartic, "metrics": [spread, keras.metrics.RootMeanSquaredError()]},
    ),
    "class weights": Case(
        plain,
        (floats(5), labels(3)),
        {"loss": "sparse_categorical_crossentropy", "metrics": ["acc"]},
        {0: 2.0, 2: 0.25},
        by="nadam",
    ),
    "a point ahead": Case(
        plain, (floats(5), labels(3)), {"loss": "sparse_categorical_crossentropy"}, by="nesterov"
    ),
}
