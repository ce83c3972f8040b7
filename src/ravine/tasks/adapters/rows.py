"""Whatever users keep data in becomes rows of NumPy arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from ravine.errors import InvalidArgument
from ravine.tasks.adapters import memmap
from ravine.tasks.adapters.lengths import check_listed, packed, unbatched, unequal, unreadable
from ravine.tasks.adapters.padding import joined
from ravine.tasks.adapters.pytree import filled, leaves, mapped, named_leaves

KNOWN = (
    "give (x, y) or (x, y, sample_weight), a tf.data.Dataset, a PyTorch DataLoader or "
    "a keras.utils.PyDataset"
)


class Rows(NamedTuple):
    """Inputs, targets and weights: arrays or nests of arrays with as many rows each."""

    x: Any
    y: Any
    weights: Any = None

    @property
    def number(self) -> int:
        """How many rows there are."""
        return len(leaves(self.x)[0])

    def at(self, rows: Any) -> "Rows":
        """Those rows alone."""
        return Rows(*(mapped(lambda array: memmap.picked(array, rows), part) for part in self))

    def named(self) -> Iterator[tuple[str, Any]]:
        """Every array with what it is called."""
        for part, name in zip(self, ("x", "y", "sample_weight"), strict=True):
            yield from named_leaves(part, name)


class Reading(NamedTuple):
    """All rows; what each array of them was padded with, if batches were padded further.

    ``narrow`` holds some batches as they were given.
    """

    rows: Rows
    fills: Sequence[Any] = ()
    narrow: Sequence[Rows] = ()


def read_rows(given: Any, what: str = "data", floats: str = "float32") -> Reading:
    """Everything in it, as float32, integers or booleans; ``what`` names it in errors.

    With ``floats`` of 64 bits, numbers that have as many keep them.
    """
    batches, total = batches_of(given, what), _size(given)
    if batches is None and total is not None and total > memmap.LIMIT:
        batches = _cut(given)
    if batches is None:
        return Reading(_rows_of(given, what, floats))
    found = _joined(given, batches, what, total, floats)
    if isinstance(found, Rows):
        return Reading(found)
    nest, fills, narrow = found
    return Reading(
        *(_rows_of(nest, what, floats), fills, [_rows_of(one, what, floats) for one in narrow])
    )


def _rows_of(given: Any, what: str, floats: str) -> Rows:
    if not isinstance(given, tuple | list):
        raise InvalidArgument(f"{what} is a {_kind(given)}: {KNOWN}")
    if len(given) not in (2, 3):
        raise InvalidArgument(f"{what} has {len(given)} parts: {KNOWN}")
    parts = []
    for part, name in zip(given, ("x", "y", "sample_weight"), strict=False):
        nest = _nest(part, f"{what}: {name}")
        arrays = [_numbers(leaf, f"{what}: {at}", floats) for at, leaf in named_leaves(nest, name)]
        parts.append(filled(nest, arrays))
    rows = Rows(*parts)
    if not leaves(rows.x) or not leaves(rows.y):
        lacking = "targets" if leaves(rows.x) else "inputs"
        raise InvalidArgument(f"{what} has no {lacking}: {KNOWN}")
    check_listed(rows, what)
    return rows


def _nest(part: Any, name: str) -> Any:
    """A list of plain numbers is an array, a list of arrays a nest, as in Keras."""
    if type(part).__name__ == "PackedSequence":
        raise packed(name)
    if isinstance(part, list | tuple) and not any(hasattr(one, "shape") for one in part):
        import numpy as np

        if not any(isinstance(one, Mapping) for one in part):
            try:
                return np.asarray(part)
            except ValueError as error:
                raise unequal(name, part) from error
    return part


def batches_of(given: Any, what: str) -> Iterable[Any] | None:
    """An iterable of batches, if that is what was given."""
    kinds = {kind.__name__ for kind in type(given).__mro__}
    if hasattr(given, "element_spec"):  # tf.data.Dataset
        if int(given.cardinality()) == -1:
            raise InvalidArgument(
                f"{what} repeats for ever: leave out .repeat(), epochs says how often"
            )
        return given  # type: ignore[no-any-return]
    if "PyDataset" in kinds:
        if (count := given.num_batches) is None:
            raise InvalidArgument(f"{what} is a PyDataset without an end: give it num_batches")
        return (given[i] for i in range(count))
    if "DataLoader" in kinds:
        return given  # type: ignore[no-any-return]
    if "Dataset" in kinds and hasattr(given, "__len__"):  # of PyTorch: row by row
        return ([mapped(_row, part) for part in given[i]] for i in range(len(given)))
    if hasattr(given, "__next__") or callable(given):
        raise InvalidArgument(f"{what} is a {_kind(given)}, which has no known end: {KNOWN}")
    return None


def in_order(given: Any) -> bool:
    """Whether it has a last row: not what gives batches, which may be shuffled."""
    kinds = {kind.__name__ for kind in type(given).__mro__}
    return not (hasattr(given, "element_spec") or kinds & {"PyDataset", "DataLoader"})


def _row(value: Any) -> Any:
    """A batch of one row."""
    return _array(value)[None]


def _joined(
    given: Any, batches: Iterable[Any], what: str, total: int | None, floats: str
) -> Rows | tuple[Any, Sequence[Any], Sequence[Any]]:
    """All batches, one after another, what was padded, and some batches that were.

    As ``Rows`` on disk where they are too many for memory.
    """
    parts: list[list[Any]] = []
    like: Any = None
    size, each = 0, iter(_told(batches, what))
    for batch in each:
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise InvalidArgument(f"{what} gives a {_kind(batch)} a batch, not (x, y): {KNOWN}")
        arrays = [_array(leaf) for leaf in leaves(batch)]
        if any(array.ndim == 0 for array in arrays):
            raise InvalidArgument(f"{what} is not batched: {unbatched(given)}")
        like = batch if like is None else like
        parts.append(arrays)
        size += sum(array.nbytes for array in arrays)
        if size > memmap.LIMIT:
            read = (filled(like, part) for part in parts)
            return _spooled(read, each, what, total, floats)
    if not parts:
        raise InvalidArgument(f"{what} is empty")
    columns, fills, narrowest = joined(parts, given, what)
    narrow = [tuple(filled(like, parts[i])) for i in narrowest]
    return tuple(filled(like, columns)), fills if narrowest else (), narrow


def _told(batches: Iterable[Any], what: str) -> Iterator[Any]:
    """The same batches. Raises ``InvalidArgument`` if what is the user's fails to give them."""
    try:
        yield from batches
    except InvalidArgument:
        raise
    except Exception as error:
        raise unreadable(error, what) from error


