"""A finished race grows, and its claim is run again; races with all that a plan may hold."""

import dataclasses
import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravine
from ravine.analysis.replication import Check
from ravine.errors import InvalidArgument
from ravine.execution import session
from ravine.experiment.curve import Curve
from ravine.experiment.plan import repetition_of
from ravine.storage import provenance
from ravine.storage.store import STEP_SECONDS, Store
from ravine.tasks import TASKS
from ravine.tasks.task import Data, Split, Task

pytestmark = pytest.mark.usefixtures("compiled_quickly", "no_charts")
SMALL: Any = {"learning_rates": [0.05, 0.3], "tuning_seeds": 1, "eval_seeds": 6}
HERE: Any = {"workers": 0, "progress": False}


def stored(folder: Path) -> dict[str, Curve]:
    store = Store(folder, reading=True)
    try:
        return {curve.run.id: curve for curve in store.curves()}
    finally:
        store.close()


def assert_same(one: dict[str, Curve], other: dict[str, Curve]) -> None:
    assert set(one) == set(other)
    for id_, curve in one.items():
        assert curve.losses.tobytes() == other[id_].losses.tobytes()
        assert curve.measures.tobytes() == other[id_].measures.tobytes()


@pytest.fixture(scope="module")
def task(tiny_task: Task) -> Task:
    """A line through points with noise, other ones in each split, and a second measure."""

    def points() -> Data:
        draw = np.random.default_rng(0)
        x = draw.uniform(-0.3, 0.3, (3, 64, 1)).astype("float32")
        y = 10 * x + 1 + draw.normal(0, 0.1, x.shape).astype("float32")
        return Data(*map(Split, x, y))

    def near(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred)[:, 0] ** 2 < 1

    return dataclasses.replace(tiny_task, load=points, metrics={"accuracy": near})


