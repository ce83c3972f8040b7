"""Runs wait for each other at gates, and nobody waits for ever."""

from hypothesis import given
from hypothesis import strategies as st

from ravine.experiment.configuration import Configuration
from ravine.experiment.plan import Run
from ravine.experiment.rungs import RungTracker

RUNS = [Run(f"{i}", "tuning", "sgd", Configuration(0.1), i, 100) for i in range(4)]
GATES, END = (1, 2), 4


def test_all_of_them_decide() -> None:
    climb = RungTracker(RUNS, {}, GATES)
    assert climb.moving() == RUNS
    climb.arrive(RUNS[:3], 1)
    assert climb.gathered() == ([], False)
    climb.arrive(RUNS[3:], 1)
    assert climb.moving() == []
    assert climb.gathered() == (RUNS, True)
    climb.leave(RUNS[2:])
    assert climb.moving() == RUNS[:2]
    climb.arrive(RUNS[:1], 2)
    assert climb.gathered() == ([], False)
    climb.leave(RUNS[1:2])  # it failed: nobody waits for it
    assert climb.gathered() == (RUNS[:1], True)


def test_who_fell_back_passes_where_it_was_decided() -> None:
    climb = RungTracker(RUNS[:2], {"0": 2, "1": 0}, GATES)
    assert climb.moving() == [RUNS[1]]
    climb.arrive([RUNS[1]], 1)
    assert climb.gathered() == ([RUNS[1]], False)
    climb.arrive([RUNS[1]], 2)
    assert climb.gathered() == (RUNS[:2], True)


@given(st.data())
def test_whatever_falls_back_all_arrive(data: st.DataObject) -> None:
    done = {run.id: data.draw(st.integers(0, END)) for run in RUNS}
    climb = RungTracker(RUNS, done, GATES)
    decided = []
    going: list[Run] = [run for run in climb.moving() if climb.done[run.id] < END]
    for _ in range(100):
        here, alone = climb.gathered()
        if alone:
            decided.append({climb.done[run.id] for run in here})
        going += here
        if not going:
            break
        run = going.pop(data.draw(st.integers(0, len(going) - 1)))
        falls = data.draw(st.integers(0, 9)) == 0
        climb.arrive([run], 0 if falls else climb.done[run.id] + 1)
        if climb.done[run.id] not in (*GATES, END):
            going.append(run)
    else:
        return  # it fell back again and again
    assert set(climb.done.values()) == {END}
    assert all(len(at) == 1 for at in decided)
