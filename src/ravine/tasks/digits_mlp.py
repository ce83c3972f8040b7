"""Handwritten digits, a small dense network: 1,797 real 8×8 images that scikit-learn carries."""

from typing import Any

from ravine.tasks.task import Data, Split, Task


def load() -> Data:
    """The images in [0, 1], split 60 : 20 : 20 with the digits equally frequent in each part."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype("float32"), y.astype("int32")
    x_train, x_rest, y_train, y_rest = train_test_split(
        x, y, train_size=0.6, stratify=y, random_state=0
    )
    x_validation, x_test, y_validation, y_test = train_test_split(
        x_rest, y_rest, train_size=0.5, stratify=y_rest, random_state=0
    )
    return Data(Split(x_train, y_train), Split(x_validation, y_validation), Split(x_test, y_test))


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


def cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """Softmax cross-entropy, in nats, of each row."""
    import keras

    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest logit is the digit's."""
    import keras

    return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)


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
