"""The files that a job reads and leaves, for workers who do not share the work folder."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ravine.errors import RavineError
from ravine.storage import payload
from ravine.storage.files import PARTIAL, sync
from ravine.storage.work_files import DATA, checkpoint_file, weights_file

# Jobs that need the task alone, of which the data are made.
FIRST = ("describe", "draw")


class Version(NamedTuple):
    """Which state of a file it is; a file that is written anew is another."""

    size: int
    nanoseconds: int


def reads(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """What has to be there before a job is done."""
    found = [payload.FILE]
    if name in FIRST:
        return found
    found.append(DATA)
    plan, segment = arguments["plan"], arguments.get("segment", 0)
    runs = arguments.get("runs") or ([arguments["run"]] if "run" in arguments else [])
    if name == "save":
        return [payload.FILE, checkpoint_file(runs[0], len(plan.cuts(runs[0])))]
    if name != "trace":
        found.append(arguments["program"])
    begun = [weights_file(run.seed) for run in runs if segment == 0 or plan.facts.anew]
    begun += [checkpoint_file(run, segment) for run in runs if segment]
    return found + list(dict.fromkeys(begun))


def writes(name: str, arguments: Mapping[str, Any], answer: Any = None) -> list[str]:
    """What a job may leave. ``answer``: what it gave, where that says which file it was."""
    if name == "describe":
        return [DATA]
    if name == "draw":
        return [weights_file(seed) for seed in arguments["seeds"]]
    if name == "trace":
        return [arguments["program"]]
    if name == "advance":
        return [checkpoint_file(run, arguments["segment"] + 1) for run in arguments["runs"]]
    return [answer.file] if name == "save" and answer is not None else []


def passing(name: str) -> bool:
    """Whether a file is read by one job alone."""
    return name.startswith("checkpoint-")


def version(path: Path) -> Version | None:
    """Of a file that is there."""
    with suppress(OSError):
        status = path.stat()
        return Version(status.st_size, status.st_mtime_ns)
    return None


def put(folder: Path, files: Mapping[str, Any], at: Mapping[str, Version] | None = None) -> None:
    """Write files: each is there whole and durable, or as it was. Raises ``RavineError``.

    ``at``: which versions they are; without it they are new, and outlive a crash.
    """
    partial = {name: folder / f"{name}.{os.getpid()}-{id(files)}{PARTIAL}" for name in files}
    try:
        for name, content in files.items():
            partial[name].write_bytes(content)
        if at is None:  # now that all are written, the system has the less to do for each
            for path in partial.values():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
        for name, path in partial.items():
            if at is not None:
                os.utime(path, ns=(at[name].nanoseconds,) * 2)
            path.replace(folder / name)
        if at is None and files:
            sync(folder)
    except OSError as error:
        for path in partial.values():
            with suppress(OSError):
                path.unlink()
        raise RavineError(f"cannot write to '{folder}': {error.strerror or error}") from error
