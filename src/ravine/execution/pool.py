"""Workers, wherever they are, and who does what next."""

import contextlib
import queue
import time
from collections.abc import Callable
from typing import Any, Protocol

from ravine.errors import InvalidArgument, RavineError, WorkerTraceback
from ravine.execution.job import Job
from ravine.execution.timeout_policy import TimeoutPolicy
from ravine.execution.worker_backend import Message, Place, Worker, WorkerBackend

TICK = 1.0  # seconds between two looks at who is stuck
VANISHED = 20  # times that workers may vanish over a job, beside one a seat, until it is to blame
STILLBORN = 20  # workers in a row that vanished before they were ready, beside one a seat


DOING = {
    "open": "opening the task",
    "describe": "building the model",
    "draw": "drawing initial weights",
    "trace": "tracing a rule",
    "advance": "training",
    "rehearse": "estimating what the race costs",
    "save": "keeping the model",
}


class Source(Protocol):
    """Where a pool takes its jobs from and brings the answers to."""

    def next_job(self, worker: int) -> Job | None:
        """A job for that worker, or None when there is none for it now.

        Worker 0 may get what no other may. All others are alike: where there is nothing for one of
        them, the rest are not asked.
        """

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        """What came of a job; after this there may be more to take."""

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        """The worker died over a job; a new one takes its place. Raises to give up."""

    def on_idle(self) -> None:
        """All that there was to take is taken: time for what nobody waits for."""


class WorkerSlot:
    """What a source knows as a worker: a job, and whoever is there to do it."""

    def __init__(self, index: int, worker: Worker) -> None:
        self.index = index
        self.worker = worker
        self.job: Job | None = None
        self.since = 0.0  # when the worker got the job, by the seconds that the pool was awake
        self.vanished = 0  # workers, over that job
        self.dead = False  # whether the worker died while it had nothing to do

    @property
    def idle(self) -> bool:
        """Whether the worker is there for whatever comes."""
        return self.job is None and self.worker.ready


