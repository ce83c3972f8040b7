"""Which rows are held out: a pure function of the rows, how they are to be split, and a seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ravine.errors import InvalidArgument, unknown

WAYS = ("random", "last")
VALIDATION_SPLIT = "validation_split"
SHARE = 0.2  # of all rows, for each part that is split off
FEW = 5  # rows of a class, from which on it is kept in proportion


@dataclass(frozen=True)
class Splitting:
    """How rows are split off.

    Attributes:
        way: ``"random"``, or ``"last"``: the last rows, or groups, in their order.
        groups: A label a row; rows of one label are never on both sides.
        validation_split: The share of the last rows that validates, as in Keras's ``fit``; what
            else is held out are the rows before them.
    """

    way: str = "random"
    groups: Any = None
    validation_split: float | None = None

    @property
    def plain(self) -> bool:
        """Whether any row may be held out."""
        return self.way == "random" and self.groups is None

    def held_out(self, number: int, shares: Sequence[float], classes: Any, seed: int = 0) -> Any:
        """The rows to train on, then those of each share that is split off, each sorted.

        Args:
            number: How many rows there are.
            shares: Of all rows, for each part that is split off.
            classes: A class a row, to be kept in proportion, or None.
            seed: Of a random split.
        """
        if self.validation_split is not None:
            return _as_keras(number, self.validation_split, shares)
        if self.groups is not None:
            return _by_group(self.groups, shares, self.way == "last", seed)
        if self.way == "last":
            return _last(number, shares)
        return _random(number, shares, classes, seed)

    def said(self, classes: Any) -> str:
        """The way in words."""
        if self.validation_split is not None:
            return f"in their order, the last rows to validate ({VALIDATION_SPLIT})"
        if self.groups is not None:
            order = "the last groups" if self.way == "last" else "at random"
            return f"by group, {order}"
        if self.way == "last":
            return "the last rows, in their order"
        return "at random" + ("" if classes is None else ", each class in its share")


def splitting(
    split: Any, groups: Any, number: int, lacking: Sequence[str], validation_split: Any = None
) -> Splitting:
    """How ``split=``, ``groups=`` and ``validation_split=`` say it. Raises ``InvalidArgument``."""
    import numpy as np

    if validation_split is not None:
        _check_share(validation_split, number, lacking, {"split": split, "groups": groups})
        return Splitting("last", None, float(validation_split))
    if split is not None and split not in WAYS:
        raise unknown("split", str(split), WAYS)
    for name, value in {"split": split, "groups": groups}.items():
        if value is not None and not lacking:
            raise InvalidArgument(
                f"{name}= says how validation and test data are split off, and both are given: "
                f"leave {name}= out"
            )
    if groups is None:
        return Splitting(split or "random")
    labels = np.asarray(groups)
    if labels.ndim != 1 or len(labels) != number:
        raise InvalidArgument(
            f"groups has shape {labels.shape}, the data {number} rows: give one label a row, an "
            f"array of shape ({number},)"
        )
    found = len(np.unique(labels))
    if found < len(lacking) + 1:
        raise InvalidArgument(
            f"groups has {found} different {'label' if found == 1 else 'labels'}: at least "
            f"{len(lacking) + 1} are needed for training, {' and '.join(lacking)}, as rows of one "
            "group stay together"
        )
    return Splitting(split or "random", labels)


def _check_share(share: Any, number: int, lacking: Sequence[str], others: dict[str, Any]) -> None:
    """Raises ``InvalidArgument`` for a ``validation_split`` that cannot be, or not with
    the others.
    """
    for name, value in others.items():
        if value is not None:
            raise InvalidArgument(
                f"{VALIDATION_SPLIT}= takes the last rows, as in Keras, and {name}= says otherwise "
                "how rows are split off: leave one of them out"
            )
    if "validation" not in lacking:
        raise InvalidArgument(
            f"{VALIDATION_SPLIT}= splits validation data off, and validation_data= gives them: "
            "leave one of them out"
        )
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise InvalidArgument(
            f"{VALIDATION_SPLIT}={share!r} is not allowed: give a share of the rows between 0 and "
            "1, such as 0.2"
        )
    kept = math.floor(number * (1 - share))
    test = round(number * SHARE) if len(lacking) > 1 else 0
    if kept == number or kept <= test:
        raise InvalidArgument(
            f"{VALIDATION_SPLIT}={share:g} of {number} rows leaves {max(0, kept - test)} to train "
            f"on, {number - kept} to validate and {test} to test: give another share, or test_data"
        )


def _as_keras(number: int, share: float, shares: Sequence[float]) -> list[Any]:
    """Training rows; then those of the parts, of which validation is the first."""
    import numpy as np

    held = math.floor(number * (1 - share))  # as Keras rounds
    begin = held - (round(number * shares[1]) if len(shares) > 1 else 0)
    train, test, validation = np.split(np.arange(number), [begin, held])
    return [train, validation, test][: 1 + len(shares)]


def _random(number: int, shares: Sequence[float], classes: Any, seed: int) -> list[Any]:
    import numpy as np
    from sklearn.model_selection import train_test_split

    def cut(rows: Any, share: float) -> Any:
        labels = None if classes is None else classes[rows]
        if labels is not None:
            counts = np.unique(labels, return_counts=True)[1]
            if counts.min() < FEW or len(counts) > len(rows) // 10:
                labels = None  # too few are left to have some in each part
        one, other = train_test_split(rows, test_size=share, stratify=labels, random_state=seed)
        return np.sort(one), np.sort(other)

    rest, off = cut(np.arange(number), sum(shares))
    if len(shares) == 1:
        return [rest, off]
    return [rest, *cut(off, shares[1] / sum(shares))]


def _last(number: int, shares: Sequence[float]) -> list[Any]:
    import numpy as np

    ends = [round(number * (1 - sum(shares[i:]))) for i in range(len(shares))]
    return list(np.split(np.arange(number), ends))


def _by_group(labels: Any, shares: Sequence[float], last: bool, seed: int) -> list[Any]:
    """Whole groups, from the end of their order, until each part has about its share of rows."""
    import numpy as np

    _, first, group = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(first)  # in which groups appear
    if not last:
        order = np.random.default_rng(seed).permutation(order)
    counts, number = np.bincount(group), len(labels)
    left, parts = list(order), []
    for i, share in reversed(list(enumerate(shares))):
        taken: list[int] = []
        while len(left) > i + 1 and (not taken or _closer(counts, taken, left[-1], share * number)):
            taken.append(left.pop())
        parts.append(taken)
    return [np.flatnonzero(np.isin(group, part)) for part in (left, *reversed(parts))]


def _closer(counts: Any, taken: Sequence[int], more: int, wanted: float) -> bool:
    """Whether a part has about as many rows as wanted only with another group."""
    has = sum(counts[taken])
    return bool(abs(has + counts[more] - wanted) <= abs(has - wanted))
