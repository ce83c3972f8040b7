"""Worker processes: they end with their driver, and the death of one costs a retry."""

import dataclasses
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ravine.errors import RavineError, WrongCall
from ravine.racing import luggage
from ravine.racing.crew import Local, Process
from ravine.racing.patience import LEAST, LEAST_FIRST, UNKNOWN, Patience
from ravine.racing.pool import Job, Pool
from ravine.tasks import TASKS


class Queue:
    """A few jobs for whoever asks, and what came of them; one that is lost is done again, once."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = list(jobs)
        self.answers: list[Any] = []
        self.losses: list[str] = []

    def take(self, worker: int) -> Job | None:
        return self.jobs.pop(0) if self.jobs else None

    def done(self, worker: int, job: Job, answer: Any) -> None:
        self.answers.append(answer)

    def lost(self, worker: int, job: Job, why: str) -> None:
        self.losses.append(why)
        if len(self.losses) > 1:
            raise RavineError(why)
        self.jobs.append(job)

    def handed_out(self) -> None:
        """Nothing else to do."""


def described(folder: Path, load: Callable[[], Any], patience: Patience | None = None) -> Queue:
    """What a worker says of digits-mlp when its data are loaded in that way."""
    task = dataclasses.replace(TASKS["digits-mlp"], load=load)
    queue = Queue(Job("describe", {}))
    packed = luggage.pack(folder, luggage.Luggage(task, {}))
    with Pool(Local(1, {"folder": str(folder), "digest": packed}), patience) as pool:
        pool.work(queue)
    return queue


def test_a_job_whose_worker_dies_is_done_by_another(tmp_path: Path) -> None:
    marker, load = tmp_path / "died", TASKS["digits-mlp"].load

    def die_once() -> Any:
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return load()

    queue = described(tmp_path, die_once)
    (facts,) = queue.answers
    assert marker.exists()
    assert "ran out of memory" in queue.losses[0]
    assert facts.rows == (1078, 359, 360)
    assert facts.parameters == 64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10


def test_a_job_that_always_kills_is_given_up(tmp_path: Path) -> None:
    deaths = tmp_path / "deaths"

    def die() -> Any:
        with deaths.open("a", encoding="utf-8") as file:
            file.write("x")
        sys.stderr.write("last words\n")
        sys.stderr.flush()
        os._exit(3)

    with pytest.raises(RavineError, match=r"exit code 3\nlast words"):
        described(tmp_path, die)
    assert len(deaths.read_text(encoding="utf-8")) == 2


@pytest.mark.parametrize("said", ["", "RESOURCE_EXHAUSTED: out of memory allocating 8 bytes"])
def test_a_worker_without_memory_is_a_dead_worker(said: str, tmp_path: Path) -> None:
    marker, load = tmp_path / "full", TASKS["digits-mlp"].load

    def fill_once() -> Any:
        if not marker.exists():
            marker.write_text(str(os.getpid()), encoding="utf-8")
            raise RuntimeError(said) if said else MemoryError
        assert os.getpid() != int(marker.read_text(encoding="utf-8")), "its memory is not empty"
        return load()

    queue = described(tmp_path, fill_once)
    assert len(queue.answers) == len(queue.losses) == 1


def test_a_worker_that_is_stuck_is_replaced(tmp_path: Path) -> None:
    marker, load = tmp_path / "stuck", TASKS["digits-mlp"].load

    def hang_once() -> Any:
        if not marker.exists():
            marker.touch()
            threading.Event().wait()
        return load()

    class Impatient(Patience):
        """Loses its patience once, as soon as the worker is stuck."""

        lost = False

        def limit(self, kind: str, first: bool) -> float:
            if self.lost or not marker.exists():
                return UNKNOWN
            self.lost = True
            return 0.0

    queue = described(tmp_path, hang_once, Impatient())
    assert queue.losses == ["no answer in 0 s"]
    assert len(queue.answers) == 1


def test_a_worker_that_dies_while_it_has_nothing_to_do_is_replaced(tmp_path: Path) -> None:
    queue = Queue(Job("describe", {}))
    packed = luggage.pack(tmp_path, luggage.Luggage(TASKS["digits-mlp"], {}))
    workbench = {"folder": str(tmp_path), "digest": packed}
    with Pool(Local(1, workbench)) as pool:
        pool.work(queue)
        worker = pool._seats[0].worker
        assert isinstance(worker, Process)
        worker._process.kill()
        worker._process.wait()
        queue.jobs = [Job("describe", {})]
        pool.work(queue)
    assert len(queue.answers) == 2


def test_patience_grows_with_what_was_measured() -> None:
    patience = Patience()
    assert patience.limit("adam", first=True) == patience.limit("", first=False) == UNKNOWN
    patience.took("adam", first=True, seconds=100)
    assert patience.limit("adam", first=True) == patience.limit("adam", first=False) == 2000
    for seconds in (1, 2, 900):
        patience.took("adam", first=False, seconds=seconds)
    assert patience.limit("adam", first=False) == LEAST
    patience.took("sgd", first=True, seconds=1)
    assert patience.limit("sgd", first=True) == LEAST_FIRST
    assert patience.limit("nadam", first=False) == UNKNOWN


def test_what_a_job_raises_is_told(tmp_path: Path) -> None:
    def wrong() -> Any:
        raise WrongCall("no such data")

    def broken() -> Any:
        return 1 / 0

    with pytest.raises(WrongCall, match=r"^no such data$"):
        described(tmp_path, wrong)
    with pytest.raises(RavineError, match="ZeroDivisionError"):
        described(tmp_path, broken)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waiting for a process needs Linux")
def test_workers_end_with_their_driver_whatever_they_do(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(
        """
import dataclasses, os, sys, threading
from pathlib import Path
from ravine.racing import luggage
from ravine.racing.crew import Local
from ravine.racing.pool import Job, Pool
from ravine.tasks import TASKS

folder = sys.argv[1]

def hang():
    print(os.getpid(), file=open(f"{folder}/pid", "w"), flush=True)
    threading.Event().wait()

class Queue:
    jobs = [Job("describe", {})]
    def take(self, worker):
        return self.jobs.pop() if self.jobs else None
    def handed_out(self):
        pass

task = dataclasses.replace(TASKS["digits-mlp"], load=hang)
packed = luggage.pack(Path(folder), luggage.Luggage(task, {}))
with Pool(Local(2, {"folder": folder, "digest": packed})) as pool:
    print(*[s.worker.pid for s in pool._seats], flush=True)
    pool.work(Queue())
""",
        encoding="utf-8",
    )
    os.mkfifo(tmp_path / "pid")
    told = os.open(tmp_path / "pid", os.O_RDWR)
    command = [sys.executable, str(script), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        pids = [int(pid) for pid in driver.stdout.readline().split()]
        # It says so in the middle of its job.
        assert select.select([told], [], [], 120)[0], "no worker took the job"
        assert int(os.read(told, 100)) in pids
        workers = [os.pidfd_open(pid) for pid in pids]
        driver.send_signal(signal.SIGKILL)
    for worker in workers:
        assert select.select([worker], [], [], 30)[0], "a worker outlived its driver"
        os.close(worker)
    os.close(told)
