"""A peer at work: its processes, and the seconds that they take for some runs."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from peers.setting import CORES, Curve, Setting
from ravine.execution.worker import receive, send


class Way(NamedTuple):
    """One way to run a peer. ``processes`` 0 is one a core, pinned; 1 is one on all cores."""

    text: str
    family: str  # a module of this package
    options: Mapping[str, Any]
    environment: Mapping[str, str]
    processes: int = 0
    chunk: int = 1  # runs handed out at a time; 0: an equal share to each process
    runs: float = 1.0  # of everyone's runs, the share that a slow one does in a repetition
    least: int = 1  # runs a process in a repetition
    same_masks: bool = True  # of dropout, as Keras draws them on JAX


class Fleet:
    """The processes of one way."""

    def __init__(self, way: Way, setting: Setting) -> None:
        self._way = way
        places = [CORES] if way.processes == 1 else [[core] for core in CORES]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 — closed in close()
        self._children = [self._start(place) for place in places]
        try:
            for child in self._children:
                send(child.stdin, setting)
            for child in self._children:
                self._answer(child)
        except BaseException:
            self.close()
            raise
        self._signal("SIGSTOP")

    def __len__(self) -> int:
        return len(self._children)

    def train(self, seeds: Sequence[int]) -> tuple[float, dict[int, Curve]]:
        """Seconds, and the curves by seed. Whoever is free takes the next chunk."""
        chunks: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
        share = -(-len(seeds) // len(self._children))
        size = min(self._way.chunk or share, share)  # nobody is left without
        for i in range(0, len(seeds), size):
            chunks.put(list(seeds[i : i + size]))
        curves: dict[int, Curve] = {}
        errors: list[BaseException] = []

        def feed(child: Any) -> None:
            try:
                with contextlib.suppress(queue.Empty):
                    while True:
                        mine = chunks.get_nowait()
                        send(child.stdin, mine)
                        curves.update(zip(mine, self._answer(child), strict=True))
            except BaseException as error:
                errors.append(error)

        feeders = [threading.Thread(target=feed, args=(child,)) for child in self._children]
        self._signal("SIGCONT")
        began = time.perf_counter()
        for feeder in feeders:
            feeder.start()
        for feeder in feeders:
            feeder.join()
        seconds = time.perf_counter() - began
        self._signal("SIGSTOP")
        if errors:
            raise errors[0]
        return seconds, curves

    def seeds(self, count: int) -> range:
        """Those of a repetition when the fast ones do ``count``."""
        least = len(self._children) * self._way.least
        return range(max(least, round(count * self._way.runs)))

    def close(self) -> None:
        """End them."""
        for child in self._children:
            child.kill()
            child.communicate()
        self._log.close()

    def _start(self, cores: list[int]) -> Any:
        way = self._way
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        threads, options = str(len(cores)), json.dumps(dict(way.options))
        return subprocess.Popen(
            [sys.executable, "-m", "peers.child", way.family, json.dumps(cores), options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(path for path in paths if path),
                "OMP_NUM_THREADS": threads,
                "TF_NUM_INTRAOP_THREADS": threads,
                "TF_NUM_INTEROP_THREADS": "1",
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "JAX_PLATFORMS": "cpu",
                **way.environment,
            },
        )

    def _answer(self, child: Any) -> Any:
        try:
            return receive(child.stdout)
        except EOFError:
            self._log.seek(0)
            words = self._log.read().decode(errors="replace")[-3000:]
            raise RuntimeError(f"{self._way.text} ended:\n{words}") from None

    def _signal(self, name: str) -> None:
        # Pools of idle threads spin for a while: those whose turn it is not are stopped.
        if hasattr(signal, name):
            for child in self._children:
                child.send_signal(getattr(signal, name))
