"""Packs: always the same ones, and halved where workers die over them."""

from collections.abc import Sequence

from ravine.experiment.configuration import Configuration
from ravine.experiment.plan import Run
from ravine.training.run_batches import RETRIES, RunBatch, packed

RUNS = [Run(f"{i}", "tuning", "sgd", Configuration(0.1), i, 100) for i in range(11)]


def ids(packs: Sequence[RunBatch]) -> list[tuple[str, int]]:
    return [("".join(run.id for run in pack.runs), pack.width) for pack in packs]


def test_what_was_narrowed_stays_so() -> None:
    assert ids(list(packed(RUNS[:7], {}, {}, 4))) == [("0123", 4), ("456", 4)]
    halved = dict.fromkeys("456", 2)
    assert ids(list(packed(RUNS[:7], {}, halved, 4))) == [("0123", 4), ("45", 2), ("6", 2)]
    halved |= dict.fromkeys("45", 1)
    assert ids(list(packed(RUNS[:7], {}, halved, 4))) == [
        *[("0123", 4), ("4", 1), ("5", 1)],
        ("6", 2),
    ]


def test_only_those_that_are_as_far_go_together() -> None:
    packs = list(packed(RUNS[:7], {"1": 2, "3": 2}, {}, 4))
    assert ids(packs) == [("0245", 4), ("6", 4), ("13", 4)]
    assert [pack.segment for pack in packs] == [0, 0, 2]


def test_the_same_once_then_halves_then_no_more() -> None:
    first = RunBatch(RUNS[:7], 8, segment=3)
    (again,) = first.after_death()
    assert (again.runs, again.width, again.segment) == (first.runs, 8, 3)
    halves = again.after_death()
    assert ids(halves) == [("0123", 4), ("456", 4)]
    assert {half.segment for half in halves} == {0}
    quarters = halves[1].after_death()
    assert ids(quarters) == [("45", 2), ("6", 2)]
    assert quarters[0].after_death() == []
    # One lane cannot be halved.
    tries = [RunBatch(RUNS[:1], 1, segment=3)]
    for _ in range(RETRIES):
        tries = tries[0].after_death()
        assert (tries[0].width, tries[0].segment) == (1, 3)
    assert tries[0].after_death() == []
