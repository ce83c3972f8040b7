"""A worker's post on a node of a Ray cluster: an actor with a process, a core and files there.

The process is the one that works on a laptop, so that what comes out has the same bits; the actor
brings it jobs and files, and takes away what it leaves. Actors of one race share the files on a
node, as processes on one machine do.
"""

import contextlib
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, NamedTuple

from ravine.cache import cache_folder
from ravine.errors import RavineError
from ravine.execution import file_transfer
from ravine.execution.file_transfer import Version
from ravine.execution.worker_backend import Message, Process, Worker, cores, without_settings
from ravine.experiment.engines import device
from ravine.storage import provenance

PLACE = "ravine-ray"  # in a node's folder for temporary files, of each user


class Opening(NamedTuple):
    """What a post is opened with."""

    race: str  # whose files it shares
    workbench: Mapping[str, Any]
    told: Mapping[str, str]  # the environment
    path: Sequence[str]  # where the driver finds modules
    versions: Mapping[str, str]  # those of the driver


class Parcel(NamedTuple):
    """A file on its way to a post: its content, or a reference to it, in a list to stay one.

    None where the post has it, of the job before.
    """

    name: str
    version: Version
    content: Any


class Opened(NamedTuple):
    """Where a post is."""

    node: str  # as Ray calls it
    process: int  # that of the worker
    processor: str


class RayActor:
    """What a Ray actor is made of. Everything in it happens on the node."""

    def open(self, opening: Opening) -> Opened:
        """Start the process. Raises ``RavineError`` on a node with other versions."""
        import ray

        engine = opening.workbench.get("engine", "jax")
        if other := provenance.differing(provenance.versions(engine), opening.versions):
            raise RavineError(
                f"a node of the cluster has {', '.join(other)}: install the same on all nodes "
                "and where ravine runs"
            )
        node: str = ray.get_runtime_context().get_node_id()
        self._folder, self._held = _shared(f"{opening.race}-{node[:8]}")
        self._aside = Path(tempfile.mkdtemp(dir=self._folder))  # of this post alone
        self._said: SimpleQueue[Message] = SimpleQueue()
        # A GPU's worker waits for it more than it computes.
        core, self._core = (None, None) if device(engine) == "gpu" else _core()
        told = {
            **without_settings(os.environ),
            **opening.told,
            "JAX_COMPILATION_CACHE_DIR": str(cache_folder()),
        }
        self._process = Process(core, told, self._on_message)
        # Ray's own copies of packages are none of ours.
        own = [p for p in sys.path if "thirdparty_files" not in p]
        path = [*dict.fromkeys([*filter(os.path.exists, opening.path), *own])]
        # What is to stay the driver makes durable.
        bench = {**opening.workbench, "folder": str(self._folder), "durable": False}
        self._process.submit("open", {"path": path, **bench})
        return Opened(node, self._process.pid, provenance.machine()["processor"])

    def do(
        self, name: str, arguments: Mapping[str, Any], brought: Sequence[Parcel]
    ) -> tuple[Message, dict[str, Any]]:
        """What came of a job, and the files that it left."""
        self._unpack(brought)
        self._process.submit(name, arguments)
        message = self._said.get()
        if message[0] == "died" and message[1].startswith(f"exit code {-signal.SIGTERM}"):
            message = "vanished", "its process was told to end, as a node's are that is shut down"
        files: dict[str, Any] = {}
        if message[0] == "done":
            files = self._left(file_transfer.writes(name, arguments, message[1]))
        for parcel in brought:
            if file_transfer.passing(parcel.name):
                (self._folder / parcel.name).unlink(missing_ok=True)
        return message, files

    def leave(self) -> None:
        """Be gone, and the files with it if nobody else here needs them."""
        import ray.actor

        self._process.kill()
        self._held.close()
        _sweep(self._folder.parent)
        ray.actor.exit_actor()

    def _on_message(self, worker: Worker, message: Message) -> None:
        self._said.put(message)

    def _unpack(self, brought: Sequence[Parcel]) -> None:
        """Have the files here; those that another post of this node had brought are."""
        import ray

        for name, version, content in brought:
            if content is None:
                try:
                    (self._aside / name).replace(self._folder / name)
                except FileNotFoundError:  # somebody tidied up: the process will miss it
                    (self._folder / name).unlink(missing_ok=True)
            elif file_transfer.version(self._folder / name) != version:
                held = ray.get(content[0]) if isinstance(content, list) else content
                file_transfer.put(self._folder, {name: held}, {name: version})
        for path in self._aside.iterdir():
            path.unlink()

    def _left(self, names: Sequence[str]) -> dict[str, Any]:
        """The files of a job. What only one other reads is kept until then: it may come next."""
        import numpy as np

        paths = [path for name in names if (path := self._folder / name).exists()]
        files = {path.name: np.fromfile(path, np.uint8) for path in paths}
        for path in paths:
            if file_transfer.passing(path.name):
                path.replace(self._aside / path.name)
            else:
                path.unlink()  # it comes back with the version that the driver knows
        return files


def _shared(name: str) -> tuple[Path, IO[str]]:
    """A folder of this node, and a hold on it; what races of before left is swept away."""
    place = Path(tempfile.gettempdir(), f"{PLACE}-{os.getuid()}")
    place.mkdir(mode=0o700, exist_ok=True)
    status = place.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise RavineError(f"'{place}' is not a folder of this user's alone")
    _sweep(place)
    while True:
        held = (place / f"{name}.lock").open("w", encoding="ascii")
        _lock(held, shared=True)
        if os.fstat(held.fileno()).st_nlink:  # else somebody has just swept it away
            break
        held.close()
    folder = place / name
    folder.mkdir(exist_ok=True)
    return folder, held


def _sweep(place: Path) -> None:
    """Remove the folders that nobody holds."""
    for lock in place.glob("*.lock"):
        folder = lock.with_suffix("")
        if folder.is_dir():
            with lock.open("w", encoding="ascii") as held, contextlib.suppress(OSError):
                _lock(held)
                shutil.rmtree(folder, ignore_errors=True)
                lock.unlink()


def _core() -> tuple[int | None, IO[str] | None]:
    """A core of this machine that no other post has, and the hold on it; shared if none is left."""
    mine = cores()
    for core in mine:
        path = Path(tempfile.gettempdir(), f"{PLACE}-{os.getuid()}", f"core-{core}.held")
        held = path.open("w", encoding="ascii")
        with contextlib.suppress(OSError):
            _lock(held)
            return core, held
        held.close()
    return mine[os.getpid() % len(mine)], None


def _lock(file: IO[str], *, shared: bool = False) -> None:
    """Until the file is closed, or the process over. Raises ``OSError`` if another has it."""
    import fcntl

    fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
