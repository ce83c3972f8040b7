"""``workers=0``: a race in the process that asked for it.

That its curves are those of a worker, see ``test_environment.py``.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import pytest

import ravine
from ravine import api
from ravine.errors import InvalidArgument, RavineError
from ravine.execution.in_process import InProcess
from ravine.experiment.engines import GPU, KERAS
from ravine.storage.payload import Payload, pack
from ravine.storage.store import Store
from ravine.tasks.task import Task

SAME: Any = {"rules": ["sgd", "adam"], "learning_rates": [0.01, 0.1], "tuning_seeds": 1}
SAME |= {"eval_seeds": 6, "progress": False}


def test_an_unfinished_one_goes_on(tiny_task: Task, tiny_race: Path, tmp_path: Path) -> None:
    folder = tmp_path / "race"
    shutil.copytree(tiny_race, folder)
    before = ravine.Race.open(folder).stored
    with closing(Store(folder)) as store, store._writing():
        store._db.execute("DELETE FROM segments WHERE run IN (SELECT id FROM runs LIMIT 3)")
    assert len(ravine.Race.open(folder).stored) == len(before) - 3
    race = ravine.resume(folder, task=tiny_task, workers=0, progress=False)
    assert [c.losses.tobytes() for c in race.stored] == [c.losses.tobytes() for c in before]
    assert (folder / "report.html").exists()


def test_a_notebook_goes_on_after_an_interrupt(
    tiny_task: Task,
    tiny_race: Path,
    tmp_path: Path,
    no_pages: None,
    monkeypatch: pytest.MonkeyPatch,
    assert_same: Callable[..., None],
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    whole, out = ravine.Race.open(tiny_race), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(api.Scheduler, "run", interrupted)
        with pytest.raises(KeyboardInterrupt) as caught:
            ravine.race(tiny_task, **SAME, workers=0, out=out)
    # Notebooks hold on to the last traceback, and with it to all that the race had open.
    assert caught.tb is not None
    assert "ravine resume" in caught.value.__notes__[0]
    assert_same(ravine.resume(out, task=tiny_task, workers=0, progress=False).stored, whole.stored)


def test_what_a_job_raises_ends_the_race(tiny_task: Task, tmp_path: Path) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("in the user's own model")

    task = ravine.Task("broken", "", broken, tiny_task.load, tiny_task.loss, {}, 5, 8)
    said = r"your code in 'broken' \(test_in_process.py, line \d+\): ZeroDivisionError: in the user"
    with pytest.raises(RavineError, match=said):
        ravine.race(task, **SAME, workers=0, out=tmp_path / "race")
    assert not (tmp_path / "race").exists()


@pytest.mark.parametrize("engine", [GPU, *KERAS.values()])
def test_what_this_process_cannot_do_is_refused(engine: str) -> None:
    with pytest.raises(InvalidArgument, match="leave out workers=0"):
        InProcess({"engine": engine})


def test_numbers_of_other_bits_are_refused(tiny_task: Task, tmp_path: Path) -> None:
    digest = pack(tmp_path, Payload(tiny_task, {}))
    with jax.enable_x64(True), pytest.raises(InvalidArgument, match="32-bit numbers"):
        InProcess({"folder": str(tmp_path), "digest": digest, "engine": "jax"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("jax_disable_most_optimizations", True), ("jax_default_prng_impl", "rbg")],
)
def test_settings_that_change_numbers_are_refused(name: str, value: Any) -> None:
    set_to: Any = jax.config.update
    before = jax.config.values[name]
    set_to(name, value)
    try:
        with pytest.raises(InvalidArgument, match=name):
            InProcess({"engine": "jax"})
    finally:
        set_to(name, before)


@pytest.mark.parametrize("workers", [-1, True, 1.5])
def test_other_numbers_are_refused(workers: Any, tiny_task: Task) -> None:
    with pytest.raises(InvalidArgument, match="is not allowed: give a whole number"):
        ravine.race(tiny_task, workers=workers)
    with pytest.raises(InvalidArgument, match="leave it out to race on a Ray cluster"):
        ravine.race(tiny_task, workers=0, ray="local")
