"""Handwritten digits, a small dense network."""

from typing import Any

from ravine.tasks.builtin.digits import load
from ravine.tasks.layers import dense
from ravine.tasks.scores import accuracy, cross_entropy
from ravine.tasks.task import Task


def make_model(
    activation: str = "relu", initializer: str = "glorot_uniform", normalization: str = "none"
) -> Any:
    """64-64, by default ReLU from Glorot's uniform weights; ten logits."""
    import keras

    return keras.Sequential(
        [
            keras.Input((64,)),
            *dense(64, activation, initializer, normalization),
            *dense(64, activation, initializer, normalization),
            keras.layers.Dense(10, kernel_initializer=initializer),
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
