"""What the driver and the store do for a finished segment does not grow with the race.

The workers are simulated, everything else is real; no time is asserted, work is counted.
"""

import gc
import os
import runpy
import sqlite3
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import ravine
from ravine.analysis import stages
from ravine.execution.job import Job
from ravine.execution.pool import Pool
from ravine.execution.scheduler import Scheduler
from ravine.experiment.plan import Plan
from ravine.reporting.live import state
from ravine.reporting.live.display import Display
from ravine.rules import RULES
from ravine.storage.store import WORK, Store

CROWD = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "crowd.py"))
EVERY = 150  # segments between two looks at the memory
BYTES = 300  # a segment, the list of all runs so far among them: in the file it is some 2,000
FEW = 20  # transactions of a race, whatever its size
HERE = str(Path(ravine.__file__).parent) + os.sep


def raced(
    folder: Path,
    plan: Plan,
    workers: int = 40,
    burst: int = 8,
    watch: Callable[[int], None] = lambda segments: None,
) -> tuple[Store, Any]:
    """The store after a whole race, and the crowd that did it."""
    store = Store.create(folder, {"plan": plan.to_json()})
    (folder / WORK).mkdir()
    crowd = CROWD["Crowd"](workers, folder / WORK, burst, watch)
    display = Display(shown=False)
    display.planned(plan, [])
    rules = {name: RULES[name]() for name in plan.choices.rules}
    # A clock by which a thousand segments take a second: that often it is seen who is stuck.
    with Pool(crowd, clock=lambda: crowd.answered / 1000) as pool:
        Scheduler(pool, rules, display, folder).run(plan, store, stages)
    return store, crowd


def work_for_a_segment(folder: Path, plan: Plan, workers: int = 40) -> float:
    """How many instructions of ravine's own code Python does."""
    count = 0

    def within(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "opcode"
        return within

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(HERE):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return within

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        store, crowd = raced(folder, plan, workers)
    finally:
        sys.settrace(before)
    store.close()
    return count / crowd.answered


@pytest.mark.parametrize(
    ("few", "many"),
    [
        ({"repetitions": 1}, {"repetitions": 4}),
        ({"repetitions": 1, "tuning_seeds": 10}, {"repetitions": 1, "tuning_seeds": 40}),
    ],
    ids=["more repetitions", "more seeds of one repetition"],
)
def test_the_work_for_a_segment_does_not_grow(
    tmp_path: Path, few: dict[str, int], many: dict[str, int]
) -> None:
    small, large = (
        CROWD["plan_of"](eval_seeds=2, rules=["sgd", "adam"], **size) for size in (few, many)
    )
    assert large.count > 3 * small.count
    before = work_for_a_segment(tmp_path / "small", small)
    assert work_for_a_segment(tmp_path / "large", large) < before  # to begin is shared by more


def test_the_work_for_a_segment_does_not_grow_with_the_workers(tmp_path: Path) -> None:
    plan = CROWD["plan_of"](repetitions=2, eval_seeds=2, rules=["sgd", "adam"])
    few = work_for_a_segment(tmp_path / "few", plan, workers=20)
    # To hire them, once, is what is left.
    assert work_for_a_segment(tmp_path / "many", plan, workers=1000) < 1.25 * few


def test_who_has_nothing_to_do_is_not_asked_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, asked, doing = CROWD["plan_of"](repetitions=2), Counter[bool](), dict[int, str]()
    take = Scheduler.next_job

    def counted(driver: Scheduler, worker: int) -> Job | None:
        job = take(driver, worker)
        asked[job is not None] += 1
        return job

    monkeypatch.setattr(Scheduler, "next_job", counted)
    monkeypatch.setattr(Display, "doing", lambda _, worker, what: doing.update({worker: what}))
    looks: list[int] = []
    store, _ = raced(tmp_path, plan, workers=1000, watch=looks.append)
    store.close()
    assert asked[True] > 300
    # At a look that hands out no more, the first is asked, and one of the others.
    assert asked[False] <= 2 * len(looks)
    assert len(doing) > 40
    assert not any(doing.values())  # each is known to have nothing to do


def test_memory_is_flat_while_segments_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "CURVES", 2)  # the display has so many of each rate soon
    plan = CROWD["plan_of"](repetitions=4, eval_seeds=4, rules=list(RULES)[:5])
    for rule in plan.choices.rules:
        trials = plan.choices.trials(rule)
        middle = trials[len(trials) // 2]
        near = *plan.finer(rule, middle), *plan.finest(rule, middle)
        for run in plan.tried(rule, (*trials, *near), repetition=0, seeds=range(3)):
            CROWD["curve"](plan, run)  # the crowd's own memory, before anyone looks
    held: list[tuple[int, int]] = []  # of all segments so far, the bytes that are in use

    def watch(segments: int) -> None:
        if segments >= EVERY * (len(held) + 1):
            gc.collect()
            held.append((segments, tracemalloc.get_traced_memory()[0]))

    tracemalloc.start()
    try:
        store, _ = raced(tmp_path, plan, burst=2, watch=watch)
    finally:
        tracemalloc.stop()
    store.close()
    (early, before), *_, (late, _) = held
    assert late > 5 * early
    assert max(size for _, size in held) - before < BYTES * (late - early)


def test_every_segment_is_stored_once_and_many_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, said, connect = CROWD["plan_of"](repetitions=1), Counter[str](), sqlite3.connect

    def heard(*args: Any, **options: Any) -> sqlite3.Connection:
        made = connect(*args, **options)
        made.set_trace_callback(lambda statement: said.update([statement.split()[0]]))
        return made

    monkeypatch.setattr(sqlite3, "connect", heard)
    store, crowd = raced(tmp_path, plan)
    stored, curves = store.segments_done(), store.curves()
    store.close()
    assert sum(stored.values()) == crowd.answered
    assert not stages.due(plan, curves)
    assert len(stages.relevant(plan, curves)) == len(curves)
    assert {run.id for curve in curves for run in [curve.run]} == set(stored)
    for curve in curves:
        losses, measures = CROWD["curve"](plan, curve.run)
        np.testing.assert_array_equal(curve.losses, losses[: len(curve.losses)])
        np.testing.assert_array_equal(curve.measures[1:], measures[: len(curve.measures) - 1])
    # A round has up to eight packs; at each gate of a rule of a repetition there are two more.
    gates = len(plan.rungs) * len(plan.choices.rules) * plan.choices.repetitions
    assert said["COMMIT"] < crowd.rounds + 2 * gates + FEW
    assert crowd.answered > 5 * said["COMMIT"]
    assert not list((tmp_path / WORK).glob("checkpoint-*"))
