"""Worker processes on this machine, and who does what next."""

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, NamedTuple, Protocol

from ravine.cache import cache_folder
from ravine.errors import RavineError, WrongCall
from ravine.racing.engines import JAX, environment
from ravine.racing.patience import Patience
from ravine.racing.worker import receive, send

TICK = 1.0  # seconds between two looks at who is stuck


class Job(NamedTuple):
    """A method of ``Workbench`` and its arguments. Jobs of one ``kind`` take about equally long."""

    name: str
    arguments: Mapping[str, Any]
    kind: str = ""


class Source(Protocol):
    """Where a pool takes its jobs from and brings the answers to."""

    def take(self, worker: int) -> Job | None:
        """A job for that worker, or None when there is none for it now."""

    def done(self, worker: int, job: Job, answer: Any) -> None:
        """What came of a job; after this there may be more to take."""

    def lost(self, worker: int, job: Job, why: str) -> None:
        """The worker died over a job; a new one takes its place. Raises to give up."""

    def handed_out(self) -> None:
        """All that there was to take is taken: time for what nobody waits for."""


class Pool:
    """As many single-threaded workers as there are cores, unless told otherwise."""

    def __init__(
        self,
        count: int | None,
        workbench: Mapping[str, Any],
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        backend: str = "",
    ) -> None:
        # With a backend of the user's: as the user would run it, on all cores.
        self._backend = backend
        cores: list[int | None] = [None] if backend else _cores()
        count = len(cores) if count is None else count
        self._workbench = workbench
        self._patience = patience or Patience()
        self._clock = clock
        self._events: queue.SimpleQueue[tuple[_Worker, Any]] = queue.SimpleQueue()
        # More workers than cores share them; a system without affinity places them itself.
        self._workers = [self._start(i, cores[i % len(cores)]) for i in range(count)]

    def __len__(self) -> int:
        return len(self._workers)

    def work(self, source: Source) -> None:
        """Do all that the source has."""
        looked = self._clock()
        while True:
            self._hand_out(source)
            source.handed_out()
            if all(worker.job is None for worker in self._workers):
                return
            # A wait without a limit cannot be interrupted by Ctrl-C on Windows.
            with contextlib.suppress(queue.Empty):
                self._hear(source, *self._events.get(timeout=TICK))
                while True:  # the more there is to hear, the more is stored at once
                    self._hear(source, *self._events.get_nowait())
            now = self._clock()
            # Of a long sleep, the computer's or one by Ctrl-Z, hardly anything counts.
            self._end_stuck(source, min(now - looked, 2 * TICK))
            looked = now

    def _hand_out(self, source: Source) -> None:
        for index, worker in enumerate(self._workers):
            if worker.job is None and (job := source.take(index)) is not None:
                (self._replace(worker) if worker.dead else worker).give(job)

    def _hear(self, source: Source, worker: "_Worker", message: Any) -> None:
        if worker is not self._workers[worker.index]:
            return  # it was replaced already
        job = worker.job
        if message is None:
            worker.dead = True
            if job is not None:
                self._lose(source, worker, job, worker.last_words())
            return
        status, answer = message
        if status == "wrong":
            raise WrongCall(answer)
        if status == "stopped":
            raise RavineError(answer)
        if status == "failed":
            name = "open" if job is None else job.name
            raise RavineError(f"'{name}' failed in a worker:\n{answer}")
        assert job is not None
        if status == "exhausted":  # its memory may be in pieces: begin with an empty one
            self._lose(source, worker, job, answer)
            return
        self._patience.took(job.kind, job.kind not in worker.known, worker.busy)
        worker.known.add(job.kind)
        worker.job = None
        source.done(worker.index, job, answer)

    def _end_stuck(self, source: Source, passed: float) -> None:
        for worker in self._workers:
            if (job := worker.job) is None:
                continue
            worker.busy += passed
            limit = self._patience.limit(job.kind, job.kind not in worker.known)
            if worker.busy > limit:
                self._lose(source, worker, job, f"no answer in {limit:.0f} s")

    def _lose(self, source: Source, worker: "_Worker", job: Job, why: str) -> None:
        self._replace(worker)
        source.lost(worker.index, job, why)

    def _replace(self, worker: "_Worker") -> "_Worker":
        worker.end()
        fresh = self._start(worker.index, worker.core)
        self._workers[worker.index] = fresh
        return fresh

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        for worker in self._workers:
            worker.end()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, index: int, core: int | None) -> "_Worker":
        engine = self._workbench.get("engine", JAX)
        told = _environment(self._backend) | ({} if self._backend else environment(engine))
        worker = _Worker(index, core, self._events, told)
        worker.send(Job("open", {"path": sys.path, **self._workbench}))
        return worker


class _Worker:
    """One process: what goes in, what comes out, what it is doing."""

    def __init__(
        self,
        index: int,
        core: int | None,
        events: "queue.SimpleQueue[tuple[_Worker, Any]]",
        told: Mapping[str, str],
    ) -> None:
        self.index = index
        self.core = core
        self.job: Job | None = None
        self.busy = 0.0  # seconds at that job
        self.known: set[str] = set()  # the kinds of job that it has done
        self.dead = False
        self._events = events
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 — closed in end()
        # -m and pipes, not multiprocessing: scripts without a main guard and notebooks work too.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ravine.racing.worker", "" if core is None else str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=dict(told),
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def give(self, job: Job) -> None:
        """Hand over the next job."""
        self.job, self.busy = job, 0.0
        self.send(job)

    def send(self, job: Job) -> None:
        """Write to the process. If it is dead, the listener says so."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            send(self._process.stdin, (job.name, dict(job.arguments)))

    def last_words(self) -> str:
        """The end of what the process wrote to its standard error, and how it ended."""
        code = self._process.wait()
        self._log.seek(0)
        words = self._log.read().decode(errors="replace").strip()[-2000:]
        hint = " (killed: perhaps the system ran out of memory)" if code == -9 else ""
        return f"exit code {code}{hint}\n{words}".strip()

    def end(self) -> None:
        """Kill the process and wait until it is gone, unless not even the system can end it."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        for stream in (self._process.stdin, self._log):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            try:
                while True:
                    self._events.put((self, receive(stream)))
            except (EOFError, OSError, ValueError):
                self._events.put((self, None))


def _cores() -> list[int | None]:
    if hasattr(os, "sched_getaffinity"):
        return [*sorted(os.sched_getaffinity(0))]
    return [None] * (os.cpu_count() or 1)


def _environment(backend: str) -> dict[str, str]:
    """What a worker is told: JAX on one thread of the CPU, every compiled program kept.

    With a backend of the user's, that one and nothing else.
    """
    if backend:
        return {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    flags = os.environ.get("XLA_FLAGS", "")
    return {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": f"{flags} --xla_cpu_multi_thread_eigen=false".strip(),
        "OMP_NUM_THREADS": "1",
        "JAX_COMPILATION_CACHE_DIR": str(cache_folder()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
