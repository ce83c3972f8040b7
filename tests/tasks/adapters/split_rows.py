"""The rows of a user's task as a seed of its races has them."""

from typing import Any

import numpy as np

from ravine.tasks.task import Data, Split


def data_of(task: Any, seed: int) -> Data:
    """Train, validation and test rows of that seed's run."""
    splits = task.load()
    if task.load.places is None:
        return splits

    def joined(parts: Any) -> Any:
        if isinstance(parts[0], list):
            return [np.concatenate(same) for same in zip(*parts, strict=True)]
        return np.concatenate(parts)

    def at(nest: Any, rows: Any) -> Any:
        return [array[rows] for array in nest] if isinstance(nest, list) else nest[rows]

    x, y = (joined(part) for part in zip(*splits, strict=True))
    return Data(*(Split(at(x, rows), at(y, rows)) for rows in task.load.places(seed)))
