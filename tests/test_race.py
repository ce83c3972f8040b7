"""Races in this process: how they are cut, stopped, scheduled and gone on with changes nothing."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from tests.conftest import pages_unwritten

import ravine
from ravine.errors import InvalidArgument
from ravine.experiment import plan
from ravine.experiment.config import choose
from ravine.storage import provenance
from ravine.storage.race_dir import LOCK
from ravine.storage.store import Store
from ravine.tasks import TASKS
from ravine.tasks.task import Task

# Keras on JAX saves arrays in a way that NumPy 2 has warned of since.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HERE: dict[str, Any] = {"workers": 0, "progress": False}
WRAPPED = [
    "decay(adam, weight_decay=0.1)",
    "partition(momentum)",
    "l2(clip(nesterov, clipnorm=1))",
]
SHORT: dict[str, Any] = {
    "learning_rates": "0.01,0.1",
    "epochs": 5,
    "tuning_seeds": 1,
    "eval_seeds": 1,
}


@pytest.fixture(scope="module", autouse=True)
def quick(compiled_quickly: None) -> Iterator[None]:
    with pages_unwritten():
        yield


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> ravine.Race:
    """A race of rules that hold rules, all of them on a schedule."""
    out = tmp_path_factory.mktemp("scheduled") / "out"
    schedule = "cosine(warmup=0.1)"
    return ravine.race(
        "breast-cancer-logistic", rules=WRAPPED, schedule=schedule, **SHORT, **HERE, out=out
    )


@pytest.fixture
def words(no_charts: None, tmp_path: Path) -> Callable[[ravine.Race], str]:
    """A race's report."""
    return lambda race: race.report(tmp_path / "words.html").read_text(encoding="utf-8")


def test_neither_segments_nor_how_it_is_asked_for_change_a_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assert_same: Callable[..., None]
) -> None:
    """At the largest rate every run diverges; at some that do not Adam is stopped early."""
    small = {"epochs": 5, "tuning_seeds": 2, "eval_seeds": 2}
    text = {"rules": "adam(beta_1=0.8)", "learning_rates": "1e-4,1e-3,1e20"} | small
    objects = {"rules": [ravine.Adam(beta_1=0.8)], "learning_rates": [1e20, 1e-4, 1e-3]} | small
    whole = ravine.race("breast-cancer-logistic", **text, **HERE, out=tmp_path / "whole")
    monkeypatch.setattr(plan, "SEGMENT_ROWS", plan.LANES * 32 * 11)  # eleven steps
    cut = ravine.race("breast-cancer-logistic", **objects, **HERE, out=tmp_path / "cut")
    fresh, tuning = (
        next(c.run for c in whole.stored if c.run.stage == s) for s in ("evaluation", "tuning")
    )
    assert (whole.plan.cuts(fresh), whole.plan.cuts(tuning)) == ((50,), (6, 12, 25, 50))
    assert cut.plan.cuts(fresh) == (11, 22, 33, 44, 50)
    assert cut.plan.cuts(tuning) == (6, 12, 23, 25, 36, 47, 50)
    assert_same(whole.stored, cut.stored, ids=False)
    assert {c.run.learning_rate for c in whole.stored if c.stopped} == {1e-4, 1e20}
    ours, theirs = (race.best or {} for race in (cut, whole))
    assert ours["file"] == "best.keras"
    assert ours | {"run": ""} == theirs | {"run": ""}


def test_a_race_of_wrapped_rules_on_a_schedule(
    scheduled: ravine.Race, words: Callable[[ravine.Race], str]
) -> None:
    content = json.loads(scheduled.results.to_json())
    assert {rule["rule"] for rule in content["rules"]} == {"sgd", *WRAPPED}
    assert content["protocol"]["schedule"] == "cosine(warmup=0.1)"
    by_name = {rule["rule"]: rule["hyperparameters"] for rule in content["rules"]}
    assert by_name["decay(adam, weight_decay=0.1)"]["weight_decay"] == 0.1
    assert by_name["partition(momentum)"]["biases_rate"] is None
    page = words(scheduled)
    assert "cosine(warmup=0.1), of every rule" in page
    assert "--schedule &#39;cosine(warmup=0.1)&#39;" in page
    assert ravine.Race.open(scheduled.folder).finished


def test_the_schedule_is_felt_and_kept(
    scheduled: ravine.Race, tmp_path: Path, assert_same: Callable[..., None]
) -> None:
    constant = ravine.race(
        "breast-cancer-logistic", rules="sgd", **SHORT, **HERE, out=tmp_path / "one"
    )
    plain = {(c.run.seed, c.run.learning_rate): c for c in constant.stored}
    felt = [c for c in scheduled.stored if c.run.rule == "sgd" and c.run.stage == "tuning"]
    assert felt
    for curve in felt:
        other = plain[curve.run.seed, curve.run.learning_rate]
        assert curve.run.id != other.run.id
        assert curve.losses[0] == other.losses[0]
        both = slice(1, min(len(curve.losses), len(other.losses)))
        assert (curve.losses[both] != other.losses[both]).all()
    # Stopped half way and resumed: what the store says is what is raced.
    half = tmp_path / "half"
    shutil.copytree(scheduled.folder, half)
    with closing(sqlite3.connect(half / "race.sqlite")) as db, db:
        db.execute(
            "DELETE FROM segments WHERE run IN (SELECT id FROM runs WHERE stage != 'tuning')"
        )
    assert_same(ravine.resume(half, **HERE).stored, scheduled.stored)


def test_a_race_that_has_changed_does_not_go_on(
    tiny_task: Task, tiny_race: Path, tmp_path: Path
) -> None:
    with closing(Store(tiny_race, reading=True)) as store:
        meta = {k: store.read_meta(k) for k in ("plan", "rules", "machine", "versions", "command")}
    Store.create(tmp_path, meta | {"versions": meta["versions"] | {"jax": "0.0.1"}}).close()
    with pytest.raises(InvalidArgument, match=r"cannot go on with jax \S+ instead of 0\.0\.1"):
        ravine.resume(tmp_path, task=tiny_task, **HERE)
    # Nor one that somebody else runs at this moment.
    with FileLock(tmp_path / LOCK), pytest.raises(InvalidArgument, match="by another ravine"):
        ravine.resume(tmp_path, task=tiny_task, **HERE)


def test_a_race_of_own_rules_says_how_it_goes_on(tmp_path: Path) -> None:
    @ravine.rule
    class Mine(ravine.SGD):
        """A rule that ravine does not ship."""

    choices, rules = choose(TASKS["digits-mlp"], [Mine()], None, 1, 1, 1, 32)
    settled = plan.make_plan(choices, rules, plan.TaskInfo(10, (64, 8, 8), ("loss",), "0"))
    held = {name: rule.values() for name, rule in rules.items()}
    meta = {"plan": settled.to_json(), "rules": held, "versions": {}}
    Store.create(tmp_path, meta).close()
    with pytest.raises(
        InvalidArgument, match=r"go on from Python: ravine\.resume\('.*', rules=\[mine\]\)"
    ):
        ravine.resume(tmp_path)
    with pytest.raises(InvalidArgument, match="have changed since it was planned"):
        ravine.resume(tmp_path, rules=[Mine], **HERE)  # it was of other data
    said = provenance.command(choices, TASKS["digits-mlp"])
    assert said.startswith("ravine.race('digits-mlp', rules=['sgd', mine], tuning_seeds=1")
