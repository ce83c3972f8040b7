"""Real races in processes of their own: from a shell, from a script, two at once, interrupted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from tests.conftest import COMMAND_LINE
from typer.testing import CliRunner

import ravine
from ravine import analysis
from ravine.cli.app import app
from ravine.errors import RavineError
from ravine.results.race import PAGES
from ravine.tasks import TASKS

# Whose programs are compiled in half the time of those of the task by default.
SMALL = ["diabetes-linear", "--rules", "adam(beta_1=0.8)", "--learning-rates", "0.01,0.1,2,1e20"]
SMALL += ["--tuning-seeds", "2", "--eval-seeds", "2", "--epochs", "3"]
RAVINE = [sys.executable, "-c", f"{COMMAND_LINE}\nmain()"]

# Ctrl-C once a run is stored, whatever who began the tests does with it.
INTERRUPTED = """
import os, signal, sys
from ravine.cli.app import main
from ravine.storage.store import Store

add = Store.add

def interrupted(self, *given):
    add(self, *given)
    if self.curves():
        os.killpg(0, signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
Store.add = interrupted
sys.argv = ["ravine", *sys.argv[1:]]
main()
"""


class Ended(NamedTuple):
    """What a process left."""

    code: int
    stdout: str
    stderr: str


class Raced(NamedTuple):
    """A finished race, and the two processes that wanted to run it."""

    folder: Path
    winner: Ended
    refused: Ended


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Raced:
    """A race by two workers, made on the command line; begun twice at once.

    Its report has no pictures; those of one that is made so are in ``test_lean_install.py``.
    """
    folder = tmp_path_factory.mktemp("race") / "out"
    words = [*RAVINE, "race", *SMALL, "--workers", "2", "--out", str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with (
        subprocess.Popen(words, text=True, **pipes) as one,  # type: ignore[call-overload]
        subprocess.Popen(words, text=True, **pipes) as other,  # type: ignore[call-overload]
    ):
        said = [process.communicate() for process in (one, other)]
    both = [Ended(p.returncode, *texts) for p, texts in zip((one, other), said, strict=True)]
    return Raced(folder, *sorted(both))


@pytest.fixture(scope="module")
def folder(raced: Raced) -> Path:
    return raced.folder


def test_of_two_races_into_one_folder_one_is_run(raced: Raced) -> None:
    assert raced.winner.code == 0, raced.winner.stderr
    assert raced.refused.code == 2
    assert raced.refused.stdout == ""
    assert len(raced.refused.stderr.splitlines()) == 1
    assert sorted(os.listdir(raced.folder)) == sorted([*PAGES, "best.keras", "race.sqlite"])


def test_a_race_leaves_what_it_promises(raced: Raced, folder: Path) -> None:
    said = raced.winner.stdout
    content = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert content["verdict"] in said
    assert str(folder / "report.html") in said
    assert content["task"] == "diabetes-linear"
    assert {rule["rule"] for rule in content["rules"]} == {"sgd", "adam(beta_1=0.8)"}
    for rule in content["rules"]:
        assert rule["runs"] == 2
        assert set(rule["speedup"]) == set(rule["steps_to_target"]) == {"median", "low", "high"}
        assert len(rule["final_losses"]) == 2
    # The answer is code, which reads as the rule that won, and its model.
    for line in content["code"].values():
        assert line in said
    won = content["rules"][0]
    rule = ravine.translate(content["code"]["keras"], to="ravine")
    assert rule.learning_rate == won["learning_rate"]
    assert type(rule).__name__.lower() == won["rule"].partition("(")[0]
    assert content["best"]["learning_rate"] == won["learning_rate"]
    assert str(folder / content["best"]["file"]) in said
    progress = raced.winner.stderr.splitlines()
    assert any("30 runs of 12 steps" in line for line in progress)
    # It was at most 30: a rate without hope has no second seed. What was done is all in the end.
    done = len(ravine.Race.open(folder).stored)
    assert done < 30
    assert any(f": {done}/{done} runs" in line for line in progress)


def test_equal_seeds_start_equal_whatever_the_rule(tiny_race: Path) -> None:
    by_seed: dict[int, set[tuple[str, str, float]]] = {}
    for curve in ravine.Race.open(tiny_race).stored:
        start = (curve.weights_digest, curve.batches_digest, float(curve.measures[0, 1, 0]))
        by_seed.setdefault(curve.run.seed, set()).add(start)
    assert len(by_seed) == 1 + 10 + 6
    assert all(len(starts) == 1 for starts in by_seed.values())
    # And each seed is its own.
    assert all(len({s[i] for starts in by_seed.values() for s in starts}) == 17 for i in range(3))


def test_divergence_is_a_result(folder: Path) -> None:
    race = ravine.Race.open(folder)
    stored, plan = race.stored, race.plan
    diverged = [c for c in stored if analysis.diverged_at(c, analysis.VALIDATION)]
    assert {c.run.learning_rate for c in diverged} == {2.0, 1e20}
    for curve in diverged:
        at = analysis.diverged_at(curve, analysis.VALIDATION)
        assert at is not None
        assert np.isfinite(curve.losses[: at - 1]).all()
        if curve.run.learning_rate == 1e20:
            assert np.isnan(curve.losses[at - 1 :]).all()
        else:  # finite to the end, and above its start
            assert at == len(curve.losses)
            assert at in (plan.rungs if curve.stopped else (plan.steps,))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"<b>{len(diverged)}</b> diverged" in page


def test_the_race_in_python(folder: Path) -> None:
    race = ravine.Race.open(folder)
    assert race.leaderboard["rule"].tolist() == [s.rule for s in race.verdict.standings]
    curves = race.curves()
    assert list(curves.columns) == (
        ["rule", "learning_rate", "seed", "stage", "step", "metric", "split", "value"]
    )
    run = curves.query("rule == 'sgd' and learning_rate == 0.1 and stage == 'tuning' and seed == 0")
    assert run.query("split == 'train'")["step"].tolist() == list(range(1, 13))
    assert run.query("split == 'test' and metric == 'absolute_error'")["step"].tolist() == (
        list(range(13))
    )
    assert isinstance(race.leaderboard, pd.DataFrame)
    assert race.winner.rule in ("sgd", "adam(beta_1=0.8)")


def test_the_winners_model_is_its_best_run(folder: Path) -> None:
    race = ravine.Race.open(folder)
    assert race.best is not None
    assert race.best["note"] == ""  # trained once more, it gave the same bits
    curve = next(c for c in race.stored if c.run.id == race.best["run"])
    own = [c for c in race.stored if c.run.stage == "evaluation" and c.run.rule == race.winner.rule]
    ends = [c.measures[-1, analysis.VALIDATION, 0] for c in own]
    assert curve.measures[-1, analysis.VALIDATION, 0] == min(ends)
    x, y = TASKS["diabetes-linear"].load().test
    off = abs(np.asarray(race.winner.model().predict(x, verbose=0)) - y)
    assert off.mean() == pytest.approx(race.best["test"]["absolute_error"], rel=1e-6)
    assert race.code == race.results.code


def test_a_race_that_is_interrupted_goes_on(
    folder: Path,
    tmp_path: Path,
    no_pages: None,
    capsys: pytest.CaptureFixture[str],
    assert_same: Callable[..., None],
) -> None:
    """By Ctrl-C, which all its processes get; kills are in ``racing/test_safety.py``.

    Two workers, or first one and then this process: the same numbers.
    """
    out = tmp_path / "out"
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "race", *SMALL, "--workers", "1", "--out", str(out)],
        check=False,
        capture_output=True,
        text=True,
        start_new_session=True,  # whose processes are those of this race alone
    )
    heard = process.stderr
    assert process.returncode == 130
    assert f"go on with: ravine resume {out}" in heard
    assert "Traceback" not in heard
    unfinished = ravine.Race.open(out)
    with pytest.raises(RavineError, match="unfinished"):
        _ = unfinished.verdict
    kept = len(unfinished.stored)
    assert 0 < kept < 30

    race = ravine.resume(out, workers=0)
    assert f"{kept} are stored already" in capsys.readouterr().err
    assert race.finished
    assert_same(ravine.Race.open(folder).stored, race.stored)
    assert not (out / "work").exists()


def test_where_nothing_is_left_to_do_it_is_no_fault_to_go_on(folder: Path) -> None:
    done = CliRunner().invoke(app, ["resume", str(folder)])
    assert done.exit_code == 0
    assert "Report:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rules", "adm"], "unknown rule 'adm': did you mean 'adam'?"),
        (["digit-mlp"], "unknown task 'digit-mlp': did you mean 'digits-mlp'?"),
        (["--rules", "adam(beta_1=1)"], "beta_1=1 is not allowed"),
        (["--rules", "adam(beta1=0.5)"], "did you mean 'beta_1'?"),
        (["--learning-rates", "0:1:9"], "must be > 0"),
        (["--learning-rates", "1:0.1:9"], "run backwards"),
        (["--tuning-seeds", "0"], "tuning_seeds=0"),
        (["--eval-seeds", "0"], "eval_seeds=0"),
        (["--workers", "-1"], "workers=-1"),
        (["--schedule", "cosin"], "unknown schedule 'cosin': did you mean 'cosine'?"),
        (["--rules", "decay(adamw)"], "adamw already has a weight_decay of its own"),
    ],
)
def test_a_wrong_call_is_one_line_and_leaves_nothing(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    words = ["race", "--workers", "0", *arguments, "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(tiny_race: Path, tmp_path: Path) -> None:
    def refused(out: Path) -> str:
        done = CliRunner().invoke(app, ["race", "--out", str(out)])
        assert done.exit_code == 2
        return done.stderr

    (tmp_path / "mine").write_text("precious", encoding="utf-8")
    assert "is not empty" in refused(tmp_path)
    assert "is a file" in refused(tmp_path / "mine")
    assert "cannot write to" in refused(tmp_path / "mine" / "a")
    assert "holds a race already" in refused(tiny_race)
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]
