"""Workers on a Ray cluster: an actor for each, who is sent jobs and the files that they need.

The driver's work folder stays the one place where files are: what a job leaves is there, durable,
before its source hears of it. So a driver that is killed goes on elsewhere as it does without Ray.
"""

import importlib.util
import math
import os
import socket
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any
from uuid import uuid4

from ravine.errors import InvalidArgument, RavineError
from ravine.execution import file_transfer
from ravine.execution.engine_worker import CorruptFile
from ravine.execution.file_transfer import Version
from ravine.execution.ray_actor import Opened, Opening, Parcel, RayActor
from ravine.execution.worker_backend import Message, OnMessage, Place, told
from ravine.experiment.engines import JAX, device
from ravine.storage import provenance
from ravine.training.gpus import said

ANSWERS = 10.0  # seconds in which a cluster must answer
LEAVES = 5.0  # seconds that workers have to clean up after them
LOOK = 1.0  # seconds between two looks at how many CPUs there are
SILENT = 20.0  # seconds without any worker after which that is said
CARRIERS = 8  # threads that write to disk what workers bring
SHORT = 120  # letters of what Ray says
KEPT = 256  # files that stay in the object store: data, programs, initial weights

Say = Callable[[Message], None]


def check(address: str | None) -> None:
    """Raises ``InvalidArgument`` unless Ray is installed, where a cluster is asked for."""
    if address is None:
        return
    if not isinstance(address, str) or not address:
        raise InvalidArgument(f"ray={address!r} is not allowed: give 'auto', 'local' or an address")
    if address.startswith("ray://"):
        raise InvalidArgument(
            "ray:// is for Ray's client, which ravine does not use: run ravine on a node of the "
            "cluster, with --ray auto"
        )
    if importlib.util.find_spec("ray") is None:
        raise InvalidArgument("--ray needs Ray: pip install 'ravine[ray]'")


@contextmanager
def connected(address: str, say: Callable[[str], None]) -> Iterator["Cluster"]:
    """A cluster: ``"auto"`` that which is running, ``"local"`` one for this race, or an address.

    In a process that has called ``ray.init`` it is that session's. Raises ``RavineError`` where
    nobody answers.
    """
    ours = _join(address)
    cluster = Cluster(say, grows=not ours or address != "local")
    try:
        yield cluster
    finally:
        cluster.close()
        if ours:
            import ray

            ray.shutdown()


