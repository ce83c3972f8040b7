"""Runs pytest in forks of a process that has imported already what tests import.

python nursery.py, in the clone whose tests are run; it imports nothing of ravine. A line of JSON
that it reads, the arguments of pytest with the environment and the file for what is printed, is
answered by two lines: the number of the process group, then the exit status.
"""

import importlib
import json
import os
import sys
import traceback
from typing import Any

IMPORTED = ["jax.numpy", "keras", "optax", "torch", "scipy.stats", "typer.testing"]
IMPORTED += ["altair", "sklearn.datasets", "pytest"]


def main() -> None:
    """Answer until nothing more is asked."""
    os.environ |= {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    sys.path[0] = os.getcwd()  # as ``python -m pytest`` has it, and workers that it starts
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _run(asked)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(asked: dict[str, Any]) -> None:
    os.setpgid(0, 0)
    output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target)
    os.environ |= asked["environment"]
    import pytest

    code = 70
    try:
        code = int(pytest.main(asked["arguments"]))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
