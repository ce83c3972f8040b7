"""Whether rows depend on their neighbours, as in a series or where a patient has several."""

from typing import Any

from ravine.tasks.adapters.pytree import leaves

PAIRS = 2000  # of neighbours that are looked at
COLUMNS = 256  # of a row
STRONG = 0.25  # of the distance of two rows anywhere: neighbours that are nearer depend strongly
LEAST = 50  # rows, below which nothing can be told


def neighbours_alike(x: Any, y: Any, classes: Any) -> str:
    """What of neighbouring rows is alike, ``"x"`` or ``"y"``; empty if nothing is.

    The mean square difference of neighbours over that of rows drawn at random, as in von Neumann's
    ratio. Rows that are sorted by class are compared within their class.

    >>> import numpy as np
    >>> series = np.sin(np.arange(200) / 20)[:, None]
    >>> neighbours_alike(series, series[::-1], None), neighbours_alike(series[::7], [], None)
    ('x', '')
    """
    if len(leaves(x)[0]) < LEAST:
        return ""
    parts = [("x", leaves(x))] + ([("y", leaves(y))] if classes is None else [])
    for name, arrays in parts:
        found = [ratio for array in arrays if (ratio := _ratio(array, classes)) is not None]
        if found and min(found) < STRONG:
            return name
    return ""


def _ratio(array: Any, classes: Any) -> float | None:
    import numpy as np

    draw = np.random.default_rng(0)
    number = len(array)
    begin = np.unique(np.linspace(0, number - 2, min(PAIRS, number - 1)).astype(int))
    other = draw.permutation(number)[: len(begin)]
    if classes is not None:
        begin = begin[classes[begin] == classes[begin + 1]]
        other = other[: len(begin)]
        same = {label: np.flatnonzero(classes == label) for label in np.unique(classes)}
        partner = np.array([draw.choice(same[classes[row]]) for row in other], int)
    else:
        partner = draw.permutation(number)[: len(begin)]
    if len(begin) < LEAST // 2:
        return None

    def apart(one: Any, another: Any) -> Any:
        pair = (np.asarray(array[rows], np.float64) for rows in (one, another))
        first, second = (part.reshape(len(part), -1)[:, :COLUMNS] for part in pair)
        return np.square(first - second).mean(0)

    near, far = apart(begin, begin + 1), apart(other, partner)
    varied = far > 0
    return float(near[varied].sum() / far[varied].sum()) if varied.any() else None