def _spooled(
    read: Iterable[Any], unread: Iterable[Any], what: str, total: int | None, floats: str
) -> Rows:
    columns, like = memmap.Columns(what, total), Rows(None, None)
    try:
        for batch in memmap.watched(chain(read, unread), lambda batch: _size(batch) or 0, total):
            like = _rows_of(tuple(batch), what, floats)
            columns.add(leaves(list(like)))
    except BaseException:
        columns.discard()
        raise
    return Rows(*filled(list(like), columns.mapped()))


def _size(given: Any) -> int | None:
    """Bytes of arrays, or of all batches where their number is known; None if nobody knows."""
    if isinstance(given, tuple | list):
        return sum(map(_nbytes, leaves(given)))
    with suppress(Exception):  # each library has its own way of not knowing
        return len(given) * (_size(tuple(next(iter(given)))) or 0) or None
    return None


def _nbytes(leaf: Any) -> int:
    with suppress(Exception):  # a sparse tensor of PyTorch does not know
        return int(leaf.nbytes)
    return 0


def _cut(given: Any) -> Iterator[Any]:
    """Arrays as batches."""
    rows = max(map(len, leaves(given)))
    step = max(1, memmap.CHUNK * rows // max(1, _size(given) or 0))
    for begin in range(0, rows, step):
        part = slice(begin, begin + step)
        yield tuple(mapped(itemgetter(part), one) for one in given)


def _array(value: Any) -> Any:
    """Whatever array it is, as one of NumPy."""
    import numpy as np

    if getattr(value, "is_nested", False) or hasattr(value, "nested_row_splits"):
        raise unequal("", value)
    if hasattr(value, "dense_shape"):  # a SparseTensor of TensorFlow
        import tensorflow as tf  # type: ignore[import-untyped]

        value = tf.sparse.to_dense(tf.sparse.reorder(value))
    if hasattr(value, "detach"):  # PyTorch
        value = value.detach().cpu()
        value = value if str(value.layout) == "torch.strided" else value.to_dense()
    if hasattr(value, "toarray"):  # SciPy, sparse
        value = value.toarray()
    return np.asarray(value)


def _numbers(value: Any, name: str, floats: str) -> Any:
    """Float32 (or 64), 32-bit or smaller integers, or booleans. Raises ``InvalidArgument`` for
    others.
    """
    import numpy as np

    if hasattr(value, "select_dtypes"):  # pandas
        words = value.select_dtypes(exclude=["number", "bool"]).columns
        if len(words):
            raise InvalidArgument(
                f"{name}: column '{words[0]}' holds {value[words[0]].dtype}, not numbers; encode "
                "it, or leave it out"
            )
    array = _array(value)
    if array.dtype.kind in "OUSMmc" or array.ndim == 0:
        if array.dtype.kind == "O":
            with suppress(ValueError, TypeError):
                numbers = array.astype(np.float64)
                if not np.isnan(numbers).all():
                    return _numbers(numbers, name, floats)
            if array.ndim == 1 and len({np.shape(one)[:1] for one in array}) > 1:
                raise unequal(name, array)
        wanted = "an array of numbers, a row a sample"
        words = array.dtype.kind in "US"
        held = "text" if words else f"{array.dtype}" if array.ndim else "a single value"
        first = array.reshape(-1)[:1].tolist()
        example = f" such as {first[0]!r}" if first and array.ndim else ""
        if words and name.endswith("y"):
            wanted += ", of classes np.unique(y, return_inverse=True)[1]"
        raise InvalidArgument(f"{name} holds {held}{example}: give {wanted}")
    if array.dtype.kind in "fV" or array.dtype.name == "bfloat16":
        wide = floats == array.dtype.name == "float64"
        return array if wide else array.astype(np.float32, copy=False)
    if array.dtype.kind in "iu" and array.dtype.itemsize > 4:
        whole = array.astype(np.int32)
        if not (whole == array).all():
            raise InvalidArgument(f"{name} holds {int(abs(array).max())}, which is not an int32")
        return whole
    return array


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
