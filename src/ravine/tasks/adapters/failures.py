"""What fails in a user's own code, told in one line: where, and why."""

import re
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import ravine
from ravine.errors import InvalidArgument
from ravine.frameworks.names import CALLED


class UnsupportedOnJax(InvalidArgument):
    """A model whose code computes with a framework that is not JAX."""

    def __init__(self, message: str, framework: str) -> None:
        super().__init__(message)
        self.framework = framework


def stuck(error: Exception, doing: str) -> InvalidArgument:
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
        return UnsupportedOnJax(message, framework)
    colon = f"{where}: " if where else ""
    return InvalidArgument(f"{colon}{doing} failed on {CALLED[backend]}: {line_of(error)}")


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
