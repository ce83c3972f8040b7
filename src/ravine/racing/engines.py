"""Which engine trains a task: the compiled one, or one in the task's own framework."""

import importlib
from typing import Any

from ravine.frameworks.names import CALLED

JAX = "jax"  # many runs as the lanes of one compiled program
TORCH = "torch"  # a module of PyTorch
# A Keras model that cannot move to JAX, run after run.
KERAS = {framework: f"keras-{framework}" for framework in ("tensorflow", "torch")}
FILES = {JAX: "engine", TORCH: "torch_engine"} | dict.fromkeys(KERAS.values(), "keras_engine")


class MustMove(Exception):
    """A race is to begin anew on the engine of that name."""

    def __init__(self, engine: str, why: str) -> None:
        super().__init__(why)
        self.engine = engine


def engine(name: str) -> Any:
    """The module of an engine; this imports its framework."""
    return importlib.import_module(f"ravine.racing.{FILES[name]}")


def framework(name: str) -> str:
    """The framework that an engine computes with.

    >>> framework("keras-tensorflow"), framework("jax")
    ('tensorflow', 'jax')
    """
    return name.removeprefix("keras-")


def called(name: str) -> str:
    """An engine in words.

    >>> called("torch"), called("keras-torch")
    ('PyTorch', 'Keras on PyTorch, run after run')
    """
    said = CALLED[framework(name)]
    return f"Keras on {said}, run after run" if name in KERAS.values() else said


def environment(name: str) -> dict[str, str]:
    """What a worker of an engine must be told before it imports anything."""
    if name not in KERAS.values():
        return {}
    one = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return {
        "KERAS_BACKEND": framework(name),
        "CUDA_VISIBLE_DEVICES": "-1",
        **dict.fromkeys(one, "1"),
    }
