"""Which engine trains a task: the compiled one, or one in the task's own framework."""

import importlib
import os
from typing import Any

from ravine.errors import InvalidArgument, unknown
from ravine.frameworks.names import CALLED

JAX = "jax"  # many runs as the lanes of one compiled program
GPU = "jax-gpu"  # the same on a GPU
DEVICES = {"cpu": JAX, "gpu": GPU}  # where the compiled engine can train
PLATFORM = ""  # of JAX, for a GPU: whichever it finds
TORCH = "torch"  # a module of PyTorch
# A Keras model that cannot move to JAX, run after run.
KERAS = {framework: f"keras-{framework}" for framework in ("tensorflow", "torch")}
FILES = {JAX: "engine", GPU: "gpu_engine", TORCH: "torch_engine"} | dict.fromkeys(
    KERAS.values(), "keras_engine"
)


class EngineChange(Exception):
    """A race is to begin anew on the engine of that name."""

    def __init__(self, engine: str, why: str) -> None:
        super().__init__(why)
        self.engine = engine


def engine(name: str) -> Any:
    """The module of an engine; this imports its framework."""
    return importlib.import_module(f"ravine.training.{FILES[name]}")


def framework(name: str) -> str:
    """The framework that an engine computes with.

    >>> framework("keras-tensorflow"), framework("jax-gpu")
    ('tensorflow', 'jax')
    """
    return name.removeprefix("keras-").removesuffix("-gpu")


def device(name: str) -> str:
    """Where an engine trains.

    >>> device("jax-gpu"), device("torch")
    ('gpu', 'cpu')
    """
    return "gpu" if name == GPU else "cpu"


def on_device(name: str, device: str) -> str:
    """The engine that does on a device what the engine of that name does on a CPU.

    Raises ``InvalidArgument`` where there is no such device, or none of that engine.
    """
    if not isinstance(device, str) or device not in DEVICES:
        raise unknown("device", str(device), DEVICES)
    if name != JAX and device != "cpu":
        raise InvalidArgument(
            f"device='{device}' is not allowed: {called(name)} trains on the CPU here, only models "
            "that JAX can run train on a GPU"
        )
    return DEVICES[device] if name == JAX else name


def called(name: str) -> str:
    """An engine in words.

    >>> called("torch"), called("keras-torch"), called("jax-gpu")
    ('PyTorch', 'Keras on PyTorch, run after run', 'JAX on a GPU')
    """
    said = CALLED[framework(name)]
    if device(name) == "gpu":
        return f"{said} on a GPU"
    return f"Keras on {said}, run after run" if name in KERAS.values() else said


def environment(name: str) -> dict[str, str]:
    """What a worker of an engine must be told before it imports anything."""
    if name == GPU:
        # As on a CPU and in PyTorch: no factor is rounded to the ten bits that tensor cores take.
        precision = os.environ.get("JAX_DEFAULT_MATMUL_PRECISION", "highest")
        return {
            "JAX_PLATFORMS": PLATFORM,
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),  # which may say where CUDA is
            "JAX_DEFAULT_MATMUL_PRECISION": precision,
            # Whoever confirms a race trains on the same GPU, beside what has raced.
            "XLA_PYTHON_CLIENT_PREALLOCATE": os.environ.get(
                "XLA_PYTHON_CLIENT_PREALLOCATE", "false"
            ),
        }
    if name not in KERAS.values():
        return {}
    one = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return {
        "KERAS_BACKEND": framework(name),
        "CUDA_VISIBLE_DEVICES": "-1",
        **dict.fromkeys(one, "1"),
    }
