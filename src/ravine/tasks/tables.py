"""Tables that scikit-learn carries, cut into three parts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ravine.tasks.task import Data, Split


class Rows(NamedTuple):
    """All rows of a table, arrays of equal length.

    ``classes`` is a label a row; each label is as frequent in every part.
    """

    x: Any
    y: Any
    classes: Any


@dataclass(frozen=True)
class Table:
    """A task's ``load``: the rows that ``read`` gives in 60 : 20 : 20.

    A run trains, tunes and is judged on the parts that its seed draws, so that a verdict is about
    all rows rather than about the fifth of them that happened to be held out. For tables of which a
    fifth is some hundreds of rows: see ``own.parts.ENOUGH``.
    """

    read: Callable[[], Rows]

    def __call__(self) -> Data:
        """The rows as seed 0 splits them."""
        return parted(*self.read())

    def places(self, seed: int) -> list[Any]:
        """Which rows a seed trains on, tunes on and is judged on, int32 arrays.

        Rows are numbered as those of ``load()`` are, the training data first and the test data
        last. Every seed's parts are of the same sizes.
        """
        import numpy as np

        classes = self.read().classes
        at = np.argsort(np.concatenate(_parts(classes, 0)))
        return [at[part].astype(np.int32) for part in _parts(classes, seed)]


def parted(x: Any, y: Any, classes: Any) -> Data:
    """The rows in 60 : 20 : 20, the same in every race; each of the classes as often in each part.

    ``x`` and ``y`` are arrays of equal length; so is ``classes``, a label a row.
    """
    return Data(*(Split(x[part], y[part]) for part in _parts(classes, 0)))


def _parts(classes: Any, seed: int) -> list[Any]:
    import numpy as np
    from sklearn.model_selection import train_test_split

    def cut(rows: Any, share: float) -> Any:
        return train_test_split(rows, train_size=share, stratify=classes[rows], random_state=seed)

    train, rest = cut(np.arange(len(classes)), 0.6)
    return [train, *cut(rest, 0.5)]
