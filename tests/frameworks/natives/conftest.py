"""What the real optimizers did: three processes, one a Keras backend, that all tests here share."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

HERE = Path(__file__).parent
# The program: pytest would import it to look for doctests.
collect_ignore = ["oracle.py", "walking.py", "texts.py"]
collect_ignore_glob = ["by_*.py"]
BACKENDS = ("torch", "jax", "tensorflow")


class Found(NamedTuple):
    """What one process reports; see oracle.py."""

    said: dict[str, Any]
    arrays: dict[str, NDArray[np.float64]]


def write_digits(file: Path) -> None:
    """24 handwritten digits of 16 pixels each."""
    digits = load_digits()
    images = digits.images[:24] / digits.images.max()
    small = images.reshape(24, 4, 2, 4, 2).mean((2, 4)).reshape(24, 16)
    np.savez(file, inputs=small, targets=np.eye(10)[digits.target[:24]])


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Found]]:
    folder = tmp_path_factory.mktemp("natives")
    write_digits(folder / "digits.npz")
    running, known = {}, {}
    # Three processes on few cores: threads of their own would only wait for each other.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    for backend in BACKENDS:
        results = folder / backend
        command = [sys.executable, *map(str, (HERE / "oracle.py", folder / "digits.npz", results))]
        with (folder / f"{backend}.log").open("w") as log:
            running[backend] = subprocess.Popen(
                command, env=environment | {"KERAS_BACKEND": backend}, stdout=log, stderr=log
            )

    def of(backend: str) -> Found:
        if backend not in known:
            running[backend].wait()
            log = (folder / f"{backend}.log").read_text(encoding="utf-8", errors="replace")
            assert running[backend].returncode == 0, log[-3000:]
            said = json.loads((folder / f"{backend}.json").read_text(encoding="utf-8"))
            with np.load(folder / f"{backend}.npz") as arrays:
                known[backend] = Found(said, dict(arrays))
        return known[backend]

    yield of
    for process in running.values():
        process.kill()
        process.wait()
