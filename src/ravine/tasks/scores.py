"""Losses and metrics, a number a row: what Keras computes, on the logits that our models give."""

from typing import Any


def cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """Softmax cross-entropy, in nats, of each row."""
    import keras

    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest logit is that of the class."""
    import keras

    return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)


def binary_cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """Sigmoid cross-entropy, in nats, the mean over each row's outputs."""
    import keras

    return keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True)


def binary_accuracy(y_true: Any, y_pred: Any) -> Any:
    """The share of each row's outputs whose logit has the sign of the class, 0 or 1."""
    from keras import ops

    # Keras's own gives a number an output.
    return ops.mean(ops.cast((y_pred > 0) == (y_true > 0.5), "float32"), axis=-1)


def squared_error(y_true: Any, y_pred: Any) -> Any:
    """The mean over each row's outputs."""
    import keras

    return keras.losses.mean_squared_error(y_true, y_pred)


def absolute_error(y_true: Any, y_pred: Any) -> Any:
    """The mean over each row's outputs."""
    import keras

    return keras.losses.mean_absolute_error(y_true, y_pred)
