"""Fashion-MNIST, a dense network.

Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
Learning Algorithms", https://arxiv.org/abs/1708.07747
"""

from functools import partial
from typing import Any

from ravine.tasks.builtin.downloaded import pictures
from ravine.tasks.scores import accuracy, cross_entropy
from ravine.tasks.task import Task


def make_model() -> Any:
    """128-64 ReLU, Glorot uniform; ten logits."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((28, 28, 1), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )


task = Task(
    name="fashion-mnist",
    description="70,000 pictures of clothes, 128-64 ReLU dense network; a download",
    make_model=make_model,
    load=partial(pictures, "fashion_mnist"),
    loss=cross_entropy,
    metrics={"accuracy": accuracy},
    epochs=5,
    batch_size=128,
    download="30 MB",
)
