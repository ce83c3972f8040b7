"""What cannot be trained is named before anything is: rows, shapes, losses, layers."""

import re
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import ravine
from ravine.errors import WrongCall
from ravine.frameworks.names import CALLED
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
            raise WrongCall(
                f"{what}: {first} has {counts[first]} rows and {name} {count}: give as many of each"
            )
    if counts[first] == 0:
        raise WrongCall(f"{what} is empty: give at least one row")
    for name, array in given.named():
        if name.startswith("sample_weight") and (array < 0).any():
            row = int(np.argwhere(array < 0)[0][0])
            raise WrongCall(f"{what}: {name} is negative in row {row}: weights are at least 0")
        if array.dtype.kind != "f":
            continue
        missing = holes and name.startswith("y")
        parts = [_not_finite(part, begin, missing) for begin, part in in_chunks(array)]
        at = np.concatenate(parts)
        if len(at):
            where = f"row {at[0][0]}" + (f", at {at[0][1:].tolist()}" if array.ndim > 1 else "")
            more = "" if len(at) == 1 else f" (and {len(at) - 1} more)"
            raise WrongCall(
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


class Immovable(WrongCall):
    """A model whose code computes with a framework that is not JAX."""

    def __init__(self, message: str, framework: str) -> None:
        super().__init__(message)
        self.framework = framework


def stuck(error: Exception, doing: str) -> WrongCall:
    """What to say when the user's own code fails: where, and why."""
    import keras

    layer, frame = _failing(error)
    where = "" if layer is None else f"layer '{layer.name}' ({type(layer).__name__})"
    backend = keras.backend.backend()
    framework = _bound(error) or (frame and _used(frame))
    if framework and backend != framework:
        # Not what was raised: how JAX's arrays fail inside of another framework explains nothing.
        message = (
            f"{where or doing} computes with {CALLED[framework]}, which {CALLED[backend]} cannot "
            "run; keras.ops runs everywhere"
        )
        return Immovable(message, framework)
    colon = f"{where}: " if where else ""
    return WrongCall(f"{colon}{doing} failed on {CALLED[backend]}: {line_of(error)}")


def _used(frame: FrameType) -> str:
    """The framework, other than JAX, that the code of a frame names."""
    # TensorFlow takes its own frames out of what it raises: what the code uses tells.
    used = {n: frame.f_globals.get(n) for n in frame.f_code.co_names} | frame.f_locals
    names = {v.__name__.split(".")[0] for v in used.values() if isinstance(v, ModuleType)}
    return next(iter(names & {"tensorflow", "torch"}), "")


def _bound(error: Exception) -> str:
    """The framework of a layer of Keras's own that runs on one alone."""
    files = {"torch_utils": "torch", "tfsm_layer": "tensorflow"}
    found = ""
    for step in _steps(error):
        found = files.get(str(step.f_globals.get("__name__")).rpartition(".")[2], found)
    return found


def _failing(error: Exception) -> tuple[Any, FrameType | None]:
    """The innermost layer of the user's own that failed, or Lambda, and the innermost own code."""
    import keras

    layer, found = None, None
    for frame in _steps(error):
        ours = str(frame.f_globals.get("__name__")).split(".")[0] in LIBRARIES
        held = frame.f_locals.get("self")
        if isinstance(held, keras.Layer) and (not ours or isinstance(held, keras.layers.Lambda)):
            layer = held
        found = found if ours else frame
    return layer, found


LIBRARIES = {"keras", "jax", "jaxlib", "tensorflow", "torch", "numpy", "ravine", "ml_dtypes"}


def _steps(error: Exception) -> Iterator[FrameType]:
    """The frames of an error, and of those that it was raised from: outermost first."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:  # Keras raises anew what a layer raised
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for one in causes:
        step = one.__traceback__
        while step is not None:
            yield step.tb_frame
            step = step.tb_next


def users_code(error: BaseException) -> str:
    """Where an error arose in a user's own code, the innermost place; empty if it did not.

    That is neither Python, nor ravine, nor what is installed.
    """
    installed = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")}
    others = (*installed, str(Path(ravine.__file__).parent), "<frozen")
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if not code.co_filename.startswith(others):
            found = f"'{code.co_name}' ({Path(code.co_filename).name}, line {line})"
    return found and f"your code in {found}"


def line_of(error: BaseException) -> str:
    """The first line of an error that says something."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith("Exception encountered")]
    return f"{type(error).__name__}: {told[0]}" if told else type(error).__name__
