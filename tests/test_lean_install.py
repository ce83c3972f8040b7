"""What ``pip install ravine`` brings is enough: no TensorFlow, no PyTorch, none of the tests'."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

LICENCES = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "hooks" / "licences.py"))
BLOCK = """
import json, sys

class Without:
    names = set(json.loads({names!r}))
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        absent = name.partition(".")[0] in self.names
        return None if absent else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


@pytest.fixture
def ravine(tmp_path: Path) -> Callable[..., Any]:
    """The command line where nothing is installed but what ravine brings."""
    lean = LICENCES["brought_along"]("ravine", "")
    owners = metadata.packages_distributions()
    absent = [m for m, who in owners.items() if not lean & {canonicalize_name(w) for w in who}]
    assert {"tensorflow", "torch", "optax", "hypothesis", "pytest"} <= set(absent)
    # Every process of the race imports this at its start.
    block = BLOCK.format(names=json.dumps(absent))
    (tmp_path / "sitecustomize.py").write_text(block, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}

    def run(*words: str) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "ravine", *words],
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_race_with_only_what_is_declared(ravine: Callable[..., Any], tmp_path: Path) -> None:
    small = ["--rules", "sgd", "--learning-rates", "0.1,1", "--seeds", "1", "--fresh-seeds", "1"]
    done = ravine("race", *small, "--epochs", "1", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").exists()


def test_what_needs_pytorch_says_how_to_get_it(ravine: Callable[..., Any], tmp_path: Path) -> None:
    """Before anything is trained or even written."""
    assert ravine("new", "mine.py", "--kind", "torch").returncode == 0
    text = (tmp_path / "mine.py").read_text(encoding="utf-8")
    (tmp_path / "early.py").write_text(f"import torch\n{text}", encoding="utf-8")
    for words in (["mine.py:make_task"], ["early.py:make_task"], ["--confirm", "torch"]):
        done = ravine("race", *words, "--out", "out")
        assert done.returncode == 2
        assert "pip install 'ravine[torch]'" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()
