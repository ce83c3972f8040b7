"""What users give as data, as the three splits of a task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any, NamedTuple

from ravine.errors import InvalidArgument
from ravine.tasks.adapters import checks
from ravine.tasks.adapters.memmap import Place, gigabytes, placed
from ravine.tasks.adapters.padding import common, row_shapes, widened_to
from ravine.tasks.adapters.parts import class_weights, parted
from ravine.tasks.adapters.pytree import leaves, mapped
from ravine.tasks.adapters.rereading import check_rereading
from ravine.tasks.adapters.rows import Reading, Rows, in_order, read_rows
from ravine.tasks.task import Data, Split

SAMPLE = 4  # rows with which a model is tried before anything is trained


@dataclass(frozen=True)
class Held:
    """Data in memory, to be handed over as it is.

    ``places``: which rows a seed has in each split, where every seed splits them anew; they are
    numbered as ``data`` has them, the training data first and the test data last.
    """

    data: Data
    places: Callable[[int], Sequence[Any]] | None = None

    def __call__(self) -> Data:
        """The data."""
        return self.data

    def __reduce__(self) -> Any:
        """Arrays on disk travel as where they are."""
        data = Data(*(Split(*(mapped(placed, part) for part in s)) for s in self.data))
        return _held, (data, self.places)


def _held(places: Data, anew: Any) -> Held:
    def there(part: Any) -> Any:
        return part.opened() if isinstance(part, Place) else part

    # A place is a tuple, as nests are.
    def each(part: Any) -> Any:
        return [there(one) for one in part] if isinstance(part, list) else there(part)

    return Held(Data(*(Split(*map(each, split)) for split in places)), anew)


class Prepared(NamedTuple):
    """Three splits; rows that show how the arrays are nested; and words."""

    splits: Data
    like: Rows
    said: str
    cautions: tuple[str, ...]
    at_random: bool  # whether test rows were split off so
    places: Callable[[int], Sequence[Any]] | None  # see ``Held``
    narrow: tuple[tuple[Split, Split], ...] = ()  # see ``OwnTask``


def splits_of(
    data: Any,
    validation_data: Any,
    test_data: Any,
    *,
    class_weight: Any = None,
    split: Any = None,
    groups: Any = None,
    validation_split: Any = None,
    holes: bool = False,
    floats: str = "float32",
) -> Prepared:
    """What users give as three splits. ``holes``: see ``checks.rows``; ``floats``: see
    ``read_rows``.

    Raises ``InvalidArgument`` for data that cannot be trained on, naming the place.
    """
    if data is None:
        raise InvalidArgument("no data for your model: ravine.race(model, (x, y), loss=…)")
    if validation_split is not None and not in_order(data):
        raise InvalidArgument(
            "validation_split takes the last rows of arrays, as in Keras, and data is a "
            f"{type(data).__name__}, whose order may be another at each reading: give "
            "validation_data"
        )
    given = {"data": data, "validation_data": validation_data, "test_data": test_data}
    read = {what: read_rows(part, what, floats) for what, part in given.items() if part is not None}
    for what, one in read.items():
        check_rereading(given[what], one, what, floats)
    rows, narrow, padded = _padded(read)
    for what, part in rows.items():
        checks.rows(part, what, holes)
        checks.alike(part, rows["data"], what)
    held_out = rows.get("validation_data"), rows.get("test_data")
    parts, said, cautions, at_random, places = parted(
        rows["data"], *held_out, split, groups, validation_split, fixed=class_weight is not None
    )
    if on_disk := sum(
        array.nbytes for p in parts for _, array in p.named() if placed(array) is not array
    ):
        said += f"; {gigabytes(on_disk)} of them on disk"
    said += padded
    if class_weight is not None:
        weights = class_weights(parts.train.y, parts.train.weights, class_weight, floats)
        parts = parts._replace(train=parts.train._replace(weights=weights))
    if any(part.weights is not None for part in parts):
        parts = parts._replace(
            **{
                name: part if part.weights is not None else part._replace(weights=_ones(part))
                for name, part in parts._asdict().items()
            }
        )
    weighed = parts.train.weights is not None
    pairs = tuple((_split(_weighed(a, weighed)), _split(_weighed(b, weighed))) for a, b in narrow)
    return Prepared(
        Data(*(_split(part) for part in parts)),
        parts.train,
        said,
        cautions,
        at_random,
        places,
        pairs,
    )


def _padded(
    read: Mapping[str, Reading],
) -> tuple[dict[str, Rows], list[tuple[Rows, Rows]], str]:
    """Rows of all splits; some batches as they were and padded; and words.

    What was padded in one split is as wide in all.
    """
    rows = {what: one.rows for what, one in read.items()}
    shapes = {what: row_shapes(list(one)) for what, one in rows.items()}
    told = [one.fills for one in read.values() if one.fills]
    if not told or len({len(one) for one in shapes.values()}) > 1:
        return rows, [], ""
    fills = [next((f for f in same if f is not None), None) for same in zip(*told, strict=True)]
    widest = common([*shapes.values()])

    def widened(one: Rows) -> Rows:
        own = row_shapes(list(one))
        both = zip(fills, widest, own, strict=True)
        wanted = [shape if fill is not None else as_is for fill, shape, as_is in both]
        return Rows(*widened_to(list(one), wanted, fills))

    few = range(SAMPLE)
    narrow = [*chain.from_iterable(one.narrow for one in read.values())]
    narrow += [rows[k].at(list(few[: rows[k].number])) for k in rows if shapes[k] != widest]
    named = zip([name for name, _ in rows["data"].named()], widest, fills, strict=True)
    words = [f"{name} to {shape} with {f}" for name, shape, f in named if f is not None]
    narrow = sorted(narrow, key=lambda one: sum(map(prod, row_shapes(list(one)))))
    pairs = [(one, widened(one)) for one in narrow]
    return {k: widened(one) for k, one in rows.items()}, pairs, f"; padded: {', '.join(words)}"


def _weighed(rows: Rows, weighed: bool) -> Rows:
    return rows._replace(weights=_ones(rows)) if weighed and rows.weights is None else rows


def sample_of(splits: Data) -> Split:
    """A few rows of the training data."""
    import numpy as np

    return Split(*(mapped(lambda a: np.array(a[:SAMPLE]), part) for part in splits.train))


def _split(rows: Rows) -> Split:
    x, y = leaves(rows.x), leaves([rows.y, rows.weights])
    return Split(*(part[0] if len(part) == 1 else part for part in (x, y)))


def _ones(rows: Rows) -> Any:
    import numpy as np

    return np.ones(rows.number, np.float32)
