"""A rule as a Keras optimizer, on TensorFlow, JAX and PyTorch: a process each, side by side."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import QUICKLY

PROGRAM = Path(__file__).with_name("keras_backend.py")
BACKENDS = ("tensorflow", "jax", "torch")
Results = dict[str, str | None]


def declared() -> list[tuple[str, str]]:
    """Backend and name of each check, read off the decorators without importing Keras."""
    found = []
    for function in ast.parse(PROGRAM.read_text(encoding="utf-8")).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "check":
                only = [ast.literal_eval(keyword.value) for keyword in decorator.keywords]
                cases = [f", {ast.literal_eval(case)}" for case in decorator.args] or [""]
                found += [(b, function.name + case) for b in only or BACKENDS for case in cases]
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Results]]:
    folder = tmp_path_factory.mktemp("keras")
    running = {}
    # Three programs on few cores: threads of their own would only wait for each other.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    environment |= QUICKLY  # compiling takes longer than training
    for backend in BACKENDS:
        command = [sys.executable, str(PROGRAM), str(folder / f"{backend}.json")]
        with (folder / f"{backend}.log").open("w") as log:
            running[backend] = subprocess.Popen(
                command, env=environment | {"KERAS_BACKEND": backend}, stdout=log, stderr=log
            )

    def of(backend: str) -> Results:
        running[backend].wait()
        log = (folder / f"{backend}.log").read_text(encoding="utf-8", errors="replace")
        assert running[backend].returncode == 0, log[-3000:]
        found: Results = json.loads((folder / f"{backend}.json").read_text(encoding="utf-8"))
        return found

    yield of
    for process in running.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize(("backend", "check"), declared(), ids=str)
def test_keras(results: Callable[[str], Results], backend: str, check: str) -> None:
    failure = results(backend)[check]
    assert failure is None, failure
