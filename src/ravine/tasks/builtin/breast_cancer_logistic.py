"""Breast cancer, logistic regression on measurements in their own units: convex, badly scaled."""

from typing import Any

from ravine.tasks.scores import binary_accuracy, binary_cross_entropy
from ravine.tasks.tables import parted
from ravine.tasks.task import Data, Task


def load() -> Data:
    """569 tumours: 30 measurements less their means over the training rows, and whether benign.

    Their spreads, from 0.002 (a standard error of fractal dimension) to 600 (an area in pixels),
    are left as they are: a rate for each weight, as AdaGrad has, is made for that, and to
    standardise would take it away. The means must go, or gradient descent learns nothing else.
    """
    from sklearn.datasets import load_breast_cancer

    x, benign = load_breast_cancer(return_X_y=True)
    data = parted(x, benign[:, None].astype("float32"), classes=benign)
    mean = data.train.x.mean(0)
    return Data(*(split._replace(x=(split.x - mean).astype("float32")) for split in data))


def make_model() -> Any:
    """One logit, which starts at 0: a convex loss has one least value, wherever it is begun.

    The classes can be parted without error, so that without the penalty on the weights, a trifle
    here, the loss would be least at infinity.
    """
    import keras

    one = keras.layers.Dense(
        1, kernel_initializer="zeros", kernel_regularizer=keras.regularizers.L2(1e-3)
    )
    return keras.Sequential([keras.Input((30,)), one])


task = Task(
    name="breast-cancer-logistic",
    description="569 tumours, logistic regression on 30 measurements in their own units: convex",
    make_model=make_model,
    load=load,
    loss=binary_cross_entropy,
    metrics={"accuracy": binary_accuracy},
    epochs=30,
    batch_size=32,
    # A logit moves by the rate times the squared norm of a row, some hundred thousands.
    learning_rates=dict.fromkeys(("sgd", "momentum", "nesterov"), (1e-6, 1e-2)),
)
