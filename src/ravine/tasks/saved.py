"""What a race leaves of its best model, for its user to keep."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ravine.errors import InvalidArgument

MODEL, WEIGHTS, ARRAYS, MODULE = "best.keras", "best.weights.h5", "best.npz", "best.pt"
FILES = (MODEL, WEIGHTS, ARRAYS, MODULE)


class Saved(NamedTuple):
    """A file in the folder of a race, and what whoever opens it should know."""

    file: str
    note: str = ""


def save_keras(model: Any, folder: Path) -> Saved:
    """Write a built model: whole where its classes have a configuration, else its weights alone."""
    model.compiled = False  # a loss of the user's own need not be found to open it
    try:
        model.save(folder / MODEL)
    except (NotImplementedError, TypeError, ValueError) as error:
        model.save_weights(folder / WEIGHTS)
        (folder / MODEL).unlink(missing_ok=True)
        why = " ".join(str(error).split()).partition(". ")[0]
        return Saved(
            WEIGHTS,
            f"Keras cannot store the model '{model.name}' whole ({why}): {WEIGHTS} has its "
            f"weights; build the model, then model.load_weights('{WEIGHTS}')",
        )
    return Saved(MODEL)


def open_saved(path: Path, custom_objects: Mapping[str, Any] | None) -> Any:
    """The model in a file of which nothing else is known, by Keras's safe mode.

    Raises ``InvalidArgument`` for what cannot be opened so, and says what can be done.
    """
    if path.name == ARRAYS:
        return nested(open_arrays(path))
    if path.name == MODULE:
        import torch

        return torch.load(path, weights_only=True, map_location="cpu")
    if path.name == WEIGHTS:
        raise InvalidArgument(
            f"'{path}' has the weights alone: build the model, then model.load_weights('{path}')"
        )
    import keras

    try:
        return keras.saving.load_model(
            path, custom_objects=dict(custom_objects or {}), compile=False, safe_mode=True
        )
    except (TypeError, ValueError) as error:
        from ravine.tasks.adapters.failures import line_of

        raise InvalidArgument(
            f"'{path}' cannot be opened by itself: {line_of(error)}; give its classes, "
            "model(custom_objects={'Name': Name}), or build the model and "
            f"model.load_weights('{path}')"
        ) from error


def open_arrays(path: Path) -> dict[str, Any]:
    """Arrays by name."""
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def nested(arrays: Mapping[str, Any]) -> Any:
    """Arrays with names such as ``layer/w`` or ``0/w`` as nested dicts and lists.

    >>> nested({"layers/0/w": 1, "layers/1/w": 2, "scale": 3})
    {'layers': [{'w': 1}, {'w': 2}], 'scale': 3}
    >>> nested({"": 1})
    1
    """
    if "" in arrays:
        return arrays[""]
    inner: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        first, _, rest = name.partition("/")
        inner.setdefault(first, {})[rest] = array
    found = {name: nested(below) for name, below in inner.items()}
    if all(name.isdigit() for name in found):
        return [found[name] for name in sorted(found, key=int)]
    return found
