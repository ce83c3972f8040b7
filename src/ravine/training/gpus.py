"""The GPUs of this machine. What they are JAX is asked, in a process of its own.

``python -m ravine.training.gpus`` prints what they are called, as JSON.
"""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ravine.errors import InvalidArgument, RavineError


def said(kinds: Sequence[str]) -> str:
    """Several devices in words.

    >>> said(["NVIDIA H200"]), said(["A100", "A100", "H200"])
    ('NVIDIA H200', '2 × A100, H200')
    """
    counts = Counter(kinds)
    return ", ".join(f"{n} × {kind}" if n > 1 else kind for kind, n in counts.items())


def here() -> list[Any]:
    """The devices that JAX trains on in this process.

    Raises ``InvalidArgument`` where that is a CPU, unless JAX was told to use it.
    """
    import jax

    devices: list[Any] = jax.local_devices()
    if devices[0].platform == "cpu" and not os.environ.get("JAX_PLATFORMS"):
        raise InvalidArgument(
            f"JAX finds no GPU on {socket.gethostname()}: for one of NVIDIA pip install "
            "'ravine[cuda]' there, or race without --device gpu"
        )
    return devices


def kinds(environment: Mapping[str, str]) -> list[str]:
    """What JAX calls each device; this process stays without them."""
    asked = subprocess.run(
        [sys.executable, "-P", "-m", "ravine.training.gpus"],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"])[-1]
        raise (
            InvalidArgument(last)
            if asked.returncode == 2
            else RavineError(f"JAX cannot start: {last}")
        )
    found: list[str] = json.loads(asked.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps([device.device_kind for device in here()]))
    except InvalidArgument as error:
        sys.stderr.write(str(error))
        sys.exit(2)
