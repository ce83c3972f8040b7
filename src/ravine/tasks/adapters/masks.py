"""The masks of what a Keras model predicts, where predictions are cut, joined or compiled.

Keras keeps the mask of a tensor as an attribute of it, which none of these keeps.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Predicted(NamedTuple):
    """Outputs of a model, and the mask of each of their tensors, in order; None without one."""

    outputs: Any
    masks: list[Any]


def detached(y_pred: Any) -> Predicted:
    """Outputs together with the masks that they carry."""
    import keras
    from keras.src.backend import get_keras_mask

    return Predicted(y_pred, [get_keras_mask(one) for one in keras.tree.flatten(y_pred)])


def attached(predicted: Any) -> Any:
    """Outputs that carry their masks, as losses and metrics of Keras look for them."""
    if not isinstance(predicted, Predicted):
        return predicted
    import keras
    from keras.src.backend import set_keras_mask

    for one, mask in zip(keras.tree.flatten(predicted.outputs), predicted.masks, strict=True):
        if mask is not None:
            set_keras_mask(one, mask)
    return predicted.outputs


def joined(parts: Sequence[Predicted], concatenate: Callable[[Sequence[Any]], Any]) -> Predicted:
    """The outputs of consecutive rows, one after another, with their masks."""
    import keras

    outputs = [part.outputs for part in parts]
    same = zip(*(part.masks for part in parts), strict=True)
    masks = [None if each[0] is None else concatenate(each) for each in same]
    return Predicted(keras.tree.map_structure(lambda *each: concatenate(each), *outputs), masks)
