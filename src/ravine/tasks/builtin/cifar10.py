"""CIFAR-10, a convolutional network with batch norm and dropout.

Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images",
https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
"""

from functools import partial
from typing import Any

from ravine.tasks.builtin.downloaded import pictures
from ravine.tasks.scores import accuracy, cross_entropy
from ravine.tasks.task import Task


def make_model() -> Any:
    """Three blocks of convolution, batch norm, ReLU and max pooling; dropout; ten logits."""
    import keras
    from keras import layers

    blocks = [
        [
            layers.Conv2D(filters, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(2),
        ]
        for filters in (16, 32, 64)
    ]
    return keras.Sequential(
        [
            keras.Input((32, 32, 3), dtype="uint8"),
            layers.Rescaling(1 / 127.5, offset=-1),
            *(layer for block in blocks for layer in block),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(10),
        ]
    )


task = Task(
    name="cifar10",
    description="60,000 pictures of ten kinds, three 3×3 convolutions, batch norm; a download",
    make_model=make_model,
    load=partial(pictures, "cifar10"),
    loss=cross_entropy,
    metrics={"accuracy": accuracy},
    epochs=5,
    batch_size=128,
    download="170 MB",
)
