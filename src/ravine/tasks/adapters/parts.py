"""Train, validation and test: what users give, and what is split off for them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.dependence import neighbours_alike
from ravine.tasks.adapters.memmap import placed
from ravine.tasks.adapters.pytree import leaves
from ravine.tasks.adapters.rows import Rows
from ravine.tasks.adapters.splitting import FEW, SHARE, Splitting, splitting

CLASSES = 100  # more different labels than this are not classes to keep in proportion

# Rows of a part, from which on every seed draws its own. Of fewer, what is found depends more on
# the rows than on the rule: on 569 tumours, split anew, races in which all rules were equal called
# one faster or slower in 33 % of all cases, as rates that are tuned on two splits suit no third.
ENOUGH = 300


class Parts(NamedTuple):
    """What to train on, to tune on and to judge on."""

    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class Anew:
    """Which rows a seed trains on, tunes on and is judged on, int32 arrays of places.

    ``classes``: a label a row, to be kept in proportion, or None.
    """

    how: Splitting
    number: int
    classes: Any

    def __call__(self, seed: int) -> list[Any]:
        """Numbered as seed 0 puts the rows, training data first; see ``tables.Table``."""
        import numpy as np

        at = np.argsort(np.concatenate(self._parts(0)))
        return [at[part].astype(np.int32) for part in self._parts(seed)]

    def _parts(self, seed: int) -> list[Any]:
        return list(self.how.held_out(self.number, [SHARE, SHARE], self.classes, seed))


class Parted(NamedTuple):
    """The parts, what was done in words, and what a reader should be warned of."""

    parts: Parts
    said: str
    cautions: tuple[str, ...] = ()
    at_random: bool = False  # whether any row could have been a test row
    places: Anew | None = None


def parted(
    rows: Rows,
    validation: Rows | None,
    test: Rows | None,
    split: Any = None,
    groups: Any = None,
    validation_split: Any = None,
    fixed: bool = False,
) -> Parted:
    """Split off what was not given, a fifth of the rows each.

    Every race of the same rows has the same parts. Where targets are classes, a random split has
    each as frequent in every part. ``split``, ``groups`` and ``validation_split`` are as in
    ``ravine.race``. Where all is split off at random, every seed does it anew, unless the parts are
    small, are to be ``fixed``, or the rows are on disk.
    """
    lacking = [name for name, part in (("validation", validation), ("test", test)) if part is None]
    how = splitting(split, groups, rows.number, lacking, validation_split)
    said, anew = "", None
    cautions: tuple[str, ...] = ()
    if lacking:
        if rows.number < 10:
            raise InvalidArgument(
                f"{rows.number} rows are too few to split off {' and '.join(lacking)}: give more, "
                f"or {' and '.join(f'{name}_data' for name in lacking)}"
            )
        classes, rare = _classes(rows.y)
        cautions = _cautions(rows, how, classes)
        kept, *off = how.held_out(rows.number, [SHARE] * len(lacking), classes)
        on_disk = any(placed(array) is not array for _, array in rows.named())
        found = {name: rows.at(part) for name, part in zip(lacking, off, strict=True)}
        validation, test = found.get("validation", validation), found.get("test", test)
        rows, verb = rows.at(kept), "are" if len(lacking) > 1 else "is"
        said = f"; {' and '.join(lacking)} {verb} split off {how.said(classes)}"
        said += f", not in proportion: {rare}" if rare and how.plain else ""
        drawn = len(lacking) > 1 and how.plain and min(map(len, off)) >= ENOUGH
        if drawn and not fixed and not on_disk:
            anew = Anew(how, sum(p.number for p in (rows, validation, test) if p), classes)
            said += ", anew for each seed"
    assert validation is not None
    assert test is not None
    parts = Parts(rows, validation, test)
    counts = ", ".join(f"{p.number:,} {name}" for name, p in zip(parts._fields, parts, strict=True))
    at_random = "test" in lacking and how.plain
    return Parted(parts, f"rows: {counts}{said}", cautions, at_random, anew)


def _cautions(rows: Rows, how: Splitting, classes: Any) -> tuple[str, ...]:
    alike = neighbours_alike(rows.x, rows.y, classes) if how.plain else ""
    if not alike:
        return ()
    return (
        f"neighbouring rows are alike in {alike}, and rows were split off at random: if they are "
        "a series or come in groups, held-out rows are nearly those that were trained on; give "
        'split="last", or groups= with a label a row',
    )


def _classes(y: Any) -> tuple[Any, str]:
    """A label a row, if the targets are classes of which each part can have some; or why not."""
    import numpy as np

    targets = leaves(y)
    if len(targets) != 1:
        return None, ""
    labels = targets[0]
    if labels.ndim == 2 and labels.shape[1] > 1 and _one_hot(labels):
        labels = labels.argmax(1)
    labels = labels.reshape(len(labels), -1)
    whole = labels.dtype.kind in "iub" or bool((labels == np.floor(labels)).all())
    if labels.shape[1] != 1 or not whole:
        return None, ""
    found, counts = np.unique(labels, return_counts=True)
    if len(found) > min(CLASSES, len(labels) // 10) or len(found) < 2:
        return None, ""
    if counts.min() < FEW:
        few, least = found[counts.argmin()], counts.min()
        return None, f"class {few:g} has {least} {'row' if least == 1 else 'rows'}"
    return labels[:, 0], ""


def _one_hot(labels: Any) -> bool:
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all())


def class_weights(y: Any, weights: Any, given: Any, floats: str) -> Any:
    """``sample_weight``, times the weight of each row's class.

    ``given`` maps a class's label, or its place in a one-hot row, to a weight; the others weigh 1.
    """
    import numpy as np

    targets = leaves(y)
    if len(targets) != 1:
        raise InvalidArgument("class_weight needs one output: give sample weights instead")
    labels = targets[0]
    labels = labels.argmax(1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
    if len(labels) != len(targets[0]):
        raise InvalidArgument("class_weight needs one label a row: give sample weights instead")
    known = {int(label) for label in np.unique(labels)}
    if not hasattr(given, "items"):
        raise InvalidArgument(
            f"class_weight={given!r} is not allowed: give a dict such as {{0: 1.0}}"
        )
    for label in given:
        if label not in known:
            raise InvalidArgument(
                f"class_weight names class {label!r}, which no row has; classes: "
                f"{', '.join(map(str, sorted(known)[:20]))}"
            )
        if not 0 <= given[label] < float("inf"):
            raise InvalidArgument(f"class_weight of class {label!r} is {given[label]}: at least 0")
    each = np.ones(len(labels), floats)
    for label, weight in given.items():
        each[labels == label] = weight
    return each if weights is None else each * weights
