"""A worker for each GPU of this machine. What the GPUs are JAX is asked, in a process of its own.

``python -m ravine.racing.gpus`` prints what they are called, as JSON.
"""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ravine.errors import RavineError, WrongCall
from ravine.racing import memory, provenance
from ravine.racing.crew import Hear, Place, Process, told, without_settings
from ravine.racing.engines import GPU

# By which a maker's own driver is told what a process may see; JAX itself reads no such variable.
VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")


class Gpus:
    """See ``crew.Crew``: a process a GPU, or as many as are asked for.

    Raises ``WrongCall`` where there is none, or are too few: two on one would fill its memory.
    """

    def __init__(self, count: int | None, workbench: Mapping[str, Any]) -> None:
        self._workbench = workbench
        self._told = {**without_settings(os.environ), **told(GPU)}
        self._kinds = _kinds(self._told)
        self._count = len(self._kinds) if count is None else count
        if self._count > len(self._kinds):
            raise WrongCall(
                f"workers={count} is not allowed: a worker has a GPU to itself, and this machine "
                f"has {said(self._kinds)}"
            )

    def seats(self) -> int:
        """See ``Crew``."""
        return self._count

    def place(self) -> Place:
        """See ``Crew``. The memory is that of the machine, which holds data and curves."""
        machine = provenance.machine() | {"gpu": said(self._kinds)}
        return Place("this machine", machine, memory.total())

    def hire(self, seat: int, hear: Hear) -> Process:
        """See ``Crew``."""
        worker = Process(None, {**self._told, **_alone(seat)}, hear)
        worker.give("open", {"path": sys.path, **self._workbench})
        return worker


def said(kinds: Sequence[str]) -> str:
    """Several devices in words.

    >>> said(["NVIDIA H200"]), said(["A100", "A100", "H200"])
    ('NVIDIA H200', '2 × A100, H200')
    """
    counts = Counter(kinds)
    return ", ".join(f"{n} × {kind}" if n > 1 else kind for kind, n in counts.items())


def here() -> list[Any]:
    """The devices that JAX trains on in this process.

    Raises ``WrongCall`` where that is a CPU, unless JAX was told to use it.
    """
    import jax

    devices: list[Any] = jax.local_devices()
    if devices[0].platform == "cpu" and not os.environ.get("JAX_PLATFORMS"):
        raise WrongCall(
            f"JAX finds no GPU on {socket.gethostname()}: for one of NVIDIA pip install "
            "'ravine[cuda]' there, or race without --device gpu"
        )
    return devices


def _alone(seat: int) -> dict[str, str]:
    """The environment with one device, of those that this process may use itself."""
    mine = {name: os.environ.get(name) for name in VISIBLE}
    return {name: ids.split(",")[seat] if ids else str(seat) for name, ids in mine.items()}


def _kinds(environment: Mapping[str, str]) -> list[str]:
    """What JAX calls each device; this process stays without them."""
    asked = subprocess.run(
        [sys.executable, "-P", "-m", "ravine.racing.gpus"],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"])[-1]
        raise WrongCall(last) if asked.returncode == 2 else RavineError(f"JAX cannot start: {last}")
    kinds: list[str] = json.loads(asked.stdout.splitlines()[-1])
    return kinds


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps([device.device_kind for device in here()]))
    except WrongCall as error:
        sys.stderr.write(str(error))
        sys.exit(2)
