"""Workers that have a GPU each."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from ravine.errors import InvalidArgument
from ravine.execution import memory
from ravine.execution.worker_backend import OnMessage, Place, Process, told, without_settings
from ravine.experiment.engines import GPU
from ravine.storage import provenance
from ravine.training.gpus import kinds, said

# By which a maker's own driver is told what a process may see; JAX itself reads no such variable.
VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")


class GpuBackend:
    """See ``WorkerBackend``: a process a GPU, or as many as are asked for.

    Raises ``InvalidArgument`` where there is none, or are too few: two on one would fill its
    memory.
    """

    def __init__(self, count: int | None, workbench: Mapping[str, Any]) -> None:
        self._workbench = workbench
        self._told = {**without_settings(os.environ), **told(GPU)}
        self._kinds = kinds(self._told)
        self._count = len(self._kinds) if count is None else count
        if self._count > len(self._kinds):
            raise InvalidArgument(
                f"workers={count} is not allowed: a worker has a GPU to itself, and this machine "
                f"has {said(self._kinds)}"
            )

    def slots(self) -> int:
        """See ``WorkerBackend``."""
        return self._count

    def place(self) -> Place:
        """See ``WorkerBackend``. The memory is that of the machine, which holds data and curves."""
        machine = provenance.machine() | {"gpu": said(self._kinds)}
        return Place("this machine", machine, memory.total())

    def spawn(self, slot: int, on_message: OnMessage) -> Process:
        """See ``WorkerBackend``."""
        worker = Process(None, {**self._told, **_alone(slot)}, on_message)
        worker.submit("open", {"path": sys.path, **self._workbench})
        return worker


def _alone(slot: int) -> dict[str, str]:
    """The environment with one device, of those that this process may use itself."""
    mine = {name: os.environ.get(name) for name in VISIBLE}
    return {name: ids.split(",")[slot] if ids else str(slot) for name, ids in mine.items()}
