"""What a race takes along: its task and its rules, pickled, in its working folder.

A pickle is code, so nobody opens one that only lies there. A worker is told by its driver which
digest it must have; a driver that goes on with an older race opens it only if this user signed it
together with the plan (see ``signing``), whatever else the folder holds.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle

from ravine.errors import InvalidArgument, RavineError
from ravine.storage import signing

FILE = "task.pickle"
SIGNATURE = "task.signature"  # of a folder that has no store to keep it in


class Payload(NamedTuple):
    """What is raced."""

    task: Any
    rules: Mapping[str, Any]  # as the user listed them, by spelling


def pack(folder: Path, payload: Payload) -> str:
    """Write it and give its digest. Raises ``InvalidArgument`` if it cannot be pickled."""
    try:
        with (folder / FILE).open("wb") as file:
            cloudpickle.dump(sys.path, file)  # where what it imports was found
            cloudpickle.dump(tuple(payload), file)
        return _digest(folder / FILE)
    except OSError as error:
        raise RavineError(f"cannot write to '{folder}': {error.strerror or error}") from error
    except Exception as error:
        raise InvalidArgument(
            f"the task '{payload.task.name}' cannot be handed to another process: "
            f"{str(error).splitlines()[0]}; make what it needs inside the function that builds the "
            "model"
        ) from error


def unpack(folder: Path, digest: str) -> Payload:
    """What ``pack`` wrote. Raises ``RavineError`` if it has another digest."""
    try:
        with (folder / FILE).open("rb") as file:  # once: what was digested is what is loaded
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise RavineError(f"'{folder / FILE}' has changed while the race was running")
            file.seek(0)
            sys.path += [place for place in cloudpickle.load(file) if place not in sys.path]
            return Payload(*cloudpickle.load(file))
    except OSError as error:
        raise RavineError(f"cannot read '{folder / FILE}': {error.strerror or error}") from error


def has(folder: Path, digest: str) -> bool:
    """Whether the pickle that lies there has this digest."""
    with suppress(OSError):
        return _digest(folder / FILE) == digest
    return False


def sign(folder: Path, digest: str, plan: str) -> None:
    """Sign that the pickle of this digest belongs to a plan.

    Who has no place for a key goes on from Python, naming the task again.
    """
    with suppress(OSError):
        signed = {"payload": digest, "signature": signing.signature(plan, digest)}
        (folder / SIGNATURE).write_text(json.dumps(signed), encoding="ascii")


def signed(folder: Path, plan: str) -> str | None:
    """The digest of the pickle that this user signed with that plan; None without one."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        signed = json.loads((folder / SIGNATURE).read_text(encoding="ascii"))
        digest = str(signed["payload"])
        if signing.is_signed(plan, digest, str(signed["signature"])) and has(folder, digest):
            return digest
    return None


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
