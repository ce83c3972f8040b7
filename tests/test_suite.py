"""A suite of two real races: interrupted, gone on with, and not run again."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import ravine
from ravine.cli.app import app
from ravine.errors import InvalidArgument, RavineError
from ravine.results.race import PAGES
from ravine.storage.multi_race_dir import MultiRaceDir

pytestmark = pytest.mark.usefixtures("compiled_quickly")

TASKS = ["diabetes-linear", "breast-cancer-logistic"]
TINY = {"tuning_seeds": 1, "eval_seeds": 1, "epochs": 1}


def changed(folder: Path, tasks: list[str]) -> dict[str, int]:
    return {str(f): f.stat().st_mtime_ns for name in tasks for f in (folder / name).iterdir()}


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pages: None) -> Path:
    """On the command line, as the second task begins; the first race's pages are empty."""
    out, race = tmp_path / "out", MultiRaceDir.race

    def stopping(
        self: MultiRaceDir, begin: Any, resume: Any, folder: Path, *rest: Any, **options: Any
    ) -> None:
        if folder.name == TASKS[1]:
            raise KeyboardInterrupt
        race(self, begin, resume, folder, *rest, **options)
        for page in PAGES:
            (folder / page).touch()

    words = ["suite", "--tasks", ",".join(TASKS), "--rules", "sgd,adagrad", "--out", str(out)]
    words += ["--tuning-seeds", "1", "--eval-seeds", "1", "--epochs", "1", "--workers", "0"]
    with monkeypatch.context() as patch:
        patch.setattr(MultiRaceDir, "race", stopping)
        done = CliRunner().invoke(app, words)
    assert "breast-cancer-logistic, task 2 of 2" in done.stderr
    assert done.exit_code == 130
    assert f"the whole suite goes on with: ravine resume {out}" in done.stderr
    return out


def test_a_suite_that_is_interrupted_goes_on(interrupted: Path) -> None:
    out = interrupted
    found = ravine.Suite(out)
    assert not found.finished
    assert found.races["diabetes-linear"].finished
    with pytest.raises(RavineError, match="is unfinished: go on with"):
        _ = found.scores
    before = changed(out, TASKS[:1])
    # As a kill leaves it, before there is a plan.
    (out / TASKS[1] / "work").mkdir(parents=True)

    done = CliRunner().invoke(app, ["resume", str(out), "--workers", "0"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert changed(out, TASKS[:1]) == before
    assert str(out / "suite.html") in done.stdout
    content = json.loads((out / "suite.json").read_text(encoding="utf-8"))
    assert content["verdict"] in done.stdout
    assert [task["task"] for task in content["tasks"]] == TASKS
    assert {rule["rule"] for rule in content["rules"]} <= {"sgd", "adagrad"}
    assert (out / "suite.html").exists()

    # The same once more, from Python: nothing is run again.
    for page in PAGES:
        (out / TASKS[1] / page).touch()
    before = changed(out, TASKS)
    again = ravine.suite(TASKS, rules="sgd,adagrad", out=out, progress=False, **TINY)
    assert changed(out, TASKS) == before
    assert again.finished
    assert set(again.times.columns) | set(again.across.left_out) == set(TASKS)
    if again.across.scores:
        assert again.profile.shape == (2, 100)
        assert again.scores["score"].between(0, 1).all()
        assert (out / "performance.png").exists()
    with pytest.raises(
        InvalidArgument, match="has rules sgd, adagrad, not sgd, adam: name another"
    ):
        ravine.suite(TASKS, rules="sgd,adam", out=out, progress=False, **TINY)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"tasks": "digits-mpl"}, "did you mean 'digits-mlp'"),
        ({"tasks": []}, "no tasks given; known: digits-mlp"),
        ({"tasks": "digits-mlp,digits-mlp"}, "task 'digits-mlp' is listed twice"),
        ({"rules": "adm"}, "did you mean 'adam'"),
        ({"seeds": 3}, "did you mean 'tuning_seeds'"),
        ({"tuning_seeds": 0}, "tuning_seeds=0 is not allowed"),
    ],
)
def test_a_wrong_call_leaves_nothing(arguments: dict, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=said):
        ravine.suite(**arguments, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InvalidArgument, match="no suite in"):
        ravine.Suite(tmp_path)
