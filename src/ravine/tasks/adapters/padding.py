"""Batches that are each padded to their own longest row: padded on, to the longest row of all.

That changes nothing where a model masks what is padded; whether it does is asked of the framework,
with some batches as they were (see ``training.evaluation_check``).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.pytree import leaves, mapped

KEPT = 2  # batches that are kept as they were, the narrowest


class Joined(NamedTuple):
    """Columns of all rows, what each was padded with, and the places of the narrowest batches."""

    columns: list[Any]
    fills: list[Any]
    narrowest: list[int]


def joined(parts: Sequence[Sequence[Any]], given: Any, what: str) -> Joined:
    """The arrays of batches, one after another.

    Args:
        parts: Of each batch its arrays.
        given: What the batches are of, which may say what it pads with.
        what: How errors name it.

    Raises:
        InvalidArgument: If rows differ in length, and it is no batches that differ.
    """
    import numpy as np

    columns: list[Any] = []
    fills: list[Any] = []
    recorded = _recorded(given, len(parts[0]))
    narrow: set[int] = set()
    seen = _Seen(0, [])  # of the first column that is padded
    for i, arrays in enumerate(zip(*parts, strict=True)):
        shape = _widest([array.shape[1:] for array in arrays])
        narrower = set() if shape is None else _narrower(arrays, shape)
        if shape is None or (narrower and by_row(given)):
            shapes = sorted({array.shape[1:] for array in arrays})
            raise InvalidArgument(
                f"{what} has rows of shapes {shapes[0]} and {shapes[-1]}: give a DataLoader whose "
                "collate_fn pads them, such as by torch.nn.utils.rnn.pad_sequence"
            )
        narrow |= narrower
        fill = None
        if narrower and recorded is not None:
            fill = recorded[i]
        elif narrower:
            held = [a for a in _at(arrays, seen.places) if len(a)]
            one = _seen(arrays) if not held else seen._replace(fill=_mode(np.concatenate(held)))
            seen, fill = seen if seen.places else one, one.fill
        columns.append(np.concatenate([widened(array, shape, fill) for array in arrays]))
        fills.append(fill)
    return Joined(
        columns, fills, sorted(narrow, key=lambda i: sum(a.size for a in parts[i]))[:KEPT]
    )


def widened(array: Any, shape: Sequence[int], fill: Any) -> Any:
    """Rows of another shape, filled up at the end."""
    import numpy as np

    if array.shape[1:] == tuple(shape) or array.ndim != len(shape) + 1:
        return array
    if any(has > wanted for has, wanted in zip(array.shape[1:], shape, strict=True)):
        return array
    found = np.full((len(array), *shape), fill or 0, array.dtype)
    found[tuple(slice(size) for size in array.shape)] = array
    return found


def widened_to(nest: Any, shapes: Sequence[Sequence[int]], fills: Sequence[Any]) -> Any:
    """The arrays of a nest, with rows of these shapes where they are no wider."""
    each = zip(shapes, fills or [0] * len(shapes), strict=True)
    return mapped(lambda array: widened(array, *next(each)), nest)


def row_shapes(nest: Any) -> list[tuple[int, ...]]:
    """Those of each array of a nest."""
    return [array.shape[1:] for array in leaves(nest)]


def common(shapes: Sequence[Sequence[tuple[int, ...]]]) -> list[tuple[int, ...]]:
    """Of the shapes that several nests have, those that hold all; the first's if none can."""
    if len({len(one) for one in shapes}) > 1:
        return list(shapes[0])
    return [_widest(same) or same[0] for same in zip(*shapes, strict=True)]


def by_row(given: Any) -> bool:
    """Whether it gives rows, not batches: a map-style ``Dataset`` of PyTorch."""
    kinds = {kind.__name__ for kind in type(given).__mro__}
    return "Dataset" in kinds and not hasattr(given, "element_spec") and "PyDataset" not in kinds


def _widest(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
    if len({len(shape) for shape in shapes}) > 1:
        return None
    return tuple(max(sizes) for sizes in zip(*shapes, strict=True))


def _narrower(arrays: Sequence[Any], shape: tuple[int, ...]) -> set[int]:
    return {i for i, array in enumerate(arrays) if array.shape[1:] != shape}


def _recorded(given: Any, count: int) -> list[Any] | None:
    """What a ``tf.data.Dataset`` pads each of so many arrays with, if it does and says so."""
    for step in _steps(given):
        if (values := getattr(step, "_padding_values", None)) is not None:
            import tensorflow as tf  # type: ignore[import-untyped]

            found = [value.numpy() for value in tf.nest.flatten(values)]
            return found if len(found) == count else None
    return None


def _steps(given: Any) -> Iterator[Any]:
    """A ``tf.data.Dataset``, and those that it is made from."""
    while given is not None and hasattr(given, "element_spec"):
        yield given
        given = getattr(given, "_input_dataset", None)


class _Seen(NamedTuple):
    """What a column seems to be padded with, and where: of each batch, (rows, length)."""

    fill: Any
    places: list[Any]


def _seen(arrays: Sequence[Any]) -> _Seen:
    """The value whose runs at one end of rows are longest, of batches with a row without any."""
    import numpy as np

    found, most = _Seen(0, []), 0
    for side in (-1, 0):
        values = np.concatenate([a[:, side].reshape(-1) for a in arrays if a.shape[1]])
        for value in (0, _mode(values)):
            places = [_runs(array, value, side) for array in arrays]
            length = sum(int(one.sum()) for one in places if not one.any(1).all())
            if length > most:
                found, most = _Seen(value, places), length
    return found


def _runs(array: Any, value: Any, side: int) -> Any:
    """Where rows hold a value and nothing else up to one end."""
    import numpy as np

    same = (array == value).reshape(*array.shape[:2], -1).all(-1)
    way = slice(None, None, -1 if side else 1)
    return np.logical_and.accumulate(same[:, way], 1)[:, way]


def _at(arrays: Sequence[Any], places: Sequence[Any]) -> list[Any]:
    """What another column has where the first is padded."""
    pairs = zip(arrays, places, strict=False)
    return [a[where].reshape(-1) for a, where in pairs if a.shape[:2] == where.shape]


def _mode(values: Any) -> Any:
    import numpy as np

    found, counts = np.unique(values, return_counts=True)
    return found[counts.argmax()]
