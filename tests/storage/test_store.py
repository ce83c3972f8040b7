"""The store: what is added comes back, twice is once, and other files are refused."""

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ravine.errors import InvalidArgument, RavineError
from ravine.experiment.config import choose
from ravine.experiment.plan import Plan, Run, TaskInfo, make_plan
from ravine.rules import SGD
from ravine.storage.store import FILE, Store
from ravine.tasks import TASKS


@pytest.fixture
def plan() -> Plan:
    choices, rules = choose(TASKS["digits-mlp"], [SGD()], [0.1, 1.0], 2, 1, 1, 32)
    # So many parameters that a run is cut into segments.
    plan = make_plan(choices, rules, TaskInfo(10**8, (3200, 10, 10), ("loss", "accuracy"), "0"))
    assert len(plan.cuts(plan.tuning()[0])) > 1
    return plan


def segments(plan: Plan) -> list[slice]:
    """Which evaluations each segment of a tuning run has."""
    return [slice(*ends) for ends in itertools.pairwise((0, *plan.cuts(plan.tuning()[0])))]


def test_what_is_added_comes_back(tmp_path: Path, plan: Plan) -> None:
    store = Store.create(tmp_path, {"plan": plan.to_json()})
    rng = np.random.default_rng(0)
    run, unfinished, *_ = plan.tuning()
    start = rng.random((2, 2), np.float32)
    losses = rng.random(plan.steps, np.float32)
    measures = rng.random((plan.evaluations, 2, 2), np.float32)
    losses[-1] = np.nan
    store.begin([(run, ("weights", "batches", start))])
    store.begin([(unfinished, ("weights", "batches", start))])
    for _ in range(2):  # a segment that is handed in twice is there once
        for k, periods in reversed(list(enumerate(segments(plan)))):
            steps = slice(periods.start * plan.period, periods.stop * plan.period)
            store.add([(run.id, k, losses[steps], measures[periods])])
    first = segments(plan)[0]
    steps = slice(first.start * plan.period, first.stop * plan.period)
    store.add([(unfinished.id, 0, losses[steps], measures[first])])
    store.close()

    store = Store(tmp_path)
    assert store.plan == plan
    assert store.segments_done() == {run.id: len(segments(plan)), unfinished.id: 1}
    (curve,) = store.curves()  # the finished one alone
    store.close()
    assert (curve.run, curve.weights_digest, curve.batches_digest) == (run, "weights", "batches")
    np.testing.assert_array_equal(curve.losses, losses)
    np.testing.assert_array_equal(curve.measures, np.concatenate([start[None], measures]))


def test_all_or_none_of_a_segment_is_stored(tmp_path: Path, plan: Plan) -> None:
    store = Store.create(tmp_path, {"plan": plan.to_json()})
    good = np.zeros(3, np.float32)
    with pytest.raises(AttributeError):
        store.add([("a", 0, good, good), ("b", 0, good, None)])  # type: ignore[list-item]
    assert store.segments_done() == {}
    store.close()


def test_other_files_are_refused(tmp_path: Path, plan: Plan) -> None:
    with pytest.raises(InvalidArgument, match="no race in"):
        Store(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / FILE).write_text("not a database, whatever its name says", encoding="utf-8")
    with pytest.raises(RavineError, match="not a race that can be read"):
        Store(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    with pytest.raises(RavineError, match="cannot be opened"):
        Store(tmp_path)


@pytest.mark.parametrize(
    ("was", "said"),
    [
        (99, "has format 99; this ravine reads format 7: use the version that wrote it"),
        (3, "has format 3; this ravine reads format 7: races were tuned and judged by another"),
        (1, "race anew, or use the version that wrote it"),
    ],
)
@pytest.mark.parametrize("reading", [True, False])
def test_a_newer_or_older_format_is_refused_and_left_as_it_is(
    tmp_path: Path, plan: Plan, was: int, said: str, reading: bool
) -> None:
    Store.create(tmp_path, {"plan": plan.to_json()}).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'format'", [str(was)])
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(RavineError, match=said):
        Store(tmp_path, reading=reading)
    assert (tmp_path / FILE).read_bytes() == before


def test_what_failed_or_was_narrowed_is_marked(tmp_path: Path, plan: Plan) -> None:
    store = Store.create(tmp_path, {"plan": plan.to_json()})
    failed, other, narrowed, *_ = plan.tuning()
    losses = np.zeros(plan.steps, np.float32)
    measures = np.zeros((plan.evaluations, 2, 2), np.float32)
    start = np.ones((2, 2), np.float32)

    def done(run: Run) -> None:
        store.begin([(run, ("weights", "batches", start))])
        for k, periods in enumerate(segments(plan)):
            steps = slice(periods.start * plan.period, periods.stop * plan.period)
            store.add([(run.id, k, losses[steps], measures[periods])])

    done(narrowed)
    store.narrow([narrowed], 1)
    assert store.segments_done() == {}  # it begins again
    store.narrow([narrowed], 1)
    store.fail([failed], 1, "no memory")
    assert store.failed() == {failed.id}
    assert store.narrowed() == {failed.id: 1, narrowed.id: 1}
    done(narrowed)
    done(other)
    curves = {curve.run: curve for curve in store.curves()}
    assert set(curves) == {failed, other, narrowed}
    assert [bool(curves[run].failure) for run in (failed, other, narrowed)] == [True, False, False]
    assert curves[failed].measures.shape == curves[other].measures.shape
    assert curves[failed].losses.shape == curves[other].losses.shape
    store.close()


def test_a_run_that_was_stopped_early_is_over(tmp_path: Path, plan: Plan) -> None:
    store = Store.create(tmp_path, {"plan": plan.to_json()})
    stopped, waiting, *_ = plan.tuning()
    first, second = segments(plan)[:2]
    measures = np.random.default_rng(0).random((second.stop + 1, 2, 2), np.float32)
    losses = np.zeros(second.stop * plan.period, np.float32)
    for run in (stopped, waiting):
        store.begin([(run, ("weights", "batches", measures[0]))])
        for k, part in ((1, second), (0, first)):
            steps = slice(part.start * plan.period, part.stop * plan.period)
            store.add([(run.id, k, losses[steps], measures[1:][part])])
    for run, found in store.measured([stopped, waiting]).items():
        np.testing.assert_array_equal(found, measures, err_msg=str(run))
    for _ in range(2):
        store.stop([stopped])
    assert store.stopped() == {stopped.id}
    (curve,) = store.curves()
    store.close()
    assert curve.run == stopped
    assert curve.stopped
    assert len(curve.losses) == len(losses)
    np.testing.assert_array_equal(curve.measures, measures)
