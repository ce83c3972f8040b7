"""What cannot be trained is named before anything is: rows, shapes, losses, layers."""

import re
from types import FrameType, ModuleType
from typing import Any

from ravine.errors import WrongCall
from ravine.tasks.own.nested import leaves
from ravine.tasks.own.rows import Rows
from ravine.tasks.own.spool import in_chunks


def rows(given: Rows, what: str) -> None:
    """As many rows everywhere, some at all, all numbers finite."""
    import numpy as np

    counts = {name: len(array) for name, array in given.named()}
    first = next(iter(counts))
    for name, count in counts.items():
        if count != counts[first]:
            raise WrongCall(
                f"{what}: {first} has {counts[first]} rows and {name} {count}: give as many of each"
            )
    if counts[first] == 0:
        raise WrongCall(f"{what} is empty: give at least one row")
    for name, array in given.named():
        if array.dtype.kind != "f":
            continue
        at = np.concatenate([_not_finite(part, begin) for begin, part in in_chunks(array)])
        if len(at):
            where = f"row {at[0][0]}" + (f", at {at[0][1:].tolist()}" if array.ndim > 1 else "")
            more = "" if len(at) == 1 else f" (and {len(at) - 1} more)"
            raise WrongCall(
                f"{what}: {name} holds {array[tuple(at[0])]} in {where}{more}: fill such values "
                "in, or leave those rows out"
            )
        if name.startswith("sample_weight") and (array < 0).any():
            row = int(np.argwhere(array < 0)[0][0])
            raise WrongCall(f"{what}: {name} is negative in row {row}: weights are at least 0")


def _not_finite(part: Any, begin: int) -> Any:
    """The places of what is not finite, of rows from ``begin`` on."""
    import numpy as np

    places = np.argwhere(~np.isfinite(part))
    places[:, 0] += begin
    return places


def alike(given: Rows, data: Rows, what: str) -> None:
    """Rows of the same shape as the training data."""
    shapes = [{n: a.shape[1:] for n, a in one.named() if n[0] != "s"} for one in (given, data)]
    for name in shapes[1]:
        if shapes[0].get(name) != shapes[1][name]:
            raise WrongCall(
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
        raise WrongCall(
            f"the model has {len(wanted)} inputs ({', '.join(t.name for t in wanted)}), the data "
            f"{len(given)}: give a list in that order, or a dict of those names"
        )
    for tensor, array in zip(wanted, given, strict=True):
        expected, found = tuple(tensor.shape[1:]), tuple(array.shape[1:])
        same = len(expected) == len(found) or (found == () and expected == (1,))
        same = same and all(e is None or e == f for e, f in zip(expected, found, strict=False))
        if not same:
            raise WrongCall(
                f"the model's input '{tensor.name}' takes rows of shape {expected}, the data have "
                f"{found}: reshape the data, or change the model's Input"
            )


def stuck(error: Exception, doing: str) -> WrongCall:
    """What to say when the user's own code fails on JAX: where, and why."""
    frame = _failing_frame(error)
    layer, where, modules = None, "", set()
    if frame is not None:
        layer = frame.f_locals["self"]
        where = f"layer '{layer.name}' ({type(layer).__name__}): "
        # TensorFlow takes its own frames out of what it raises: what the layer's code uses tells.
        used = {n: frame.f_globals.get(n) for n in frame.f_code.co_names} | frame.f_locals
        names = {v.__name__.split(".")[0] for v in used.values() if isinstance(v, ModuleType)}
        modules = names & {"tensorflow", "torch"}
    said = line_of(error)
    if modules:
        name = modules.pop()
        return WrongCall(
            f"{where}it computes with {name}, which cannot run in a race: ravine trains on JAX; "
            f"write it with keras.ops instead ({said})"
        )
    return WrongCall(f"{where}{doing} failed on JAX: {said}")


def _failing_frame(error: Exception) -> FrameType | None:
    """Where a layer of the user's own failed, the innermost."""
    import keras

    cause: BaseException | None = error
    while cause is not None:  # Keras raises anew what a layer raised
        found, step = None, cause.__traceback__
        while step is not None:
            frame, step = step.tb_frame, step.tb_next
            ours = not str(frame.f_globals.get("__name__")).startswith("keras.")
            if ours and isinstance(frame.f_locals.get("self"), keras.Layer):
                found = frame
        if found is not None:
            return found
        cause = cause.__cause__ or cause.__context__
    return None


def line_of(error: Exception) -> str:
    """The first line of an error that says something."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith("Exception encountered")]
    return f"{type(error).__name__}: {told[0]}" if told else type(error).__name__
