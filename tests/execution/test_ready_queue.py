"""Whose turn it is: nothing is lost, nothing is handed out before its files are there."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ravine.execution.artifacts import Artifacts
from ravine.execution.ready_queue import ReadyQueue
from ravine.experiment.configuration import Configuration
from ravine.experiment.plan import Run
from ravine.storage.work_files import program_file, weights_file
from ravine.training.run_batches import RunBatch

NOWHERE = Path("there is no such folder")  # so that every file is still to be made


def pack(rule: str, seed: int) -> RunBatch:
    return RunBatch([Run(f"{rule}-{seed}", "tuning", rule, Configuration(0.1), seed, 100)], 1)


def test_each_goes_on_with_what_it_has_compiled_and_begins_what_nobody_has() -> None:
    turns = ReadyQueue(Artifacts(NOWHERE))
    rules = ("sgd", "adam", "nadam")
    for rule in rules:
        turns.add([pack(rule, seed) for seed in range(4)])
    for worker, rule in ((0, "adam"), (1, "sgd")):
        assert turns.compiles(worker, program_file(rule, 1))
        assert not turns.compiles(worker, program_file(rule, 1))
    found = [turns.next(worker) for worker in (0, 1, 2)]
    assert [one.rule for one in found if one] == ["adam", "sgd", "nadam"]
    turns.died(0)  # and its program with it
    begun = turns.next(0)
    assert begun is not None
    assert begun.rule == "adam"  # which nobody has now
    assert turns.compiles(0, program_file("adam", 1))


def test_who_goes_on_is_before_who_begins() -> None:
    turns = ReadyQueue(Artifacts(NOWHERE))
    begin = [pack("sgd", seed) for seed in range(2)]
    go_on = [pack("sgd", seed) for seed in (7, 8)]
    turns.add(begin)
    turns.add(go_on, first=True)
    assert [turns.next(0) for _ in range(5)] == [*go_on, *begin, None]
    assert not turns


@given(st.permutations(range(6)), st.lists(st.booleans(), min_size=12, max_size=12))
def test_all_get_their_turn_once_their_files_are_there(made: list[int], ask: list[bool]) -> None:
    artifacts = Artifacts(NOWHERE)
    turns = ReadyQueue(artifacts)
    packs = [pack("sgd", seed) for seed in (0, 0, 1, 2, 3, 3, 3, 4, 5)]
    for seed in range(6):
        artifacts.draw(seed)
    jobs = []
    while (job := artifacts.next()) is not None:
        jobs.append(job)
    turns.add(packs)
    given_out: list[RunBatch] = []
    asks = iter(ask)
    for seed in made:
        turns.made(artifacts.made(jobs[seed]))
        while next(asks, False) and (one := turns.next(0)) is not None:
            given_out.append(one)
            assert weights_file(one.runs[0].seed) not in artifacts.missing
    while (one := turns.next(0)) is not None:
        given_out.append(one)
    assert sorted(map(id, given_out)) == sorted(map(id, packs))
    assert not turns
