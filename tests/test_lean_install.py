"""What ``pip install ravine`` brings is enough: no TensorFlow, no PyTorch, none of the tests'."""

import json
import os
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

LICENCES = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "hooks" / "licences.py"))
BLOCK = """
import json, sys
from importlib.abc import MetaPathFinder

class NotInstalled(MetaPathFinder):
    names = set(json.loads({names!r}))
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, NotInstalled())
"""


def test_a_race_with_only_what_is_declared(tmp_path: Path) -> None:
    lean = LICENCES["brought_along"]("ravine", "")
    owners = metadata.packages_distributions()
    absent = [m for m, who in owners.items() if not lean & {canonicalize_name(w) for w in who}]
    assert {"tensorflow", "torch", "optax", "hypothesis", "pytest"} <= set(absent)
    # Every process of the race imports this at its start.
    block = BLOCK.format(names=json.dumps(absent))
    (tmp_path / "sitecustomize.py").write_text(block, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    small = ["--rules", "sgd", "--learning-rates", "0.1,1", "--seeds", "1", "--fresh-seeds", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "ravine", "race", *small, "--epochs", "1", "--out", "out"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").exists()
