"""Worker processes: they end with their driver, and the death of one costs a retry."""

import dataclasses
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravine
from ravine.errors import InvalidArgument, RavineError
from ravine.execution.job import Job
from ravine.execution.pool import Pool
from ravine.execution.timeout_policy import LEAST, LEAST_FIRST, UNKNOWN, TimeoutPolicy
from ravine.execution.worker_backend import Local, OnMessage, Process
from ravine.storage import payload
from ravine.tasks.task import Data, Split


class Queue:
    """A few jobs for whoever asks, and what came of them; one that is lost is done again, once."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = list(jobs)
        self.answers: list[Any] = []
        self.losses: list[str] = []

    def next_job(self, worker: int) -> Job | None:
        return self.jobs.pop(0) if self.jobs else None

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        self.answers.append(answer)

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        self.losses.append(why)
        if len(self.losses) > 1:
            raise RavineError(why)
        self.jobs.append(job)

    def on_idle(self) -> None:
        """Nothing else to do."""


def points() -> Data:
    x = np.linspace(-1, 1, 40, dtype="float32")
    return Data(*[Split(x[:n], 3 * x[:n]) for n in (40, 20, 10)])


def described(
    folder: Path, load: Callable[[], Any], timeout_policy: TimeoutPolicy | None = None
) -> Queue:
    """What a worker says of two functions in JAX when their data are loaded in that way."""
    train = tuple(points().train)
    task = ravine.Task.from_jax(lambda key: 1.0, lambda w, x, y: (w * x - y) ** 2, train)
    task = dataclasses.replace(task, load=load)
    queue = Queue(Job("describe", {}))
    packed = payload.pack(folder, payload.Payload(task, {}))
    with Pool(Local(1, {"folder": str(folder), "digest": packed}), timeout_policy) as pool:
        pool.work(queue)
    return queue


def test_a_job_whose_worker_dies_is_done_by_another(tmp_path: Path) -> None:
    marker, load = tmp_path / "died", points

    def die_once() -> Any:
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return load()

    queue = described(tmp_path, die_once)
    (facts,) = queue.answers
    assert marker.exists()
    assert "ran out of memory" in queue.losses[0]
    assert facts.rows == (40, 20, 10)
    assert facts.parameters == 1


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


def test_a_worker_without_memory_is_a_dead_worker(tmp_path: Path) -> None:
    """Whether Python says so or XLA: the job is done again by another, and given up after that."""
    full = tmp_path / "full"

    def fill() -> Any:
        with full.open("a+", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
            file.seek(0)
            first = len(file.readlines()) == 1
        text = "RESOURCE_EXHAUSTED: out of memory allocating 8 bytes"
        raise MemoryError("none is left") if first else RuntimeError(text)

    with pytest.raises(RavineError, match=r"(?s)^Traceback.*RESOURCE_EXHAUSTED"):
        described(tmp_path, fill)
    one, other = full.read_text(encoding="utf-8").split()
    assert one != other, "its memory is not empty"


def test_a_worker_that_is_stuck_is_replaced(tmp_path: Path) -> None:
    marker, load = tmp_path / "stuck", points

    def hang_once() -> Any:
        if not marker.exists():
            marker.touch()
            threading.Event().wait()
        return load()

    class Impatient(TimeoutPolicy):
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
    queue = Queue(Job("draw", {"seeds": []}))
    workbench = {"folder": str(tmp_path), "digest": ""}
    with Pool(Local(1, workbench)) as pool:
        pool.work(queue)
        worker = pool._slots[0].worker
        assert isinstance(worker, Process)
        worker._process.kill()
        worker._process.wait()
        queue.jobs = [Job("draw", {"seeds": []})]
        pool.work(queue)
    assert len(queue.answers) == 2


def test_patience_grows_with_what_was_measured() -> None:
    timeout_policy = TimeoutPolicy()
    assert (
        timeout_policy.limit("adam", first=True) == timeout_policy.limit("", first=False) == UNKNOWN
    )
    timeout_policy.took("adam", first=True, seconds=100)
    assert (
        timeout_policy.limit("adam", first=True)
        == timeout_policy.limit("adam", first=False)
        == 2000
    )
    for seconds in (1, 2, 900):
        timeout_policy.took("adam", first=False, seconds=seconds)
    assert timeout_policy.limit("adam", first=False) == LEAST
    timeout_policy.took("sgd", first=True, seconds=1)
    assert timeout_policy.limit("sgd", first=True) == LEAST_FIRST
    assert timeout_policy.limit("nadam", first=False) == UNKNOWN


def test_patience_goes_by_what_jobs_took_lately() -> None:
    timeout_policy = TimeoutPolicy()
    for seconds in [1] * 1000 + [30] * 100:
        timeout_policy.took("adam", first=False, seconds=seconds)
    assert timeout_policy.limit("adam", first=False) == 600


def test_what_a_job_raises_is_told(tmp_path: Path) -> None:
    def wrong() -> Any:
        raise InvalidArgument("no such data")

    def broken() -> Any:
        return 1 / 0

    with pytest.raises(InvalidArgument, match=r"^no such data$"):
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
import ravine
from ravine.storage import payload
from ravine.execution.worker_backend import Local
from ravine.execution.job import Job
from ravine.execution.pool import Pool

folder = sys.argv[1]

def hang():
    print(os.getpid(), file=open(f"{folder}/pid", "w"), flush=True)
    threading.Event().wait()

class Queue:
    jobs = [Job("describe", {})]
    def next_job(self, worker):
        return self.jobs.pop() if self.jobs else None
    def on_idle(self):
        pass

task = ravine.Task.from_jax(lambda key: 1.0, lambda w, x, y: (w * x - y) ** 2, ([1.0] * 20,) * 2)
task = dataclasses.replace(task, load=hang)
packed = payload.pack(Path(folder), payload.Payload(task, {}))
with Pool(Local(2, {"folder": folder, "digest": packed})) as pool:
    print(*[s.worker.pid for s in pool._slots], flush=True)
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


class Guest:
    """A worker of a crew elsewhere: it is there when told, and does nothing by itself."""

    def __init__(self, on_message: OnMessage) -> None:
        self.ready, self.known = False, set[str]()
        self.gave: list[str] = []
        self.ended = False
        self._on_message = on_message

    def submit(self, name: str, arguments: Mapping[str, Any]) -> None:
        self.gave.append(name)

    def kill(self) -> None:
        self.ended = True

    def come(self) -> None:
        self.ready = True
        self._on_message(self, ("ready", None))

    def say(self, status: str, answer: Any = None) -> None:
        self._on_message(self, (status, answer))


class Guests:
    """A crew of two, of whom a script says, look by look, what becomes of them."""

    def __init__(self, *script: Callable[["Guests"], None]) -> None:
        self.hired: list[Guest] = []
        self.count = 2
        self._script = list(script)

    def slots(self) -> int:
        if self._script and len(self.hired) >= 2:
            self._script.pop(0)(self)
        return self.count

    def spawn(self, slot: int, on_message: OnMessage) -> Guest:
        self.hired.append(Guest(on_message))
        return self.hired[-1]


def test_the_job_of_a_worker_that_vanished_is_done_by_another_and_nobody_died() -> None:
    queue = Queue(Job("a", {}), Job("b", {}))
    backend = Guests(
        lambda g: g.hired[0].come(),
        lambda g: g.hired[1].come(),
        lambda g: g.hired[0].say("vanished", "its node is gone"),  # whose place stays empty
        lambda g: g.hired[1].say("done", "b"),
        lambda g: g.hired[1].say("done", "a"),
    )
    with Pool(backend) as pool:
        pool.work(queue)
        assert len(pool) == 2
    assert [g.gave for g in backend.hired] == [["a"], ["b", "a"], []]
    assert queue.answers == ["b", "a"]
    assert queue.losses == []
    assert all(g.ended for g in backend.hired)


def test_what_only_the_first_may_do_is_done_while_its_place_is_empty() -> None:
    class Choosy(Queue):
        def next_job(self, worker: int) -> Job | None:
            return None if worker else super().next_job(worker)

    queue = Choosy(Job("a", {}))
    backend = Guests(lambda g: g.hired[1].come(), lambda g: g.hired[1].say("done", 1))
    with Pool(backend) as pool:
        pool.work(queue)
    assert queue.answers == [1]


def test_a_pool_grows_with_its_crew() -> None:
    queue = Queue(Job("a", {}), Job("b", {}))

    def extend(backend: Guests) -> None:
        backend.hired[0].come()
        backend.count = 3

    backend = Guests(
        extend,
        lambda g: g.hired[2].come(),
        lambda g: g.hired[2].say("done", "b"),
        lambda g: g.hired[0].say("done", "a"),
    )
    with Pool(backend) as pool:
        pool.work(queue)
        assert len(pool) == 3
    assert queue.answers == ["b", "a"]


def test_a_job_over_which_workers_always_vanish_is_to_blame() -> None:
    queue = Queue(Job("a", {}))

    def come_and_go(backend: Guests) -> None:
        for guest in backend.hired:
            if not guest.ready:
                guest.come()
        for guest in backend.hired:
            if guest.gave and not guest.ended:
                guest.say("vanished", "gone")

    with pytest.raises(RavineError, match="gone"), Pool(Guests(*[come_and_go] * 1000)) as pool:
        pool.work(queue)
    assert len(queue.losses) == 2


def test_workers_that_are_never_ready_end_the_race() -> None:
    def go(backend: Guests) -> None:
        backend.hired[-1].say("vanished", "no such place")

    with (
        pytest.raises(RavineError, match="no worker can be started: no such place"),
        Pool(Guests(*[go] * 1000)) as pool,
    ):
        pool.work(Queue(Job("a", {})))
