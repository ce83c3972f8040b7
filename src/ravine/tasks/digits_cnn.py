"""Handwritten digits, a small convolutional network with batch norm and dropout."""

from typing import Any

from ravine.tasks.digits import load
from ravine.tasks.scores import accuracy, cross_entropy
from ravine.tasks.task import Task


def make_model() -> Any:
    """Two blocks of convolution, batch norm, ReLU and max pooling; dropout; ten logits."""
    import keras
    from keras import layers

    # No bias before a batch norm: its gradient would be nothing but rounding.
    return keras.Sequential(
        [
            keras.Input((64,)),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(10),
        ]
    )


task = Task(
    name="digits-cnn",
    description="1,797 handwritten digits, two 3×3 convolutions, batch norm, dropout",
    make_model=make_model,
    load=load,
    loss=cross_entropy,
    metrics={"accuracy": accuracy},
    epochs=15,
    batch_size=32,
)