def _join(address: str) -> bool:
    """Be connected; whether that is new."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return False
    host, colon, port = address.rpartition(":")
    if colon:
        try:
            socket.create_connection((host, int(port)), ANSWERS).close()
        except (OSError, ValueError) as error:
            raise RavineError(f"no Ray cluster answers at '{address}': {error}") from error
    own: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        with redirect_stdout(sys.stderr):  # what Ray has to say is no result
            ray.init(address, log_to_driver=False, configure_logging=False, **own)
    except Exception as error:  # Ray has one for each way in which it fails
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise RavineError(
            f"no Ray cluster at '{address}': {why} (start one with 'ray start --head', or give "
            "--ray local)"
        ) from error
    # What happens to nodes the race says itself, and not on standard output.
    worker: Any = sys.modules.get("ray._private.worker")
    if hasattr(worker, "_worker_logs_enabled"):
        worker._worker_logs_enabled = False
    return True


class Cluster:
    """What all workers of a race on a cluster share: files in the object store, who carries."""

    def __init__(self, say: Callable[[str], None], grows: bool) -> None:
        self.say = say
        self.grows = grows  # whether nodes may come
        self.leaving: list[Any] = []
        self.processors: set[str] = set()
        self._carriers = ThreadPoolExecutor(CARRIERS, "ravine-ray")
        self._stored: OrderedDict[str, tuple[Version, Any]] = OrderedDict()

    def backend(self, count: int | None, workbench: Mapping[str, Any]) -> "RayBackend":
        """Workers for a race; ``count``: how many at most, by default as many as CPUs."""
        return RayBackend(self, count, workbench)

    def met(self, processor: str) -> None:
        """A node has such a processor."""
        if self.processors and processor not in self.processors:
            self.say(
                f"the cluster has different processors, {processor} and "
                f"{', '.join(self.processors)}: to the last bit curves are the same on one alone"
            )
        self.processors.add(processor)

    def follow(self, ref: Any, then: Callable[["Future[Any]"], None], say: Say) -> None:
        """Have something done with an answer once it is here; what goes wrong over it is said."""

        def carry(answer: "Future[Any]") -> None:
            try:
                then(answer)
            except Exception:
                say(("failed", traceback.format_exc()))

        def came(answer: "Future[Any]") -> None:
            with suppress(RuntimeError):  # the race is over
                self._carriers.submit(carry, answer)

        ref.future().add_done_callback(came)

    def parcel(self, folder: Path, name: str, version: Version) -> Parcel | None:
        """A file to be sent; one that many jobs read is in the object store, once a version."""
        import numpy as np
        import ray

        known, ref = self._stored.get(name, (None, None))
        if known == version:
            self._stored.move_to_end(name)
            return Parcel(name, version, [ref])
        try:
            content = np.fromfile(folder / name, np.uint8)
        except OSError:
            return None
        if file_transfer.passing(name):
            return Parcel(name, version, content)
        self._stored[name] = version, (ref := ray.put(content))
        if len(self._stored) > KEPT:
            self._stored.popitem(last=False)
        return Parcel(name, version, [ref])

    def close(self) -> None:
        """Let workers clean up."""
        import ray

        with suppress(Exception):
            ray.wait(self.leaving, num_returns=len(self.leaving) or 1, timeout=LEAVES)
        self._carriers.shutdown(wait=False, cancel_futures=True)


class RayBackend:
    """See ``WorkerBackend``: an actor a seat, which waits until the cluster has a CPU for it."""

    def __init__(self, cluster: Cluster, count: int | None, workbench: Mapping[str, Any]) -> None:
        import ray

        self.cluster = cluster
        self.folder = Path(workbench["folder"])
        engine = workbench.get("engine", JAX)
        versions = provenance.versions(engine)
        self.opening = Opening(uuid4().hex[:12], dict(workbench), told(engine), sys.path, versions)
        self._unit = device(engine).upper()  # as Ray calls what a worker has one of
        gpus = 1 if self._unit == "GPU" else 0
        if gpus and not cluster.grows and not ray.cluster_resources().get("GPU"):
            raise InvalidArgument("Ray finds no GPU on this machine: leave out --device gpu")
        self.post: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(RayActor)
        self.there: set[RayWorker] = set()  # who is ready
        self._count = count
        self._slots = 0
        self._looked = float("-inf")
        self._alone: float | None = None  # since when there is nobody

    def slots(self) -> int:
        """As many as the cluster has CPUs, or GPUs, or as were asked for; new nodes add theirs."""
        import ray

        now = time.monotonic()
        if now - self._looked < LOOK:
            return self._slots
        self._looked = now
        found = self._count or int(ray.cluster_resources().get(self._unit, 0))
        self._slots = max(1, self._slots, found)
        if self.there:
            self._alone = None
        elif self._alone is None:
            self._alone = now
        elif now - self._alone > SILENT:
            waits = f"waiting for a free {'CPU' if self._unit == 'CPU' else 'GPU and CPU'}"
            self.cluster.say(f"no worker on the Ray cluster is ready: {waits}")
            self._alone = float("inf")
        return self._slots

    def place(self) -> Place:
        """See ``WorkerBackend``. Of memory, what Ray counts a CPU, or GPU, on nodes
        that have some.
        """
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        nodes = [has for has in nodes if has.get(self._unit) and has.get("memory")]
        units = sum(has[self._unit] for has in nodes)
        memory = sum(has["memory"] for has in nodes) / units * self._slots if nodes else math.inf
        machine = provenance.machine()
        if other := self.cluster.processors - {machine["processor"]}:
            machine |= {"processor": ", ".join(sorted(other))}
        if self._unit == "GPU":
            machine |= {"gpu": said([kind for has in nodes for kind in _kinds(has)])}
        return Place("the cluster", machine | {"cores": self._slots}, memory)

    def spawn(self, slot: int, on_message: OnMessage) -> "RayWorker":
        """See ``WorkerBackend``."""
        return RayWorker(self, on_message)


def _kinds(resources: Mapping[str, float]) -> list[str]:
    """What the GPUs of a node are, as far as Ray knows."""
    kinds = [key.partition(":")[2] for key in resources if key.startswith("accelerator_type:")]
    return (kinds or ["GPU"])[:1] * int(resources["GPU"])


class RayWorker:
    """See ``worker_backend.Worker``: what the driver knows of an actor."""

    def __init__(self, backend: RayBackend, on_message: OnMessage) -> None:
        self.ready = False
        self.known: set[str] = set()
        self._backend = backend
        self._say = partial(on_message, self)
        self._has: dict[str, Version] = {}  # of the files that many jobs read
        self._left: dict[str, Version] = {}  # of those of its last job that one job reads
        self._busy = self._over = False
        self.where: Opened | None = None
        self._actor = backend.post.remote()
        backend.cluster.follow(self._actor.open.remote(backend.opening), self._opened, self._say)

    def submit(self, name: str, arguments: Mapping[str, Any]) -> None:
        """See ``worker_backend.Worker``."""
        self._busy = True
        cluster, folder = self._backend.cluster, self._backend.folder
        brought = []
        for file in file_transfer.reads(name, arguments):
            # What is not there the worker will miss, and say so.
            version = file_transfer.version(folder / file)
            if version is None or self._has.get(file) == version:
                continue
            if self._left.get(file) == version:
                brought.append(Parcel(file, version, None))
            elif (parcel := cluster.parcel(folder, file, version)) is not None:
                brought.append(parcel)
        ref = self._actor.do.remote(name, dict(arguments), brought)
        cluster.follow(ref, partial(self._did, brought), self._say)

    def kill(self) -> None:
        """See ``worker_backend.Worker``."""
        import ray

        self._over = True
        self._backend.there.discard(self)
        if self.ready and not self._busy:
            self._backend.cluster.leaving.append(self._actor.leave.remote())
        else:
            ray.kill(self._actor)

    def _opened(self, answer: "Future[Any]") -> None:
        """The actor has its process, or cannot have it."""
        if (why := self._failure(answer)) is not None:
            self._say(why)
            return
        self.where = where = answer.result()
        self._backend.cluster.met(where.processor)
        if not self._over:
            self._backend.there.add(self)
            self.ready = True
            self._say(("ready", None))

    def _did(self, brought: list[Parcel], answer: "Future[Any]") -> None:
        """A job is done: first its files are made durable."""
        if self._over:
            return
        if (why := self._failure(answer)) is not None:
            if why[0] == "vanished":
                self._backend.cluster.say(
                    f"a worker vanished; another does its work again: {why[1]}"
                )
            self._say(why)
            return
        self._busy = False
        message, files = answer.result()
        self._has |= {p.name: p.version for p in brought if not file_transfer.passing(p.name)}
        if message[0] == "done" and isinstance(message[1], CorruptFile):
            self._has.pop(message[1].file, None)
        folder = self._backend.folder
        try:
            file_transfer.put(folder, files)
        except RavineError as error:
            message = ("stopped", str(error))
        there = {
            file: file_transfer.version(folder / file)
            for file in files
            if file_transfer.passing(file)
        }
        self._left = {file: version for file, version in there.items() if version is not None}
        self._say(message)

    def _failure(self, answer: "Future[Any]") -> Message | None:
        """What to say where there is no answer."""
        from ray.exceptions import RayError, RayTaskError, RuntimeEnvSetupError

        error = answer.exception()
        if error is None:
            return None
        said = str(error).strip()
        if isinstance(error, RavineError):
            return "stopped", str(getattr(error, "cause", error))
        if isinstance(error, RuntimeEnvSetupError) or "creation task" in said:
            why = f"no worker can begin on a node of the cluster: {said.splitlines()[-1]}"
            return "stopped", f"{why} (is ravine installed there?)"
        if isinstance(error, RayTaskError) or not isinstance(error, RayError):
            return "failed", said
        if "running low on memory" in said and self._busy:
            return "exhausted", "the node ran low on memory"
        lines = said.splitlines()
        why = next((line for line in lines if "because" in line), lines[0])
        return "vanished", shorten(why, SHORT, placeholder=" …")
