"""A suite of two real races: interrupted, gone on with, and not run again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import ravine
from ravine.errors import RavineError, WrongCall

TASKS = ["diabetes-linear", "breast-cancer-logistic"]
TINY = {"seeds": 1, "fresh_seeds": 1, "epochs": 1}
RAVINE = [sys.executable, "-m", "ravine"]


def changed(folder: Path, tasks: list[str]) -> dict[str, int]:
    return {str(f): f.stat().st_mtime_ns for name in tasks for f in (folder / name).iterdir()}


def test_a_suite_that_is_interrupted_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["suite", "--tasks", ",".join(TASKS), "--rules", "sgd,adagrad", "--out", str(out)]
    words += ["--seeds", "1", "--fresh-seeds", "1", "--epochs", "1"]
    with subprocess.Popen(
        [*RAVINE, *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "breast-cancer-logistic, task 2 of 2" in line:
                os.killpg(process.pid, signal.SIGINT)
                break
        heard = process.stderr.read()
    assert process.returncode == 130
    assert f"the whole suite goes on with: ravine resume {out}" in heard
    found = ravine.Suite(out)
    assert not found.finished
    assert found.races["diabetes-linear"].finished
    with pytest.raises(RavineError, match="is unfinished: go on with"):
        _ = found.scores
    before = changed(out, TASKS[:1])
    # As a kill leaves it, before there is a plan.
    (out / TASKS[1] / "work").mkdir(parents=True, exist_ok=True)

    done = subprocess.run(
        [*RAVINE, "resume", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert changed(out, TASKS[:1]) == before
    assert str(out / "suite.html") in done.stdout
    content = json.loads((out / "suite.json").read_text(encoding="utf-8"))
    assert content["verdict"] in done.stdout
    assert [task["task"] for task in content["tasks"]] == TASKS
    assert {rule["rule"] for rule in content["rules"]} <= {"sgd", "adagrad"}
    assert (out / "suite.html").exists()

    # The same once more, from Python: nothing is run again.
    before = changed(out, TASKS)
    again = ravine.suite(TASKS, rules="sgd,adagrad", out=out, progress=False, **TINY)
    assert changed(out, TASKS) == before
    assert again.finished
    assert set(again.times.columns) | set(again.across.left_out) == set(TASKS)
    if again.across.scores:
        assert again.profile.shape == (2, 100)
        assert again.scores["score"].between(0, 1).all()
        assert (out / "performance.png").exists()
    with pytest.raises(WrongCall, match="has rules sgd, adagrad, not sgd, adam: name another"):
        ravine.suite(TASKS, rules="sgd,adam", out=out, progress=False, **TINY)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"tasks": "digits-mpl"}, "did you mean 'digits-mlp'"),
        ({"tasks": []}, "no tasks given; known: digits-mlp"),
        ({"tasks": "digits-mlp,digits-mlp"}, "task 'digits-mlp' is listed twice"),
        ({"rules": "adm"}, "did you mean 'adam'"),
        ({"seed": 3}, "did you mean 'seeds'"),
        ({"seeds": 0}, "seeds=0 is not allowed"),
    ],
)
def test_a_wrong_call_leaves_nothing(arguments: dict, said: str, tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match=said):
        ravine.suite(**arguments, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    with pytest.raises(WrongCall, match="no suite in"):
        ravine.Suite(tmp_path)
