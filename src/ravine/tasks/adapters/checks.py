"""What cannot be trained is named before anything is: rows, shapes, losses, layers."""

from typing import Any

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.failures import LIBRARIES
from ravine.tasks.adapters.memmap import in_chunks
from ravine.tasks.adapters.pytree import leaves
from ravine.tasks.adapters.rows import Rows


def rows(given: Rows, what: str, holes: bool = False) -> None:
    """As many rows everywhere, some at all, all numbers finite, no weight negative.

    ``holes``: targets may be NaN, as the loss is the user's own and may leave them out.
    """
    import numpy as np

    counts = {name: len(array) for name, array in given.named()}
    first = next(iter(counts))
    for name, count in counts.items():
        if count != counts[first]:
            raise InvalidArgument(
                f"{what}: {first} has {counts[first]} rows and {name} {count}: give as many of each"
            )
    if counts[first] == 0:
        raise InvalidArgument(f"{what} is empty: give at least one row")
    for name, array in given.named():
        if name.startswith("sample_weight") and (array < 0).any():
            row = int(np.argwhere(array < 0)[0][0])
            raise InvalidArgument(
                f"{what}: {name} is negative in row {row}: weights are at least 0"
            )
        if array.dtype.kind != "f":
            continue
        missing = holes and name.startswith("y")
        parts = [_not_finite(part, begin, missing) for begin, part in in_chunks(array)]
        at = np.concatenate(parts)
        if len(at):
            where = f"row {at[0][0]}" + (f", at {at[0][1:].tolist()}" if array.ndim > 1 else "")
            more = "" if len(at) == 1 else f" (and {len(at) - 1} more)"
            raise InvalidArgument(
                f"{what}: {name} holds {array[tuple(at[0])]} in {where}{more}: fill such values "
                "in, or leave those rows out"
            )


def masks_nan(loss: Any) -> bool:
    """Whether a loss is the user's own code, which may leave out targets that are NaN."""
    kind = loss if hasattr(loss, "__name__") else type(loss)
    module = str(getattr(kind, "__module__", "")).split(".")[0]
    return callable(loss) and module not in LIBRARIES


def _not_finite(part: Any, begin: int, missing: bool = False) -> Any:
    """The places of what is not finite, of rows from ``begin`` on; NaN may be ``missing``."""
    import numpy as np

    places = np.argwhere(np.isinf(part) if missing else ~np.isfinite(part))
    places[:, 0] += begin
    return places


def alike(given: Rows, data: Rows, what: str) -> None:
    """Rows of the same shape as the training data."""
    shapes = [{n: a.shape[1:] for n, a in one.named() if n[0] != "s"} for one in (given, data)]
    for name in shapes[1]:
        if shapes[0].get(name) != shapes[1][name]:
            raise InvalidArgument(
                f"{what}: rows of {name} have shape {shapes[0].get(name)}, those of the data "
                f"{shapes[1][name]}: they must be equal"
            )


def shapes(model: Any, x: Any) -> None:
    """What the model says it takes is what the data have, where the model says it."""
    wanted = getattr(model, "inputs", None)
    if not wanted:
        return
    given = leaves(x)
    if isinstance(x, dict) and {t.name for t in wanted} == set(x):
        given = [x[tensor.name] for tensor in wanted]
    if len(given) != len(wanted):
        raise InvalidArgument(
            f"the model has {len(wanted)} inputs ({', '.join(t.name for t in wanted)}), the data "
            f"{len(given)}: give a list in that order, or a dict of those names"
        )
    for tensor, array in zip(wanted, given, strict=True):
        expected, found = tuple(tensor.shape[1:]), tuple(array.shape[1:])
        same = len(expected) == len(found) or (found == () and expected == (1,))
        same = same and all(e is None or e == f for e, f in zip(expected, found, strict=False))
        if not same:
            raise InvalidArgument(
                f"the model's input '{tensor.name}' takes rows of shape {expected}, the data have "
                f"{found}: reshape the data, or change the model's Input"
            )
