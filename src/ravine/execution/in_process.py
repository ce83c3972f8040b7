"""One worker that is the driver's own process: no start-up, no pipe, and a debugger can stop in it.

For races that take seconds. A crash of the framework ends the race; it is resumed as any other.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from ravine.errors import InvalidArgument
from ravine.execution import memory
from ravine.execution.worker import answered, opened
from ravine.execution.worker_backend import OnMessage, Place
from ravine.experiment import engines
from ravine.experiment.engines import GPU, JAX, TORCH, framework
from ravine.frameworks.names import CALLED
from ravine.storage import provenance
from ravine.tasks import settings


class InProcess:
    """See ``WorkerBackend``. Raises ``InvalidArgument`` where this process cannot do what a worker
    does.
    """

    def __init__(self, workbench: Mapping[str, Any]) -> None:
        _check(workbench.get("engine", JAX))
        self._bench = opened(**workbench)
        task = self._bench.task
        _check_floats(workbench.get("engine", JAX), getattr(task, "floats", "float32"))
        if "keras" in sys.modules:
            settings.check_keras(sys.modules["keras"], getattr(task, "settings", None))

    def slots(self) -> int:
        """See ``WorkerBackend``."""
        return 1

    def place(self) -> Place:
        """See ``WorkerBackend``."""
        return Place("this process", provenance.machine(), memory.total())

    def spawn(self, slot: int, on_message: OnMessage) -> "Here":
        """See ``WorkerBackend``."""
        return Here(self._bench, on_message)


class Here:
    """See ``worker_backend.Worker``. A job is done by the time that it was given."""

    ready = True

    def __init__(self, bench: Any, on_message: OnMessage) -> None:
        self.known: set[str] = set()
        self._bench, self._on_message = bench, on_message

    def submit(self, name: str, arguments: Mapping[str, Any]) -> None:
        """See ``Worker``."""
        self._on_message(self, answered(self._bench, name, arguments))

    def kill(self) -> None:
        """See ``Worker``: it ends with this process."""


WAY = "leave out workers=0, so that it is raced in processes of its own"


def _check(engine: str) -> None:
    """Raises ``InvalidArgument`` unless what this process has imported computes as a
    worker would.
    """
    if engine == GPU:
        raise InvalidArgument(f"workers=0 trains on the CPU of this process, not on a GPU: {WAY}")
    needed = framework(engine)
    if engine != TORCH:
        os.environ.setdefault("KERAS_BACKEND", needed)
        has = os.environ["KERAS_BACKEND"]
        if "keras" in sys.modules:
            has = sys.modules["keras"].backend.backend()
        if has != needed:
            raise InvalidArgument(
                f"workers=0 needs Keras on {CALLED[needed]} in this process, where it is on "
                f"{CALLED.get(has, has)}: {WAY}"
            )
    if engine == JAX and os.environ.get("XLA_FLAGS"):
        raise InvalidArgument(
            f"workers=0 needs a process without XLA_FLAGS, which change numbers: {WAY}"
        )
    if engine == JAX and not engines.engine(engine).computes_as_workers():
        raise InvalidArgument(
            f"workers=0 needs JAX on the CPU with its settings as they are by default "
            f"({', '.join(engines.engine(engine).SETTINGS)}) in this process: {WAY}"
        )


def _check_floats(engine: str, floats: str) -> None:
    """Raises ``InvalidArgument`` unless this process computes with numbers as wide as
    the task's.
    """
    if engine == TORCH:
        settings.check_torch(floats)
    if engine == JAX and settings.of_jax() != floats:
        raise InvalidArgument(
            f"workers=0 needs JAX with {floats.removeprefix('float')}-bit numbers in this process, "
            f"as the task has them (jax_enable_x64): {WAY}"
        )
