"""Handwritten digits, a small dense network."""

from typing import Any

from ravine.tasks.digits import load
from ravine.tasks.scores import accuracy, cross_entropy
from ravine.tasks.task import Task


def make_model() -> Any:
    """64-64 ReLU, Glorot uniform; ten logits."""
    import keras

    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


task = Task(
    name="digits-mlp",
    description="1,797 handwritten digits, 64-64 ReLU dense network, cross-entropy",
    make_model=make_model,
    load=load,
    loss=cross_entropy,
    metrics={"accuracy": accuracy},
    epochs=30,
    batch_size=32,
)
