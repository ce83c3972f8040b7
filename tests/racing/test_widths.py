"""How many lanes: the fastest for the whole race, found with as few trials as will do."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ravine.racing import widths
from ravine.racing.choices import choose
from ravine.racing.crew import Place
from ravine.racing.engines import GPU
from ravine.racing.plan import Facts, Plan, settle
from ravine.racing.pool import Job, Source
from ravine.rules import SGD, Adam
from ravine.tasks import TASKS


@pytest.fixture
def plan() -> Plan:
    choices, rules = choose(TASKS["digits-mlp"], [SGD(), Adam()], None, 3, 12, 900, 32)
    return settle(choices, rules, Facts(1000, (1078, 359, 360), ("loss",), "0", 6000.0))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAVINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Machine:
    """A pool whose steps take as long as it is told; a width it is not told of kills its worker."""

    def __init__(self, seconds: Mapping[int, float]) -> None:
        self.seconds = seconds
        self.timed: list[int] = []
        self.doing: list[str] = []
        self.place = Place("this machine", {"processor": "a fast one"}, math.inf)

    def work(self, source: Source) -> None:
        while True:
            source.handed_out()
            jobs = [(worker, job) for worker in (0, 1) if (job := source.take(worker))]
            if not jobs:
                return
            for worker, job in jobs:
                self.do(source, worker, job)

    def do(self, source: Source, worker: int, job: Job) -> None:
        assert worker == 0 or job.name == "time"
        if job.name != "time":
            source.done(worker, job, None)
            return
        width = job.arguments["plan"].width
        self.timed.append(width)
        if width in self.seconds:
            source.done(worker, job, self.seconds[width])
        else:
            source.lost(worker, job, "no memory")

    def fit(self, plan: Plan, work: Path) -> int:
        pool: Any = self
        return widths.fitted(plan, b"", pool, work, lambda _, what: self.doing.append(what)).width


def test_unused_lanes_count(plan: Plan) -> None:
    # 27 tuning runs a rule, 12 fresh ones, 10 of the reference: 88 runs in all.
    assert widths.best(plan, {1: 1.0, 4: 3.9}) == 1  # of 24 packs six lanes are not used
    assert widths.best(plan, {1: 1.0, 4: 3.0}) == 4
    assert widths.best(plan, {1: 1.0, 32: 20.0}) == 1
    assert widths.best(plan, {2: 1.0, 1: 0.5}) == 1  # of equals, fewer


def test_more_lanes_are_tried_as_long_as_they_gain(plan: Plan, tmp_path: Path) -> None:
    slower = Machine({1: 1.0, 2: 2.1, 4: 4.2, 8: 8.4, 16: 16.8})
    assert slower.fit(plan, tmp_path) == 1
    assert slower.timed == [1, 2, 4, 8]  # two are timed at once; the second two gained nothing
    assert slower.doing == ["timing how many lanes are fastest"]


def test_on_a_gpu_as_many_are_tried_as_can_go_together(tmp_path: Path) -> None:
    """A small race before it decides nothing."""
    facts = Facts(1000, (1078, 359, 360), ("loss",), "0", 6000.0, engine=GPU)
    for seeds, most in ((3, 32), (40, 512)):
        choices, rules = choose(TASKS["digits-mlp"], [SGD(), Adam()], None, seeds, 12, 900, 32)
        machine = Machine({width: 1 + width / 1000 for width in widths.GPU_WIDTHS})
        assert machine.fit(settle(choices, rules, facts), tmp_path) == most
        assert max(machine.timed) == most


def test_what_was_measured_is_remembered(plan: Plan, tmp_path: Path, cache: Path) -> None:
    first, again = Machine({1: 1.0, 2: 1.1, 4: 1.3, 8: 2.6, 16: 8, 32: 20}), Machine({})
    assert first.fit(plan, tmp_path) == 4
    (kept,) = (cache / "widths").iterdir()
    assert json.loads(kept.read_text()) == {str(w): s for w, s in first.seconds.items()}
    assert again.fit(plan, tmp_path) == 4
    assert again.timed == []
    other = replace(plan, facts=plan.facts._replace(digest="1"))
    assert Machine({1: 1.0, 2: 9.0, 4: 9.0, 8: 90.0}).fit(other, tmp_path) == 1
    kept.write_text("torn")
    assert first.fit(plan, tmp_path) == 4


def test_lanes_that_kill_a_worker_are_not_used(plan: Plan, tmp_path: Path) -> None:
    assert Machine({1: 1.0, 2: 1.5}).fit(plan, tmp_path) == 2
    other = replace(plan, facts=plan.facts._replace(digest="1"))
    assert Machine({}).fit(other, tmp_path) == other.width


def test_a_short_race_is_not_worth_a_search(plan: Plan, tmp_path: Path) -> None:
    short = replace(plan, steps=plan.period)
    machine = Machine({})
    assert machine.fit(short, tmp_path) == short.width
    assert machine.timed == []


def test_large_networks_have_few_lanes_to_try(plan: Plan, tmp_path: Path) -> None:
    large = replace(plan, facts=plan.facts._replace(parameters=10**6))
    large = replace(large, width=1)
    machine = Machine({})
    assert machine.fit(large, tmp_path) == 1
    assert machine.timed == []