@pytest.fixture(scope="module")
def raced(task: Task, compiled_quickly: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished race, which Adam wins: the slope is far, and it walks there."""
    folder = tmp_path_factory.mktemp("again") / "race"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "publish_pages", lambda race: None)
        patch.setattr(session.vega, "prepare", lambda: None)
        ravine.race(task, rules=["sgd", "adam"], **SMALL, **HERE, out=folder)
    return folder


@pytest.fixture
def finished(raced: Path, tmp_path: Path, no_pages: None) -> Path:
    """A copy of it, for this test alone."""
    return Path(shutil.copytree(raced, tmp_path / "race"))


def test_a_step_of_every_rule_was_timed(raced: Path) -> None:
    standings = ravine.Race.open(raced).verdict.standings
    seconds = {s.rule: s.step_seconds for s in standings}
    assert all(value is not None and 1e-7 < value < 1e-2 for value in seconds.values())
    adam = next(s for s in standings if s.rule == "adam")
    assert adam.speedup_seconds is not None
    assert adam.seconds_to_target is not None


def test_where_steps_take_longer_the_speedup_in_seconds_is_lower(finished: Path) -> None:
    """By as much, as Adam has all targets behind it before gradient descent's runs end."""
    with closing(Store(finished)) as store:
        store.write_meta(STEP_SECONDS, {"sgd": [1e-6], "adam": [1.25e-6]})
    adam = next(s for s in ravine.Race.open(finished).verdict.standings if s.rule == "adam")
    assert adam.steps_to_target.high < 40 / 1.25
    assert adam.speedup_seconds is not None
    assert adam.speedup_seconds == pytest.approx([ratio / 1.25 for ratio in adam.speedup])


def test_a_claim_is_run_again_on_unused_seeds(finished: Path, task: Task) -> None:
    before = ravine.Race.open(finished)
    first = ravine.replicate(finished, seeds=6, task=task, **HERE)
    assert (first.check.rule, first.check.seeds) == (before.winner.rule, 6)
    assert first.check.target.value == before.verdict.target
    assert first.held
    # As a second call would, which finds the first one whole, take the seeds after it.
    second = ravine.replicate(finished, seeds=1, task=task, **HERE)
    assert second.check.repetition == first.check.repetition + 1
    assert not second.held  # one seed proves nothing
    assert "did not hold" in str(second)
    after = ravine.Race.open(finished)
    new = {c.run.id: c.run.seed for c in after.stored}
    for curve in before.stored:
        del new[curve.run.id]
    seeds = new.values()
    assert {repetition_of(seed) for seed in seeds} == {1, 2}
    assert len(new) == 2 * 6 + 2
    # The race is what it was, but for what is said of the checks.
    assert after.verdict == before.verdict
    assert after.checked == (first, second)
    said = json.loads(after.results.to_json())["checks"]
    assert [check["held"] for check in said] == [first.held, False]
    assert "unused seeds" in after.report().read_text(encoding="utf-8")


def test_a_check_that_was_interrupted_goes_on(
    finished: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Check, "due", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ravine.replicate(finished, seeds=2, task=task, **HERE)
    # Nothing of it is lost or in the way: the race is finished, and the same check is done now.
    assert ravine.Race.open(finished).finished
    assert ravine.replicate(finished, seeds=2, task=task, **HERE).check.repetition == 1
    assert len(ravine.Race.open(finished).checks) == 1


def test_a_race_that_grew_is_the_race_that_had_all_rules_at_once(
    finished: Path, task: Task, tmp_path: Path
) -> None:
    grown = ravine.extend(finished, ["nadam"], task=task, **HERE)
    at_once = ravine.race(
        task,
        rules=["sgd", "adam", "nadam"],
        out=tmp_path / "at once",
        **SMALL,
        **HERE,
    )
    assert_same(stored(finished), stored(tmp_path / "at once"))
    assert grown.verdict.sentence.split(" (")[0] == at_once.verdict.sentence.split(" (")[0]
    assert grown.meta["command"] == at_once.meta["command"]
    assert all(s.step_seconds for s in grown.verdict.standings)
    with pytest.raises(InvalidArgument, match="nadam: already in the race"):
        ravine.extend(finished, ["nadam"], task=task, **HERE)


def test_a_race_that_is_not_finished_does_neither(finished: Path) -> None:
    with sqlite3.connect(finished / "race.sqlite") as db:
        db.execute(
            "DELETE FROM segments WHERE run = (SELECT id FROM runs WHERE stage = 'evaluation')"
        )
    db.close()
    for verb in (lambda: ravine.extend(finished, ["nadam"]), lambda: ravine.replicate(finished)):
        with pytest.raises(
            InvalidArgument, match=f"is unfinished: first 'ravine resume {finished}'"
        ):
            verb()


def test_all_that_a_plan_may_hold_is_raced(task: Task, tmp_path: Path, no_pages: None) -> None:
    """Two repetitions, a decay, another hyperparameter, a target of the user's own; interrupted."""
    race = ravine.race(
        task,
        rules=["sgd", "adam"],
        tuning_seeds=2,
        eval_seeds=2,
        epochs=12,
        schedule="cosine",
        target="accuracy>=0.5",
        repetitions=2,
        search="beta_2",
        trials=3,
        out=tmp_path / "race",
        **HERE,
    )
    curves = stored(tmp_path / "race")
    count = Counter(curve.run.stage for curve in curves.values())
    assert all(len(curve.losses) == curve.run.steps for curve in curves.values())
    assert count["evaluation"] == 2 * 2 * 2
    # All rates of both rules and repetitions on the first seed, those near the best on the second
    # too.
    assert 2 * 2 * 3 < count["tuning"] <= 2 * 2 * 3 * 2
    lengths = len(race.plan.horizons("adam"))
    assert lengths > 2
    assert count["shorter"] == (lengths - 1) * (count["tuning"] + count["evaluation"])
    assert race.verdict.measure == "accuracy"
    assert race.verdict.sentence.startswith("Too few repetitions")
    adam = next(s for s in race.verdict.standings if s.rule == "adam")
    assert adam.hyperparameters["beta_2"] in race.plan.choices.others["adam"]["beta_2"]
    # A decay over half the steps is another curve from the second step on, from the same start.
    by_steps = {
        c.run.steps: c for c in curves.values() if c.run.rule == "sgd" and c.run.seed == 2_000_000
    }
    whole, *_, shortest = (by_steps[steps] for steps in race.plan.horizons("sgd"))
    assert whole.losses[0] == shortest.losses[0]
    early = slice(1, shortest.run.steps)
    assert (whole.losses[early] != shortest.losses[early]).any()
    # Its searched hyperparameter is felt: the same rate and seed under another beta_2 differs.
    of_ours = dataclasses.replace(race.plan.choices, task="digits-mlp")
    options = provenance.command(of_ours, TASKS["digits-mlp"])
    for part in ("--search beta_2", "--trials 3", "--repetitions 2", "--target 'accuracy>=0.5'"):
        assert part in options
    # Lost from the judging on, and resumed: bit for bit the same.
    half = tmp_path / "half"
    shutil.copytree(tmp_path / "race", half)
    with sqlite3.connect(half / "race.sqlite") as db:
        db.execute(
            "DELETE FROM segments WHERE run IN (SELECT id FROM runs WHERE stage != 'tuning')"
        )
        db.execute("DELETE FROM meta WHERE key = 'step_seconds'")
    db.close()
    ravine.resume(half, task=task, **HERE)
    assert_same(stored(half), curves)


def test_a_searched_hyperparameter_reaches_the_rule(
    task: Task, tmp_path: Path, no_pages: None
) -> None:
    """Two trials at nearly one rate, with momentum 0 and 0.9: only one of them is descent."""
    race = ravine.race(
        task,
        rules=["sgd", "momentum"],
        learning_rates=[0.1, 0.1000001],
        search="momentum=0:0.98",
        tuning_seeds=1,
        eval_seeds=1,
        epochs=1,
        early_stopping=False,
        out=tmp_path / "race",
        **HERE,
    )
    columns = race.plan.choices.others["momentum"]["momentum"]
    assert len(set(columns)) == 2
    tuned = {
        (c.run.rule, c.run.learning_rate): c.losses
        for c in stored(tmp_path / "race").values()
        if c.run.stage == "tuning"
    }
    one, other = (tuned["momentum", rate] for rate in (0.1, 0.1000001))
    assert np.abs(one - other).max() > 0.01
    same = [tuned["sgd", rate] for rate in (0.1, 0.1000001)]
    assert np.abs(same[0] - same[1]).max() < 1e-4


def test_a_grid_that_proves_too_narrow_is_widened_for_all(
    task: Task, tmp_path: Path, no_pages: None
) -> None:
    low = dict.fromkeys(("sgd", "adam"), (1e-7, 1e-3))
    race = ravine.race(
        dataclasses.replace(task, learning_rates=low),
        rules=["sgd", "adam"],
        tuning_seeds=1,
        eval_seeds=1,
        epochs=1,
        trials=5,
        out=tmp_path / "race",
        **HERE,
    )
    assert race.plan.choices.widened == {"sgd": 2, "adam": 2}
    assert {len(rates) for rates in race.plan.choices.learning_rates.values()} == {7}
    # The best is the highest still, which has finer rates at one side alone: two of four.
    assert all(s.at_edge for s in race.verdict.standings)
    assert len(stored(tmp_path / "race")) == (7 + 2) * 2 + 10 + 2
    assert race.plan.count == (7 + 4) * 2 + 10 + 2
    content = json.loads(race.results.to_json())
    assert content["protocol"]["widened_decades"] == {"sgd": 2, "adam": 2}
    assert "2 decades wider" in content["protocol"]["tuning"]
