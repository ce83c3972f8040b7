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

from ravine.results.race import PAGES

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

# Commands in one process, which is cheaper than a process each.
SEVERAL = """
import json, sys
from typer.testing import CliRunner
from ravine.cli.app import app
ended = [CliRunner().invoke(app, words) for words in json.loads(sys.argv[1])]
print(json.dumps([[one.exit_code, one.stderr] for one in ended]))
"""


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Any]:
    """Python where nothing is installed but what ravine brings."""
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
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_race_with_only_what_is_declared(python: Callable[..., Any], tmp_path: Path) -> None:
    small = ["diabetes-linear", "--rules", "sgd", "--learning-rates", "0.1,1"]
    small += ["--tuning-seeds", "1", "--eval-seeds", "1", "--epochs", "1", "--workers", "1"]
    done = python("-m", "ravine", "race", *small, "--out", "out")
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / "out" / page).stat().st_size for page in (*PAGES, "best.keras"))


def test_what_needs_pytorch_says_how_to_get_it(python: Callable[..., Any], tmp_path: Path) -> None:
    """Before anything is trained or even written."""
    (tmp_path / "early.py").write_text("import torch\n", encoding="utf-8")
    wrong = [["mine.py:make_task"], ["early.py:make_task"], ["--crosscheck", "torch"]]
    races = [["race", *words, "--out", "out"] for words in wrong]
    done = python("-c", SEVERAL, json.dumps([["new", "mine.py", "--kind", "torch"], *races]))
    assert done.returncode == 0, done.stderr
    (code, _), *ends = json.loads(done.stdout)
    assert code == 0
    for code, said in ends:
        assert code == 2
        assert "pip install 'ravine[torch]'" in said
        assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
