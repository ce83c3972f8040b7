"""Whether rows are the same at a second reading: a race reads them once."""

from collections.abc import Iterator
from typing import Any

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.padding import row_shapes, widened_to
from ravine.tasks.adapters.pytree import leaves, mapped
from ravine.tasks.adapters.rows import Reading, Rows, batches_of, read_rows

FEW = 32  # rows that are read again: an augmentation may leave most as they are
PROBED = 8  # numbers of a row by which it is looked up
WAY_OUT = (
    "a race reads rows once, and would train and judge on what was drawn then: put what draws into "
    "the model, where it draws anew at each step and rests in evaluation "
    "(keras.layers.RandomFlip and the like; in a PyTorch module under self.training), or into a "
    "function given as augment=, or give the rows as arrays to keep one reading"
)


def check_rereading(given: Any, reading: Reading, what: str, floats: str = "float32") -> None:
    """Raises ``InvalidArgument`` for data that draw what they give, such as an augmentation.

    Args:
        given: What the user gave; arrays are not read again.
        reading: What a first reading gave.
        what: How errors name it.
        floats: As in ``read_rows``.
    """
    said = f"of a row differs at a second reading: {WAY_OUT}"
    loader = "DataLoader" in _kinds(given)
    if loader and _by_index(given.dataset):
        first, second = (list(_some(given.dataset, what, floats)) for _ in range(2))
        differing = [_apart(one, other) for one, other in zip(first, second, strict=True)]
        if name := next(filter(None, differing), ""):
            raise InvalidArgument(f"{what}: {name} {said}")
    if loader and not _all_rows(given):
        return  # others than before may be its turn
    rows, fills = reading.rows, reading.fills
    shapes = row_shapes(list(rows))
    again = [list(row) for row in _some(given, what, floats)]
    # In another batch a row may be padded to another length.
    missing = [_missing(rows, Rows(*widened_to(row, shapes, fills))) for row in again]
    names = [name for name in missing if name]
    if len(names) > len(missing) * _left_out(given, rows):
        raise InvalidArgument(f"{what}: {names[0]} {said}")


def _kinds(given: Any) -> set[str]:
    return {kind.__name__ for kind in type(given).__mro__}


def _by_index(given: Any) -> bool:
    iterable = "IterableDataset" in _kinds(given)
    return hasattr(given, "__getitem__") and hasattr(given, "__len__") and not iterable


def _all_rows(loader: Any) -> bool:
    """Whether each pass of a loader gives the same rows, in whatever order."""
    if type(loader.batch_sampler).__name__ not in ("BatchSampler", "NoneType") or loader.drop_last:
        return False
    kind, sampler = type(loader.sampler).__name__, loader.sampler
    shuffled = kind == "RandomSampler" and not sampler.replacement
    return shuffled or kind in ("SequentialSampler", "_InfiniteConstantSampler")


def _left_out(given: Any, rows: Rows) -> float:
    """What share of rows a first reading may have left out, to the end of whole batches."""
    import numpy as np

    if not hasattr(given, "element_spec"):
        return 0.0
    # Of tf.data: one that drops what is left has batches of a known size.
    sizes = [int(size) for size in _batch_sizes(given.element_spec) if size is not None]
    return float(np.clip(4 * max(sizes, default=0) / rows.number, 0, 1))


def _batch_sizes(spec: Any) -> Iterator[int | None]:
    return (one.shape[0] for one in leaves(spec) if getattr(one, "shape", None))


def _some(given: Any, what: str, floats: str) -> Iterator[Rows]:
    """Some rows of a new reading, each by itself; none of arrays."""
    left = FEW
    for batch in batches_of(given, what) or ():
        rows = read_rows(tuple(batch), what, floats).rows
        for i in range(min(rows.number, left)):
            yield Rows(*(mapped(lambda array, i=i: array[i : i + 1], part) for part in rows))  # type: ignore[misc]  # at once
        left -= rows.number
        if left <= 0:
            return


def _missing(rows: Rows, row: Rows) -> str:
    """What of a row no row has: ``"x"``, say; empty if there is one that is the same."""
    import numpy as np

    at = np.arange(rows.number)
    for (name, array), (_, wanted) in zip(rows.named(), row.named(), strict=True):
        if array.shape[1:] != wanted.shape[1:]:
            return name
        places = np.unique(np.linspace(0, max(0, wanted.size - 1), PROBED).astype(int))
        probes = np.unravel_index(places, wanted.shape)
        probed = (slice(None), *probes[1:])
        if len(at) == rows.number:  # all rows: first by a few of their numbers
            same = _equal(array[probed], wanted[probed])
            at = np.flatnonzero(same.reshape(rows.number, -1).all(-1))
        at = np.array([i for i in at if _equal(array[i], wanted[0]).all()], int)
        if not len(at):
            return name
    return ""


def _apart(one: Rows, other: Rows) -> str:
    pairs = zip(one.named(), other.named(), strict=True)
    return next(
        (name for (name, a), (_, b) in pairs if a.shape != b.shape or not _equal(a, b).all()), ""
    )


def _equal(one: Any, other: Any) -> Any:
    import numpy as np

    return (one == other) | (np.not_equal(one, one) & np.not_equal(other, other))