class Pool:
    """The workers of a crew at a source's jobs.

    Where a worker that was lost to no fault of its job is long in coming back, one that has nothing
    to do moves to its seat and does that job: no source needs to know.

    Seats are kept by what they are there for, so that a look takes what the news take, however many
    seats there are.
    """

    def __init__(
        self,
        backend: WorkerBackend,
        timeout_policy: TimeoutPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._timeout_policy = timeout_policy or TimeoutPolicy()
        self._clock = clock
        self._events: queue.SimpleQueue[tuple[Worker, Message]] = queue.SimpleQueue()
        self._at: dict[Worker, WorkerSlot] = {}
        self._stillborn = 0
        self._awake = self._checked = 0.0  # seconds in all, and when it was seen who is stuck
        self._slots: list[WorkerSlot] = []
        # Sets, but in order. Who is idle, but for the first; of them the latest is the next asked.
        self._free: dict[WorkerSlot, None] = {}
        self._manned: dict[WorkerSlot, None] = {}  # the worker is at the job
        self._unmanned: dict[WorkerSlot, None] = {}  # nobody is at the job
        self._grow()

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def place(self) -> Place:
        """Where the workers are."""
        return self._backend.place()

    def work(self, source: Source) -> None:
        """Do all that the source has."""
        looked = self._clock()
        while True:
            asked = self._hand_out(source)
            source.on_idle()
            if asked and not self._manned and not self._unmanned:
                return
            # A wait without a limit cannot be interrupted by Ctrl-C on Windows.
            with contextlib.suppress(queue.Empty):
                self._on_message(source, *self._events.get(timeout=TICK))
                while True:  # the more there is to hear, the more is stored at once
                    self._on_message(source, *self._events.get_nowait())
            now = self._clock()
            # Of a long sleep, the computer's or one by Ctrl-Z, hardly anything counts.
            self._awake += min(now - looked, 2 * TICK)
            looked = now
            if self._awake >= self._checked + TICK:
                self._end_stuck(source)
            self._grow()

    def _grow(self) -> None:
        for index in range(len(self._slots), self._backend.slots()):
            slot = WorkerSlot(index, self._backend.spawn(index, self._say))
            self._slots.append(slot)
            self._at[slot.worker] = slot
            self._settle(slot)

    def _say(self, worker: Worker, message: Message) -> None:
        self._events.put((worker, message))

    def _hand_out(self, source: Source) -> bool:
        """Have everybody at work; whether anybody at the first seat was asked."""
        first = self._slots[0]
        if first.job is None and not first.worker.ready:  # there may be a job for it any time
            self._man(first)
        while self._unmanned and self._man(next(iter(self._unmanned))):
            pass
        if asked := first.idle:
            self._ask(source, first)
        while self._free and self._ask(source, next(reversed(self._free))):
            pass
        return asked

    def _ask(self, source: Source, slot: WorkerSlot) -> bool:
        """Have one who is idle take a job; whether there was one."""
        if (job := source.next_job(slot.index)) is None:
            return False
        if slot.dead:
            self._replace(slot)
        slot.job, slot.vanished = job, 0
        self._settle(slot)
        return True

    def _settle(self, slot: WorkerSlot) -> None:
        """A seat has another job or worker, or none: who is ready begins."""
        for slots in (self._free, self._manned, self._unmanned):
            slots.pop(slot, None)
        if slot.job is None:
            if slot.worker.ready and slot.index:
                self._free[slot] = None
        elif slot.worker.ready:
            self._manned[slot] = None
            slot.since = self._awake
            slot.worker.submit(slot.job.name, slot.job.arguments)
        elif not self._man(slot):
            self._unmanned[slot] = None

    def _man(self, slot: WorkerSlot) -> bool:
        """Have somebody who is idle move there; whether there was anybody."""
        first = self._slots[0]
        if self._free:
            other, _ = self._free.popitem()
        elif first.idle and first is not slot:  # the last: it has jobs that no other has
            other = first
        else:
            return False
        slot.worker, other.worker = other.worker, slot.worker
        slot.dead, other.dead = other.dead, slot.dead
        self._at |= {slot.worker: slot, other.worker: other}
        self._settle(slot)
        return True

    def _on_message(self, source: Source, worker: Worker, message: Message) -> None:
        slot = self._at.get(worker)
        if slot is None:
            return  # it was replaced already
        (status, answer), job = message, slot.job
        if status == "ready":
            self._stillborn = 0
            if slot not in self._manned:
                self._settle(slot)
        elif status == "vanished":
            self._vanished(source, slot, answer)
        elif status == "died":
            slot.dead = True
            if job is not None:
                self._lose(source, slot, job, answer)
        elif status == "wrong":
            raise InvalidArgument(answer)
        elif status == "stopped":
            raise RavineError(answer)
        elif status == "users":
            line, text = answer
            raise InvalidArgument(line) from WorkerTraceback(text)
        elif status == "failed":
            what = DOING.get("open" if job is None else job.name, "working")
            last = answer.strip().splitlines()[-1]
            raise RavineError(f"{what} failed in a worker: {last}") from WorkerTraceback(answer)
        elif status == "exhausted":  # its memory may be in pieces: begin with an empty one
            assert job is not None
            self._lose(source, slot, job, answer)
        else:
            assert job is not None
            took = self._awake - slot.since
            self._timeout_policy.took(job.kind, job.kind not in worker.known, took)
            worker.known.add(job.kind)
            slot.job = None
            self._settle(slot)
            source.on_result(slot.index, job, answer)

    def _end_stuck(self, source: Source) -> None:
        self._checked = self._awake
        for slot in [*self._manned]:
            assert slot.job is not None
            kind = slot.job.kind
            limit = self._timeout_policy.limit(kind, kind not in slot.worker.known)
            if self._awake - slot.since > limit:
                self._lose(source, slot, slot.job, f"no answer in {limit:.0f} s")

    def _vanished(self, source: Source, slot: WorkerSlot, why: str) -> None:
        if not slot.worker.ready:
            self._stillborn += 1
            if self._stillborn > STILLBORN + len(self._slots):
                raise RavineError(f"no worker can be started: {why}")
        self._replace(slot)
        if slot.job is not None:
            slot.vanished += 1
            if slot.vanished > VANISHED + len(self._slots):
                self._lose(source, slot, slot.job, why)
                return
        self._settle(slot)

    def _lose(self, source: Source, slot: WorkerSlot, job: Job, why: str) -> None:
        self._replace(slot)
        slot.job = None
        self._settle(slot)
        source.on_failure(slot.index, job, why)

    def _replace(self, slot: WorkerSlot) -> None:
        del self._at[slot.worker]
        slot.worker.kill()
        slot.worker, slot.dead = self._backend.spawn(slot.index, self._say), False
        self._at[slot.worker] = slot

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        for slot in self._slots:
            slot.worker.kill()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
