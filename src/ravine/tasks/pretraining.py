"""Weights to begin with that were trained before: on what, which layers take them, at what cost."""

import hashlib
import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravine.errors import InvalidArgument

WEIGHTS = "model.weights.h5"  # in a .keras file


@dataclass(frozen=True)
class Pretrained:
    """A ``.keras`` file whose weights a model begins with, layer by layer, where they fit.

    Numbers alone are read of it, by Keras's own ``load_weights``; its configuration, which could
    name code, is not opened. As there, layers correspond if they are of one kind and have the same
    place among those of their kind (``dense``, ``dense_1``, …); and all shapes must agree.
    ``but_last``: the last layer with weights begins anew all the same, as where layers are reused.
    """

    file: str
    digest: str  # of the file
    but_last: bool = False

    def into(self, model: Any) -> tuple[str, ...]:
        """Give a built model the weights; the layers that took them, as the file calls them.

        Raises ``InvalidArgument`` if there is none.
        """
        import numpy as np

        if _digest(Path(self.file)) != self.digest:
            raise InvalidArgument(f"'{self.file}' has changed since the race began")
        layers = [layer for layer in model._flatten_layers(include_self=False) if layer.variables]
        layers = [layer for layer in layers if not _holds_layers(layer)]
        floats = [v for v in model.variables if "float" in str(v.dtype)]
        before = {id(v): np.asarray(v.value) for v in floats}
        for variable in floats:  # whatever is a number afterwards was in the file
            variable.assign(np.full(variable.shape, np.nan))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what does not fit, which is asked for
                model.load_weights(self.file, skip_mismatch=True)
        except Exception as error:
            said = str(error).strip().splitlines()[0]
            raise InvalidArgument(f"cannot read the weights in '{self.file}': {said}") from error
        taken = [layer for layer in layers if _whole(layer, before)]
        trained = [layer for layer in layers if layer.trainable_variables]
        if self.but_last and trained[-1] in taken:
            taken.remove(trained[-1])
        kept = {id(v) for layer in taken for v in layer.variables}
        for variable in floats:
            if id(variable) not in kept:
                variable.assign(before[id(variable)])
        if not any(layer.trainable_variables for layer in taken):
            raise InvalidArgument(
                f"no layer of the model fits what '{self.file}' holds: layers correspond by kind, "
                "by their place among those of their kind, and by shape"
            )
        return tuple(place for place, layer in _places(layers) if layer in taken)


def _places(layers: Sequence[Any]) -> list[tuple[str, Any]]:
    """Each layer with its kind and its place among those: ``dense``, ``dense_1``.

    The names that layers have by default depend on what was built before in a process.
    """
    found: list[tuple[str, Any]] = []
    for layer in layers:
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(layer).__name__).lower()
        before = sum(type(other) is type(layer) for _, other in found)
        found.append((f"{kind}_{before}" if before else kind, layer))
    return found


def _holds_layers(layer: Any) -> bool:
    return len(list(layer._flatten_layers())) > 1


def _whole(layer: Any, before: Any) -> bool:
    import numpy as np

    own = [v for v in layer.variables if id(v) in before]
    return bool(own) and all(not np.isnan(np.asarray(v.value)).any() for v in own)


def pretrained(file: Path, but_last: bool = False) -> Pretrained:
    """What a ``.keras`` file holds. Raises ``InvalidArgument`` if it is none."""
    if not file.is_file():
        raise InvalidArgument(f"there is no file '{file}' to begin with: give a .keras file")
    if not zipfile.is_zipfile(file) or WEIGHTS not in zipfile.ZipFile(file).namelist():
        raise InvalidArgument(
            f"'{file}' is not a .keras file: save one with model.save('name.keras')"
        )
    return Pretrained(str(file.resolve()), _digest(file), but_last)


@dataclass(frozen=True)
class Half:
    """Data with half of their training rows; together the two halves have each row once.

    What is held out is the same for both, but nobody looks at it while one is pretrained.
    """

    load: Callable[[], Any]
    other: bool = False

    def __call__(self) -> Any:
        """The data."""
        import numpy as np

        data = self.load()
        first = data.train.x[0] if isinstance(data.train.x, list | tuple) else data.train.x
        order = np.random.default_rng(0).permutation(len(first))
        cut = (len(order) + 1) // 2
        rows = np.sort(order[cut:] if self.other else order[:cut])
        if not len(rows):
            raise InvalidArgument("the training data are too few to be cut in half")
        train = [
            [array[rows] for array in part] if isinstance(part, list | tuple) else part[rows]
            for part in data.train
        ]
        return data._replace(train=type(data.train)(*train))


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
