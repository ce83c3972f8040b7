"""Handwritten digits, a small convolutional network with batch norm and dropout."""

from typing import Any

from ravine.tasks.builtin.digits import load
from ravine.tasks.layers import normalized
from ravine.tasks.scores import accuracy, cross_entropy
from ravine.tasks.task import Task


def make_model(
    activation: str = "relu", initializer: str = "glorot_uniform", normalization: str = "batch"
) -> Any:
    """Two blocks of convolution, batch norm, ReLU and max pooling; dropout; ten logits."""
    import keras
    from keras import layers

    def block(filters: int) -> list[Any]:
        # No bias before a normalisation: its gradient would be nothing but rounding.
        return [
            layers.Conv2D(
                *(filters, 3),
                padding="same",
                use_bias=normalization == "none",
                kernel_initializer=initializer,
            ),
            *normalized(normalization),
            layers.Activation(activation),
            layers.MaxPooling2D(2),
        ]

    return keras.Sequential(
        [
            keras.Input((64,)),
            layers.Reshape((8, 8, 1)),
            *block(16),
            *block(32),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(10, kernel_initializer=initializer),
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
