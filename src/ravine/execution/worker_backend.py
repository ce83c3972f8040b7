"""Where workers come from: processes on this machine, or another crew that keeps the protocol."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any, NamedTuple, Protocol

from ravine.cache import cache_folder
from ravine.execution import memory
from ravine.execution.messages import receive, send
from ravine.experiment.engines import JAX, environment
from ravine.storage import provenance

# What a worker says, each with what it is about: "done" and the answer; "wrong", "stopped",
# "failed", "exhausted" and why; "died" and its last words, over its job; "vanished" and why, where
# the job had no part in it; "ready", where it was not from the start.
Message = tuple[str, Any]
OnMessage = Callable[["Worker", Message], None]  # called from any thread


class Place(NamedTuple):
    """Where workers are."""

    called: str
    machine: Mapping[str, Any]  # as ``provenance.machine`` has it
    memory: float  # bytes that all of them can have together


class Worker(Protocol):
    """One job at a time."""

    ready: bool  # whether it can be given a job
    known: set[str]  # the kinds of job that it has done

    def submit(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Hand over a job. What came of it is said to whoever hears."""

    def kill(self) -> None:
        """Be gone, whatever it is doing; nothing of it is heard any more."""


class WorkerBackend(Protocol):
    """Has workers for as many seats as there are."""

    def slots(self) -> int:
        """How many workers there can be now. It may grow."""

    def place(self) -> Place:
        """Where they are."""

    def spawn(self, slot: int, on_message: OnMessage) -> Worker:
        """A new worker, who has the workbench."""


class Local:
    """Single-threaded processes, each pinned to a core: as many as cores, unless told otherwise."""

    def __init__(self, count: int | None, workbench: Mapping[str, Any], backend: str = "") -> None:
        # With a backend of the user's: as the user would run it, on all cores.
        self._cores: list[int | None] = [None] if backend else cores()
        self._count = len(self._cores) if count is None else count
        self._workbench = workbench
        kept = os.environ if backend else without_settings(os.environ)
        self._environment = {**kept, **told(workbench.get("engine", JAX), backend)}

    def slots(self) -> int:
        """See ``WorkerBackend``."""
        return self._count

    def place(self) -> Place:
        """See ``WorkerBackend``."""
        return Place("this machine", provenance.machine(), memory.total())

    def spawn(self, slot: int, on_message: OnMessage) -> "Process":
        """See ``WorkerBackend``."""
        # More workers than cores share them; a system without affinity places them itself.
        core = self._cores[slot % len(self._cores)]
        worker = Process(core, self._environment, on_message)
        worker.submit("open", {"path": sys.path, **self._workbench})
        return worker


class Process:
    """One process: what goes in, what comes out."""

    ready = True

    def __init__(
        self, core: int | None, environment: Mapping[str, str], on_message: OnMessage
    ) -> None:
        self.known: set[str] = set()
        self._on_message = on_message
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 — closed in kill()
        # -m and pipes, not multiprocessing: scripts without a main guard and notebooks work too.
        self._process = subprocess.Popen(
            # -P: what lies in the current folder is not imported in the place of what is installed.
            [
                sys.executable,
                "-P",
                "-m",
                "ravine.execution.worker",
                "" if core is None else str(core),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=dict(environment),
        )
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its number in the system."""
        return self._process.pid

    def submit(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Write to the process. If it is dead, the listener says so."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            send(self._process.stdin, (name, dict(arguments)))

    def kill(self) -> None:
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
                    self._on_message(self, receive(stream))
            except (EOFError, OSError, ValueError):
                self._on_message(self, ("died", self._last_words()))

    def _last_words(self) -> str:
        """The end of what the process wrote to its standard error, and how it ended."""
        code, words = self._process.wait(), ""
        with contextlib.suppress(OSError, ValueError):  # it is closed if nobody wants to know
            self._log.seek(0)
            words = self._log.read().decode(errors="replace").strip()[-2000:]
        hint = " (killed: perhaps the system ran out of memory)" if code == -9 else ""
        return f"exit code {code}{hint}\n{words}".strip()


def cores() -> list[int | None]:
    """Those that this process may use; one None for each where the system does not say which."""
    if hasattr(os, "sched_getaffinity"):
        return [*sorted(os.sched_getaffinity(0))]
    return [None] * (os.cpu_count() or 1)


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what JAX could be told in it: numbers are not to depend on that."""
    return {k: v for k, v in environment.items() if not k.startswith(("JAX_", "XLA_FLAGS"))}


def told(engine: str, backend: str = "") -> dict[str, str]:
    """The environment of a worker: JAX on one thread of the CPU, or on a GPU; programs are kept.

    With a backend of the user's, that one and nothing else.
    """
    if backend:
        return {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return {
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        "OMP_NUM_THREADS": "1",
        "JAX_COMPILATION_CACHE_DIR": str(cache_folder()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **environment(engine),
    }
