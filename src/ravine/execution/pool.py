"""Workers, wherever they are, and who does what next."""

import contextlib
import queue
import time
from collections.abc import Callable
from typing import Any, Protocol

from ravine.errors import RavineError, WorkerTraceback, WrongCall
from ravine.execution.job import Job
from ravine.execution.timeout_policy import Patience
from ravine.execution.worker_backend import Crew, Message, Place, Worker

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

    def take(self, worker: int) -> Job | None:
        """A job for that worker, or None when there is none for it now.

        Worker 0 may get what no other may. All others are alike: where there is nothing for one of
        them, the rest are not asked.
        """

    def done(self, worker: int, job: Job, answer: Any) -> None:
        """What came of a job; after this there may be more to take."""

    def lost(self, worker: int, job: Job, why: str) -> None:
        """The worker died over a job; a new one takes its place. Raises to give up."""

    def handed_out(self) -> None:
        """All that there was to take is taken: time for what nobody waits for."""


class Seat:
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
        crew: Crew,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._crew = crew
        self._patience = patience or Patience()
        self._clock = clock
        self._events: queue.SimpleQueue[tuple[Worker, Message]] = queue.SimpleQueue()
        self._at: dict[Worker, Seat] = {}
        self._stillborn = 0
        self._awake = self._checked = 0.0  # seconds in all, and when it was seen who is stuck
        self._seats: list[Seat] = []
        # Sets, but in order. Who is idle, but for the first; of them the latest is the next asked.
        self._free: dict[Seat, None] = {}
        self._manned: dict[Seat, None] = {}  # the worker is at the job
        self._unmanned: dict[Seat, None] = {}  # nobody is at the job
        self._grow()

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def place(self) -> Place:
        """Where the workers are."""
        return self._crew.place()

    def work(self, source: Source) -> None:
        """Do all that the source has."""
        looked = self._clock()
        while True:
            asked = self._hand_out(source)
            source.handed_out()
            if asked and not self._manned and not self._unmanned:
                return
            # A wait without a limit cannot be interrupted by Ctrl-C on Windows.
            with contextlib.suppress(queue.Empty):
                self._hear(source, *self._events.get(timeout=TICK))
                while True:  # the more there is to hear, the more is stored at once
                    self._hear(source, *self._events.get_nowait())
            now = self._clock()
            # Of a long sleep, the computer's or one by Ctrl-Z, hardly anything counts.
            self._awake += min(now - looked, 2 * TICK)
            looked = now
            if self._awake >= self._checked + TICK:
                self._end_stuck(source)
            self._grow()

    def _grow(self) -> None:
        for index in range(len(self._seats), self._crew.seats()):
            seat = Seat(index, self._crew.hire(index, self._say))
            self._seats.append(seat)
            self._at[seat.worker] = seat
            self._settle(seat)

    def _say(self, worker: Worker, message: Message) -> None:
        self._events.put((worker, message))

    def _hand_out(self, source: Source) -> bool:
        """Have everybody at work; whether anybody at the first seat was asked."""
        first = self._seats[0]
        if first.job is None and not first.worker.ready:  # there may be a job for it any time
            self._man(first)
        while self._unmanned and self._man(next(iter(self._unmanned))):
            pass
        if asked := first.idle:
            self._ask(source, first)
        while self._free and self._ask(source, next(reversed(self._free))):
            pass
        return asked

    def _ask(self, source: Source, seat: Seat) -> bool:
        """Have one who is idle take a job; whether there was one."""
        if (job := source.take(seat.index)) is None:
            return False
        if seat.dead:
            self._replace(seat)
        seat.job, seat.vanished = job, 0
        self._settle(seat)
        return True

    def _settle(self, seat: Seat) -> None:
        """A seat has another job or worker, or none: who is ready begins."""
        for seats in (self._free, self._manned, self._unmanned):
            seats.pop(seat, None)
        if seat.job is None:
            if seat.worker.ready and seat.index:
                self._free[seat] = None
        elif seat.worker.ready:
            self._manned[seat] = None
            seat.since = self._awake
            seat.worker.give(seat.job.name, seat.job.arguments)
        elif not self._man(seat):
            self._unmanned[seat] = None

    def _man(self, seat: Seat) -> bool:
        """Have somebody who is idle move there; whether there was anybody."""
        first = self._seats[0]
        if self._free:
            other, _ = self._free.popitem()
        elif first.idle and first is not seat:  # the last: it has jobs that no other has
            other = first
        else:
            return False
        seat.worker, other.worker = other.worker, seat.worker
        seat.dead, other.dead = other.dead, seat.dead
        self._at |= {seat.worker: seat, other.worker: other}
        self._settle(seat)
        return True

    def _hear(self, source: Source, worker: Worker, message: Message) -> None:
        seat = self._at.get(worker)
        if seat is None:
            return  # it was replaced already
        (status, answer), job = message, seat.job
        if status == "ready":
            self._stillborn = 0
            if seat not in self._manned:
                self._settle(seat)
        elif status == "vanished":
            self._vanished(source, seat, answer)
        elif status == "died":
            seat.dead = True
            if job is not None:
                self._lose(source, seat, job, answer)
        elif status == "wrong":
            raise WrongCall(answer)
        elif status == "stopped":
            raise RavineError(answer)
        elif status == "users":
            line, text = answer
            raise WrongCall(line) from WorkerTraceback(text)
        elif status == "failed":
            what = DOING.get("open" if job is None else job.name, "working")
            last = answer.strip().splitlines()[-1]
            raise RavineError(f"{what} failed in a worker: {last}") from WorkerTraceback(answer)
        elif status == "exhausted":  # its memory may be in pieces: begin with an empty one
            assert job is not None
            self._lose(source, seat, job, answer)
        else:
            assert job is not None
            took = self._awake - seat.since
            self._patience.took(job.kind, job.kind not in worker.known, took)
            worker.known.add(job.kind)
            seat.job = None
            self._settle(seat)
            source.done(seat.index, job, answer)

    def _end_stuck(self, source: Source) -> None:
        self._checked = self._awake
        for seat in [*self._manned]:
            assert seat.job is not None
            kind = seat.job.kind
            limit = self._patience.limit(kind, kind not in seat.worker.known)
            if self._awake - seat.since > limit:
                self._lose(source, seat, seat.job, f"no answer in {limit:.0f} s")

    def _vanished(self, source: Source, seat: Seat, why: str) -> None:
        if not seat.worker.ready:
            self._stillborn += 1
            if self._stillborn > STILLBORN + len(self._seats):
                raise RavineError(f"no worker can be started: {why}")
        self._replace(seat)
        if seat.job is not None:
            seat.vanished += 1
            if seat.vanished > VANISHED + len(self._seats):
                self._lose(source, seat, seat.job, why)
                return
        self._settle(seat)

    def _lose(self, source: Source, seat: Seat, job: Job, why: str) -> None:
        self._replace(seat)
        seat.job = None
        self._settle(seat)
        source.lost(seat.index, job, why)

    def _replace(self, seat: Seat) -> None:
        del self._at[seat.worker]
        seat.worker.end()
        seat.worker, seat.dead = self._crew.hire(seat.index, self._say), False
        self._at[seat.worker] = seat

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        for seat in self._seats:
            seat.worker.end()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
