"""A finished race is shown, compared and exported where no engine is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ravine.results.race import PAGES
from ravine.storage.store import Store

ENGINE = ("jax", "jaxlib", "keras", "tensorflow", "torch", "optax")
# Every process imports this at its start.
BLOCK = f"""
import sys
from importlib.abc import MetaPathFinder
class NotInstalled(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ENGINE}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotInstalled())
"""
# What each prints; one that fails ends the process.
ONE_AFTER_THE_OTHER = """
import json, sys
from typer.testing import CliRunner
from ravine.cli.app import app
done = [CliRunner().invoke(app, words) for words in json.loads(sys.argv[1])]
wrong = [one.output for one in done if one.exit_code]
print(json.dumps([one.stdout for one in done]))
sys.exit("\\n".join(wrong) or 0)
"""


@pytest.fixture
def folder(results, tmp_path: Path) -> Path:
    """The race as a finished one lies on a disk, and nothing else of it."""
    meta = {
        "plan": results.plan.to_json(),
        "machine": results.machine,
        "versions": results.versions,
        "command": results.command,
        "rules": {rule: {"learning_rate": 0.1} for rule in results.plan.choices.rules},
    }
    store = Store.create(tmp_path / "race", meta)
    store.begin(
        (c.run, (c.weights_digest, c.batches_digest, c.measures[:1])) for c in results.curves
    )
    assert {len(results.plan.cuts(c.run)) for c in results.curves} == {2}
    half = results.plan.evaluations // 2
    for c in results.curves:
        at = half * results.plan.period
        store.add(
            [
                (c.run.id, 0, c.losses[:at], c.measures[1 : 1 + half]),
                (c.run.id, 1, c.losses[at:], c.measures[1 + half :]),
            ]
        )
    store.close()
    return tmp_path / "race"


def test_everything_that_is_shown_needs_no_engine(folder: Path, results):
    (folder.parent / "sitecustomize.py").write_text(BLOCK, encoding="utf-8")
    (folder.parent / "again").mkdir()
    (folder.parent / "again" / "race.sqlite").write_bytes((folder / "race.sqlite").read_bytes())
    commands = [
        ["report", "race"],
        ["compare", "race", "again", "--out", "compared.html"],
        ["export", "race", "--to", "csv"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps(commands)],
        cwd=folder.parent,
        env=os.environ | {"PYTHONPATH": str(folder.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reported, _, exported = json.loads(done.stdout)
    assert results.verdict.sentence in " ".join(reported.split())
    assert all((folder / page).stat().st_size for page in PAGES)
    assert "Leaderboard" in (folder / "report.html").read_text(encoding="utf-8")
    assert (folder.parent / "compared.html").stat().st_size
    assert "files in" in exported
