"""Train, validation and test: what users give, and what is split off for them."""

from typing import Any, NamedTuple

from ravine.errors import WrongCall
from ravine.tasks.own.nested import leaves
from ravine.tasks.own.rows import Rows

SHARE = 0.2  # of all rows, for each part that is split off
CLASSES = 100  # more different labels than this are not classes to keep in proportion


class Parts(NamedTuple):
    """What to train on, to tune on and to judge on."""

    train: Rows
    validation: Rows
    test: Rows


def parted(rows: Rows, validation: Rows | None, test: Rows | None) -> tuple[Parts, str]:
    """Split off what was not given, a fifth of the rows each; and what was done, in words.

    Every race of the same rows has the same parts. Where targets are classes, each is as frequent
    in every part.
    """
    lacking = [name for name, part in (("validation", validation), ("test", test)) if part is None]
    said = ""
    if lacking:
        if rows.number < 10:
            raise WrongCall(
                f"{rows.number} rows are too few to split off {' and '.join(lacking)}: give more, "
                f"or {' and '.join(f'{name}_data' for name in lacking)}"
            )
        classes = _classes(rows.y)
        kept, off = _cut(rows, SHARE * len(lacking), classes)
        cuts = [off]
        if len(lacking) == 2:
            cuts = [*_cut(off, 0.5, _classes(off.y) if classes is not None else None)]
        found = dict(zip(lacking, cuts, strict=True))
        validation, test = found.get("validation", validation), found.get("test", test)
        rows, each = kept, "" if classes is None else ", each class in its share"
        said = f"; {' and '.join(lacking)} {'are' if len(lacking) > 1 else 'is'} split off{each}"
    assert validation is not None
    assert test is not None
    parts = Parts(rows, validation, test)
    counts = ", ".join(f"{p.number:,} {name}" for name, p in zip(parts._fields, parts, strict=True))
    return parts, f"rows: {counts}{said}"


def _cut(rows: Rows, share: float, classes: Any) -> tuple[Rows, Rows]:
    import numpy as np
    from sklearn.model_selection import train_test_split

    numbers = np.arange(rows.number)
    one, other = train_test_split(numbers, test_size=share, stratify=classes, random_state=0)
    return rows.at(np.sort(one)), rows.at(np.sort(other))


def _classes(y: Any) -> Any:
    """A label a row, if the targets are classes of which each part can have some."""
    import numpy as np

    targets = leaves(y)
    if len(targets) != 1:
        return None
    labels = targets[0]
    if labels.ndim == 2 and labels.shape[1] > 1 and _one_hot(labels):
        labels = labels.argmax(1)
    labels = labels.reshape(len(labels), -1)
    whole = labels.dtype.kind in "iub" or bool((labels == np.floor(labels)).all())
    if labels.shape[1] != 1 or not whole:
        return None
    found, counts = np.unique(labels, return_counts=True)
    few = len(found) <= min(CLASSES, len(labels) // 10)
    return labels[:, 0] if few and len(found) > 1 and counts.min() >= 5 else None


def _one_hot(labels: Any) -> bool:
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all())


def class_weights(y: Any, weights: Any, given: Any) -> Any:
    """``sample_weight``, times the weight of each row's class.

    ``given`` maps a class's label, or its place in a one-hot row, to a weight; the others weigh 1.
    """
    import numpy as np

    targets = leaves(y)
    if len(targets) != 1:
        raise WrongCall("class_weight needs one output: give sample weights instead")
    labels = targets[0]
    labels = labels.argmax(1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
    if len(labels) != len(targets[0]):
        raise WrongCall("class_weight needs one label a row: give sample weights instead")
    known = {int(label) for label in np.unique(labels)}
    if not hasattr(given, "items"):
        raise WrongCall(f"class_weight={given!r} is not allowed: give a dict such as {{0: 1.0}}")
    for label in given:
        if label not in known:
            raise WrongCall(
                f"class_weight names class {label!r}, which no row has; classes: "
                f"{', '.join(map(str, sorted(known)[:20]))}"
            )
        if not 0 <= given[label] < float("inf"):
            raise WrongCall(f"class_weight of class {label!r} is {given[label]}: at least 0")
    each = np.ones(len(labels), np.float32)
    for label, weight in given.items():
        each[labels == label] = weight
    return each if weights is None else each * weights
