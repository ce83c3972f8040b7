"""The course of diabetes, linear regression on standardised measurements: convex, well scaled."""

from typing import Any

from ravine.tasks.scores import absolute_error, squared_error
from ravine.tasks.tables import parted
from ravine.tasks.task import Data, Split, Task


def load() -> Data:
    """442 patients: ten measurements, and how far the disease went in a year.

    All have mean 0 and variance 1 over the training rows: what is left of the conditioning, some
    hundreds, comes from measurements that go together, which no rate for each weight mends. What
    is wanted is spread alike over the parts, by its fifths: 88 rows are few.
    """
    import numpy as np
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    data = parted(x, y[:, None], classes=np.digitize(y, np.quantile(y, [0.2, 0.4, 0.6, 0.8])))

    def standardised(split: Split) -> Split:
        both = [
            ((part - train.mean(0)) / train.std(0)).astype("float32")
            for part, train in zip(split, data.train, strict=True)
        ]
        return Split(*both)

    return Data(*map(standardised, data))


def make_model() -> Any:
    """One number, from weights of 5: so far that the way decides, not the noise of 88 test rows."""
    import keras

    far = keras.initializers.Constant(5)
    return keras.Sequential([keras.Input((10,)), keras.layers.Dense(1, kernel_initializer=far)])


task = Task(
    name="diabetes-linear",
    description="442 patients, linear regression on 10 standardised measurements: convex",
    make_model=make_model,
    load=load,
    loss=squared_error,
    metrics={"absolute_error": absolute_error},
    # Longer, or with smaller batches, every rule arrives where chance decides who is first.
    epochs=40,
    batch_size=64,
    # A step of these rules is about as long as the rate, and the way is five units.
    learning_rates=dict.fromkeys(("rmsprop", "adam", "adamw", "nadam"), (1e-3, 10.0))
    | {"adagrad": (1e-2, 100.0)},
)
