"""Handwritten digits through a narrow code and back."""

from typing import Any

from ravine.tasks.builtin import digits
from ravine.tasks.layers import dense
from ravine.tasks.scores import binary_cross_entropy, squared_error
from ravine.tasks.tables import Rows, Table
from ravine.tasks.task import Task


def read() -> Rows:
    """The pixels, in [0, 1], are both what is given and what is wanted."""
    rows = digits.read()
    return rows._replace(y=rows.x)


def make_model(
    activation: str = "tanh", initializer: str = "glorot_uniform", normalization: str = "none"
) -> Any:
    """64-48-24-8-24-48-64, tanh unless varied, a linear code of eight numbers; a logit a pixel."""
    import keras
    from keras.layers import Dense

    def hidden(units: int) -> list[Any]:
        return dense(units, activation, initializer, normalization)

    return keras.Sequential(
        [
            keras.Input((64,)),
            *hidden(48),
            *hidden(24),
            Dense(8, kernel_initializer=initializer),
            *hidden(24),
            *hidden(48),
            Dense(64, kernel_initializer=initializer),
        ]
    )


def pixel_error(y_true: Any, y_pred: Any) -> Any:
    """The mean squared error of each row's pixels."""
    import keras

    return squared_error(y_true, keras.ops.sigmoid(y_pred))


task = Task(
    name="digits-autoencoder",
    description="1,797 handwritten digits through a code of 8 numbers and back, cross-entropy",
    make_model=make_model,
    load=Table(read),
    loss=binary_cross_entropy,  # of grey pixels, as in Hinton & Salakhutdinov 2006
    metrics={"pixel_error": pixel_error},
    epochs=30,
    batch_size=32,
    # The mean over 64 pixels makes for small slopes.
    learning_rates=dict.fromkeys(("sgd", "momentum", "nesterov"), (1e-2, 100.0)),
)
