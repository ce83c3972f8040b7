"""A worker process: takes jobs from its standard input, one at a time, and answers each.

It ends when its driver does, whatever it is doing, and ignores Ctrl-C, which is the driver's to
handle. Keras is imported only by a worker that is asked to trace.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from queue import SimpleQueue
from typing import IO, Any

from ravine.errors import InvalidArgument, RavineError
from ravine.execution.messages import receive, send
from ravine.tasks import keras_import
from ravine.tasks.adapters.failures import line_of, users_code


def main(core: str) -> None:
    """Serve jobs until the driver closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keras_import.shorten()
    # Before JAX is imported: it sizes its thread pool by this.
    if core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up among the replies
    jobs: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, jobs), daemon=True).start()
    bench: Any = None
    while True:
        name, arguments = jobs.get()
        if bench is None:
            sys.path[:] = arguments.pop("path")  # to find what the driver could import
            try:
                bench = opened(**arguments)
            except Exception as error:
                send(replies, _failed(error))
            continue
        send(replies, answered(bench, name, arguments))


def answered(bench: Any, name: str, arguments: Mapping[str, Any]) -> tuple[str, Any]:
    """Do a job, and give the message that says what came of it: see ``worker_backend.Message``."""
    try:
        return "done", bench.do(name, arguments)
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> tuple[str, Any]:
    if isinstance(error, RavineError):
        return "wrong" if isinstance(error, InvalidArgument) else "stopped", str(error)
    # What XLA raises is known by its text alone.
    full = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
    text = "".join(traceback.format_exception(error))
    if not full and (place := users_code(error)):
        return "users", (f"{place}: {line_of(error)}", text)
    return "exhausted" if full else "failed", text


def opened(fits: bool = False, engine: str = "jax", **arguments: Any) -> Any:
    """What keeps a worker's memory between its jobs: ``EngineWorker``, or that of fits."""
    if fits:
        from ravine.execution.framework_fit import FrameworkFitWorker

        return FrameworkFitWorker(**arguments)
    from ravine.execution.engine_worker import EngineWorker

    return EngineWorker(**arguments, engine=engine)


def _listen(stream: IO[bytes], jobs: "SimpleQueue[Any]") -> None:
    try:
        while True:
            jobs.put(receive(stream))
    except BaseException:
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
