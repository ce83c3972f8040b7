"""Handwritten digits through ten dense layers: deep enough that gradients can vanish on the way.

With ``activation="sigmoid", initializer="glorot_uniform"`` each layer takes away most of the
gradient, and the first ones stand still: Glorot & Bengio 2010, "Understanding the difficulty of
training deep feedforward neural networks". As it is built by default it trains; any of the three
levers can undo that, and cure it.
"""

from typing import Any

from ravine.tasks.builtin.digits import load
from ravine.tasks.layers import dense
from ravine.tasks.scores import accuracy, cross_entropy
from ravine.tasks.task import Task

DEPTH, UNITS = 9, 32  # hidden layers, and units of each


def make_model(
    activation: str = "relu", initializer: str = "he_normal", normalization: str = "none"
) -> Any:
    """Nine times 32 units, by default ReLU from He's weights; ten logits."""
    import keras

    hidden = [
        layer
        for _ in range(DEPTH)
        for layer in dense(UNITS, activation, initializer, normalization)
    ]
    logits = keras.layers.Dense(10, kernel_initializer=initializer)
    return keras.Sequential([keras.Input((64,)), *hidden, logits])


task = Task(
    name="digits-deep",
    description="1,797 handwritten digits, ten dense layers: what vanishing gradients need",
    make_model=make_model,
    load=load,
    loss=cross_entropy,
    metrics={"accuracy": accuracy},
    epochs=20,
    batch_size=32,
)
