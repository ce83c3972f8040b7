"""Real races, small ones: from the command line, from Python, disturbed and undisturbed."""

import errno
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

import ravine
from ravine import api, verdict
from ravine.errors import RavineError, WrongCall
from ravine.folder import LOCK
from ravine.outcome import PAGES
from ravine.racing import plan, provenance
from ravine.racing.choices import choose
from ravine.racing.store import Curve, Store
from ravine.tasks import TASKS

SMALL = ["--rules", "adam(beta_1=0.8)", "--learning-rates", "0.01,0.1,30,1e20"]
SMALL += ["--seeds", "2", "--fresh-seeds", "2", "--epochs", "3"]
RAVINE = [sys.executable, "-m", "ravine"]


def command(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    words = [*RAVINE, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def stored(folder: Path) -> list[Curve]:
    with closing(Store(folder)) as store:
        return store.curves()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished race, made on the command line."""
    folder = tmp_path_factory.mktemp("race") / "out"
    done = command("race", *SMALL, "--out", folder)
    (folder.parent / "stdout").write_text(done.stdout, encoding="utf-8")
    (folder.parent / "stderr").write_text(done.stderr, encoding="utf-8")
    return folder


def test_a_race_leaves_what_it_promises(folder: Path) -> None:
    assert sorted(file.name for file in folder.iterdir()) == [
        "best.keras",
        "curves.png",
        "curves.svg",
        "race.sqlite",
        "report.html",
        "verdict.json",
    ]
    said = (folder.parent / "stdout").read_text(encoding="utf-8")
    content = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert content["verdict"] in said
    assert str(folder / "report.html") in said
    assert content["task"] == "digits-mlp"
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
    progress = (folder.parent / "stderr").read_text(encoding="utf-8").splitlines()
    assert any("30 runs of 99 steps" in line for line in progress)
    assert any("30/30 runs" in line for line in progress)


def test_equal_seeds_start_equal_whatever_the_rule(folder: Path) -> None:
    by_seed: dict[int, set[tuple[str, str, float]]] = {}
    for curve in stored(folder):
        start = (curve.weights_digest, curve.batches_digest, float(curve.measures[0, 1, 0]))
        by_seed.setdefault(curve.run.seed, set()).add(start)
    assert len(by_seed) == 2 + 10 + 2
    assert all(len(starts) == 1 for starts in by_seed.values())
    # And each seed is its own.
    assert all(len({s[i] for starts in by_seed.values() for s in starts}) == 14 for i in range(3))


def test_divergence_is_a_result(folder: Path) -> None:
    diverged = [c for c in stored(folder) if verdict.diverged_at(c, verdict.VALIDATION)]
    assert {c.run.learning_rate for c in diverged} == {30.0, 1e20}
    for curve in diverged:
        at = verdict.diverged_at(curve, verdict.VALIDATION)
        assert at is not None
        assert np.isfinite(curve.losses[: at - 1]).all()
        if curve.run.learning_rate == 1e20:
            assert np.isnan(curve.losses[at - 1 :]).all()
        else:  # finite to the end, and above its start
            assert at == (12 if curve.stopped else 99) == len(curve.losses)
    assert "30" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_race_from_python(
    folder: Path, tmp_path: Path, assert_same: Callable[..., None]
) -> None:
    race = ravine.race(
        "digits-mlp",
        rules=[ravine.Adam(beta_1=0.8)],
        learning_rates=[0.1, 0.01, 1e20, 30],
        seeds=2,
        fresh_seeds=2,
        epochs=3,
        out=tmp_path / "out",
        workers=1,
        progress=False,
    )
    # One worker or two, command line or Python: the same numbers.
    assert_same(stored(folder), stored(tmp_path / "out"))
    assert str(race.verdict) == str(ravine.Race.open(folder).verdict)
    assert race.leaderboard["rule"].tolist() == [s.rule for s in race.verdict.standings]
    curves = race.curves()
    assert list(curves.columns) == (
        ["rule", "learning_rate", "seed", "stage", "step", "metric", "split", "value"]
    )
    run = curves.query("rule == 'sgd' and learning_rate == 0.1 and stage == 'tuning' and seed == 0")
    assert run.query("split == 'train'")["step"].tolist() == list(range(1, 100))
    assert run.query("split == 'test' and metric == 'accuracy'")["step"].tolist() == (
        list(range(100))
    )
    assert isinstance(race.leaderboard, pd.DataFrame)
    assert race.report(tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype")
    assert race.winner.rule in ("sgd", "adam(beta_1=0.8)")


def test_the_winners_model_is_its_best_run(folder: Path) -> None:
    race = ravine.Race.open(folder)
    assert race.best is not None
    assert race.best["note"] == ""  # trained once more, it gave the same bits
    curve = next(c for c in stored(folder) if c.run.id == race.best["run"])
    own = [c for c in stored(folder) if c.run.stage == "fresh" and c.run.rule == race.winner.rule]
    ends = [c.measures[-1, verdict.VALIDATION, 0] for c in own]
    assert curve.measures[-1, verdict.VALIDATION, 0] == min(ends)
    x, y = TASKS["digits-mlp"].load().test
    right = np.asarray(race.winner.model().predict(x, verbose=0)).argmax(1) == y
    assert right.mean() == pytest.approx(race.best["test"]["accuracy"], abs=1e-6)
    assert race.code == race.results.code


def test_segments_change_no_curve(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_same: Callable[..., None],
) -> None:
    monkeypatch.setattr(plan, "SEGMENT_ROWS", plan.LANES * 32 * 33)  # 33 periods of a step
    out = tmp_path / "out"
    ravine.race(
        "digits-mlp",
        rules=["adam(beta_1=0.8)"],
        learning_rates="0.01,0.1,30,1e20",
        seeds=2,
        fresh_seeds=2,
        epochs=3,
        out=out,
        progress=False,
    )
    ours, theirs = (ravine.Race.open(at).best or {} for at in (out, folder))
    assert ours | {"run": ""} == theirs | {"run": ""}
    store = Store(out)
    assert store.plan.cuts("fresh") == (33, 66, 99)
    assert store.plan.cuts("tuning") == (12, 25, 50, 83, 99)
    store.close()
    assert_same(stored(folder), stored(out), ids=False)


def test_early_stopping_changes_no_verdict(tmp_path: Path) -> None:
    same = {"rules": "sgd,adam", "learning_rates": "1e-4:1:5", "epochs": 4, "seeds": 2}
    same |= {"fresh_seeds": 6, "progress": False}
    early = ravine.race(**same, workers=2, out=tmp_path / "early")  # type: ignore[arg-type]
    whole = ravine.race(**same, workers=1, early_stopping=False, out=tmp_path / "whole")  # type: ignore[arg-type]
    assert str(early.verdict) == str(whole.verdict)
    # But the cliff, a run that was stopped being as bad as it was then; and what was timed.
    other_ways = ["cliff", "speedup_seconds", "seconds_to_target"]
    boards = [r.leaderboard.drop(columns=other_ways) for r in (early, whole)]
    pd.testing.assert_frame_equal(*boards)
    rest = {c.run.id: c for c in stored(tmp_path / "whole")}
    stopped = [c for c in stored(tmp_path / "early") if c.stopped]
    assert {c.run.stage for c in stopped} == {"tuning"}
    assert {len(c.measures) - 1 for c in stopped} <= set(early.results.plan.rungs)
    for curve in stored(tmp_path / "early"):  # as far as they went, the same
        other = rest[curve.run.id]
        assert curve.losses.tobytes() == other.losses[: len(curve.losses)].tobytes()
        assert curve.measures.tobytes() == other.measures[: len(curve.measures)].tobytes()
    assert early.results.stopped == len(stopped) > 0
    assert early.results.saved > 0.1
    assert whole.results.stopped == whole.results.saved == 0
    content = json.loads((tmp_path / "early" / "verdict.json").read_text(encoding="utf-8"))
    assert content["stopped_early"]["runs"] == len(stopped)
    assert "stopped early" in (tmp_path / "early" / "report.html").read_text(encoding="utf-8")
    content = json.loads((tmp_path / "whole" / "verdict.json").read_text(encoding="utf-8"))
    assert "early_stopping" not in content["protocol"]
    assert "--no-early-stopping" in (tmp_path / "whole" / "report.html").read_text(encoding="utf-8")


def test_a_race_that_is_interrupted_and_killed_goes_on(
    folder: Path, tmp_path: Path, assert_same: Callable[..., None]
) -> None:
    out = tmp_path / "out"

    def disturbed(words: Sequence[str | Path], how: signal.Signals) -> tuple[int, str]:
        """Send a signal to all the processes of a race that has begun to finish runs."""
        with subprocess.Popen(
            [*RAVINE, *map(str, words)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stderr is not None
            heard = ""
            for line in process.stderr:
                heard += line
                if re.search(r"\d/30 runs", line):
                    os.killpg(process.pid, how)
                    break
            heard += process.stderr.read()
        return process.returncode, heard

    code, heard = disturbed(["race", *SMALL, "--out", out], signal.SIGINT)
    assert code == 130
    assert f"go on with: ravine resume {out}" in heard
    assert "Traceback" not in heard
    with pytest.raises(RavineError, match="unfinished"):
        _ = ravine.Race.open(out).verdict
    kept = len(stored(out))
    assert 0 < kept < 30

    code, heard = disturbed(["resume", out], signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert f"{kept} of them stored already" in heard

    command("resume", out)
    assert_same(stored(folder), stored(out))
    assert ravine.Race.open(out).finished
    assert not (out / "work").exists()
    assert "Report:" in command("resume", out).stdout  # nothing left to do is no fault


def test_a_race_that_has_changed_does_not_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(folder)
    meta = {k: store.read_meta(k) for k in ("plan", "rules", "machine", "versions", "command")}
    store.close()
    Store.create(tmp_path, meta | {"versions": meta["versions"] | {"jax": "0.0.1"}}).close()
    with pytest.raises(WrongCall, match=r"cannot go on with jax \S+ instead of 0\.0\.1"):
        ravine.resume(tmp_path, progress=False)
    # Nor one that somebody else runs at this moment.
    with FileLock(tmp_path / LOCK), pytest.raises(WrongCall, match="by another ravine"):
        ravine.resume(tmp_path, progress=False)


def test_a_race_of_a_newer_ravine_is_left_alone(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    with sqlite3.connect(out / "race.sqlite") as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    db.close()
    before = (out / "race.sqlite").read_bytes()
    for go_on in (ravine.resume, ravine.Race.open):
        with pytest.raises(RavineError, match="has format 99; this ravine reads formats 1 to"):
            go_on(out)
    assert (out / "race.sqlite").read_bytes() == before


def test_of_two_races_into_one_folder_one_is_run(tmp_path: Path) -> None:
    words = ["race", "--rules", "sgd", "--learning-rates", "0.1", "--epochs", "1"]
    words += ["--seeds", "1", "--fresh-seeds", "1", "--out", str(tmp_path / "out")]
    with (
        subprocess.Popen([*RAVINE, *words], stderr=subprocess.PIPE, text=True) as one,
        subprocess.Popen([*RAVINE, *words], stderr=subprocess.PIPE, text=True) as other,
    ):
        said = {process.communicate()[1]: process.returncode for process in (one, other)}
    assert sorted(said.values()) == [0, 2]
    (refused,) = (heard for heard, code in said.items() if code == 2)
    assert len(refused.splitlines()) == 1
    assert sorted(os.listdir(tmp_path / "out")) == sorted([*PAGES, "best.keras", "race.sqlite"])


@pytest.mark.parametrize("running", [True, False])
def test_who_comes_late_into_a_folder_touches_nothing(
    running: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, locked = tmp_path / "out", api.locked

    @contextmanager
    def late(folder: Path) -> Iterator[None]:
        """Another race began in that folder since this one saw that it was new."""
        (folder / "work").mkdir(parents=True)
        (folder / "work" / "theirs").touch()
        with FileLock(folder / LOCK) if running else nullcontext(), locked(folder):
            yield

    monkeypatch.setattr(api, "locked", late)
    with pytest.raises(WrongCall, match="by another ravine" if running else "is not empty"):
        ravine.race(rules="sgd", out=out, progress=False)
    assert (out / "work" / "theirs").exists()


def test_where_nothing_can_be_written_an_error_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    unfinished = tmp_path / "unfinished"
    shutil.copytree(folder, unfinished)
    with sqlite3.connect(unfinished / "race.sqlite") as db:
        db.execute("DELETE FROM segments")
    db.close()
    before = {file: file.read_bytes() for at in (folder, unfinished) for file in at.iterdir()}
    monkeypatch.setattr(FileLock, "acquire", refused)
    for wanted in (
        lambda: ravine.race(rules="sgd", out=tmp_path / "out", progress=False),
        lambda: ravine.resume(unfinished, progress=False),
        lambda: ravine.Race.open(folder).publish(),
    ):
        with pytest.raises(WrongCall, match=r"cannot write to '.*': Read-only file system"):
            wanted()
    assert {file: file.read_bytes() for at in (folder, unfinished) for file in at.iterdir()} == (
        before
    )
    assert not (tmp_path / "out").exists()


def test_killed_while_publishing_it_publishes_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    (out / "report.html").unlink()
    pages = {page: (out / page).read_bytes() for page in PAGES if page != "report.html"}
    killed = f"""
import os, signal, ravine
from ravine.pages import report
report.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
ravine.resume({str(out)!r})
"""
    done = subprocess.run([sys.executable, "-c", killed], check=False)
    assert done.returncode == -signal.SIGKILL
    assert {page: (out / page).read_bytes() for page in pages} == pages
    assert not (out / "report.html").exists()
    ravine.resume(out)
    assert sorted(os.listdir(out)) == sorted(os.listdir(folder))
    before = {file.name: file.stat().st_mtime_ns for file in out.iterdir()}
    ravine.resume(out)
    assert {file.name: file.stat().st_mtime_ns for file in out.iterdir()} == before


def test_a_notebook_goes_on_after_an_interrupt(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_same: Callable[..., None],
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(api.Driver, "run", interrupted)
        with pytest.raises(KeyboardInterrupt) as caught:
            ravine.race(
                rules="adam(beta_1=0.8)",
                learning_rates="0.01,0.1,30,1e20",
                seeds=2,
                fresh_seeds=2,
                epochs=3,
                out=out,
                progress=False,
            )
    # Notebooks hold on to the last traceback, and with it to all that the race had open.
    assert caught.tb is not None
    assert "ravine resume" in caught.value.__notes__[0]
    ravine.resume(out, progress=False)
    assert_same(stored(folder), stored(out))


def test_a_race_of_own_rules_says_how_it_goes_on(tmp_path: Path) -> None:
    @ravine.rule
    class Mine(ravine.SGD):
        """A rule that ravine does not ship."""

    choices, rules = choose(TASKS["digits-mlp"], [Mine()], None, 1, 1, 1, 32)
    settled = plan.settle(choices, rules, plan.Facts(10, (64, 8, 8), ("loss",), "0"))
    meta = {"plan": settled.to_json(), "rules": {}, "versions": {}}
    Store.create(tmp_path, meta).close()
    with pytest.raises(
        WrongCall, match=r"go on from Python: ravine\.resume\('.*', rules=\[mine\]\)"
    ):
        ravine.resume(tmp_path)
    with pytest.raises(WrongCall, match="have changed since it was planned"):
        ravine.resume(tmp_path, rules=[Mine], workers=1, progress=False)  # it was of other data
    said = provenance.command(choices, TASKS["digits-mlp"])
    assert said.startswith("ravine.race('digits-mlp', rules=['sgd', mine], seeds=1")


WRAPPED = [
    "decay(adam, weight_decay=0.1)",
    "clip(momentum, global_clipnorm=1)",
    "partition(momentum)",
    "l2(clip(nesterov, clipnorm=1))",
]


@pytest.fixture(scope="session")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race of rules that hold rules, all of them on a schedule."""
    folder = tmp_path_factory.mktemp("scheduled") / "out"
    arguments = ["--rules", ",".join(WRAPPED), "--schedule", "cosine(warmup=0.1)", "--epochs", "2"]
    grid = ["--learning-rates", "0.01,0.1", "--seeds", "1", "--fresh-seeds", "1"]
    command("race", *arguments, *grid, "--out", folder)
    return folder


def test_a_race_of_wrapped_rules_on_a_schedule(scheduled: Path) -> None:
    content = json.loads((scheduled / "verdict.json").read_text(encoding="utf-8"))
    assert {rule["rule"] for rule in content["rules"]} == {"sgd", *WRAPPED}
    assert content["protocol"]["schedule"] == "cosine(warmup=0.1)"
    by_name = {rule["rule"]: rule["hyperparameters"] for rule in content["rules"]}
    assert by_name["decay(adam, weight_decay=0.1)"]["weight_decay"] == 0.1
    assert by_name["partition(momentum)"]["biases_rate"] is None
    report = (scheduled / "report.html").read_text(encoding="utf-8")
    assert "cosine(warmup=0.1), of every rule" in report
    assert "--schedule &#39;cosine(warmup=0.1)&#39;" in report
    assert ravine.Race.open(scheduled).finished


def test_the_schedule_is_felt_and_kept(
    scheduled: Path, tmp_path: Path, assert_same: Callable[..., None]
) -> None:
    same = {"rules": "sgd", "learning_rates": "0.01,0.1", "epochs": 2, "seeds": 1}
    same |= {"fresh_seeds": 1, "progress": False}
    ravine.race(**same, out=tmp_path / "constant")
    plain = {(c.run.seed, c.run.learning_rate): c for c in stored(tmp_path / "constant")}
    felt = [c for c in stored(scheduled) if c.run.rule == "sgd" and c.run.stage == "tuning"]
    for curve in felt:
        other = plain[curve.run.seed, curve.run.learning_rate]
        assert curve.run.id != other.run.id
        assert curve.losses[0] == other.losses[0]
        both = slice(1, min(len(curve.losses), len(other.losses)))
        assert (curve.losses[both] != other.losses[both]).all()
    # Stopped half way and resumed: what the store says is what is raced.
    half = tmp_path / "half"
    shutil.copytree(scheduled, half)
    with sqlite3.connect(half / "race.sqlite") as db:
        db.execute(
            "DELETE FROM segments WHERE run IN (SELECT id FROM runs WHERE stage != 'tuning')"
        )
    db.close()
    ravine.resume(half, progress=False)
    assert_same(stored(half), stored(scheduled))


def test_looking_at_a_race_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert ravine.Race.open(folder).finished
    monkeypatch.setattr(os, "access", lambda *_: False)  # as on a read-only file system
    assert ravine.Race.open(folder).finished
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_a_folder_that_was_there_before_stays(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    command("race", "--batch-size", "5000", "--out", mine, code=2)
    assert list(mine.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rules", "adm"], "unknown rule 'adm': did you mean 'adam'?"),
        (["digit-mlp"], "unknown task 'digit-mlp': did you mean 'digits-mlp'?"),
        (["--rules", "adam(beta_1=1)"], "beta_1=1 is not allowed"),
        (["--rules", "adam(beta1=0.5)"], "did you mean 'beta_1'?"),
        (["--learning-rates", "0:1:9"], "must be > 0"),
        (["--learning-rates", "1:0.1:9"], "run backwards"),
        (["--seeds", "0"], "seeds=0"),
        (["--fresh-seeds", "0"], "fresh_seeds=0"),
        (["--workers", "-1"], "workers=-1"),
        (["--schedule", "cosin"], "unknown schedule 'cosin': did you mean 'cosine'?"),
        (["--rules", "decay(adamw)"], "adamw already has a weight_decay of its own"),
        (["--batch-size", "5000"], "larger than the training data"),
    ],
)
def test_a_wrong_call_is_one_line_and_leaves_nothing(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    done = command("race", *arguments, "--out", tmp_path / "out", code=2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious", encoding="utf-8")
    assert "is not empty" in command("race", "--out", tmp_path, code=2).stderr
    assert "is a file" in command("race", "--out", tmp_path / "mine", code=2).stderr
    assert "cannot write to" in command("race", "--out", tmp_path / "mine" / "a", code=2).stderr
    assert "holds a race already" in command("race", "--out", folder, code=2).stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_script_without_a_main_guard_that_has_keras_on_tensorflow(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """
import os
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import ravine

@ravine.rule
class Halving(ravine.Rule):
    "Gradient descent whose step halves; a rule that ravine has never heard of."
    learning_rate: float = ravine.hyper(0.1, "length of a step", unit="w/g", valid="> 0")

    def update(self, w, g, state, t):
        return w - self.learning_rate * 0.5**t * g, state

def line():
    import numpy as np
    from ravine.tasks.task import Data, Split
    x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    return Data(*[Split(x, 3 * x)] * 3)

def model():
    import keras
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

def squared(y_true, y_pred):
    return (y_true - y_pred)[:, 0] ** 2

task = ravine.Task("line", "a line through points", model, line, squared, {}, 1, 8)
race = ravine.race(task, rules=[Halving], learning_rates=[0.1, 1], seeds=1, fresh_seeds=1,
                   out="out", progress=False)
assert keras.backend.backend() == "tensorflow"
print(*sorted(race.leaderboard["rule"]))
""",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["halving", "sgd"]
