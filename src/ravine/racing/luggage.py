"""What a race takes along: its task and its rules, pickled, in its working folder.

A pickle is code, so nobody opens one that only lies there. A worker is told by its driver which
digest it must have; a driver that goes on with an older race opens it only if it is signed with a
key that this user alone can read, whatever else the folder holds.
"""

import hashlib
import hmac
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle

from ravine.cache import cache_folder
from ravine.errors import RavineError, WrongCall

FILE = "task.pickle"
SIGNATURE = "task.signature"
KEY = "signing-key"


class Luggage(NamedTuple):
    """What is raced."""

    task: Any
    rules: Mapping[str, Any]  # as the user listed them, by spelling


def pack(folder: Path, luggage: Luggage) -> str:
    """Write it, signed, and give its digest. Raises ``WrongCall`` if it cannot be pickled."""
    try:
        with (folder / FILE).open("wb") as file:
            cloudpickle.dump(sys.path, file)  # where what it imports was found
            cloudpickle.dump(tuple(luggage), file)
        digest = _digest(folder / FILE)
        # Who has no place for a key goes on from Python, naming the task again.
        with suppress(OSError):
            signature = hmac.new(_key(make=True), digest.encode(), "sha256").hexdigest()
            (folder / SIGNATURE).write_text(signature, encoding="ascii")
    except OSError as error:
        raise RavineError(f"cannot write to '{folder}': {error.strerror or error}") from error
    except Exception as error:
        raise WrongCall(
            f"the task '{luggage.task.name}' cannot be handed to another process: "
            f"{str(error).splitlines()[0]}; make what it needs inside the function that builds the "
            "model"
        ) from error
    return digest


def unpack(folder: Path, digest: str) -> Luggage:
    """What ``pack`` wrote. Raises ``RavineError`` if it has another digest."""
    try:
        if _digest(folder / FILE) != digest:
            raise RavineError(f"'{folder / FILE}' has changed while the race was running")
        with (folder / FILE).open("rb") as file:
            sys.path += [place for place in cloudpickle.load(file) if place not in sys.path]
            return Luggage(*cloudpickle.load(file))
    except OSError as error:
        raise RavineError(f"cannot read '{folder / FILE}': {error.strerror or error}") from error


def signed(folder: Path) -> str | None:
    """The digest of what this user wrote there, on this machine; None if nobody or another did."""
    with suppress(OSError, ValueError):
        digest = _digest(folder / FILE)
        signature = hmac.new(_key(make=False), digest.encode(), "sha256").hexdigest()
        found = (folder / SIGNATURE).read_text(encoding="ascii")
        return digest if hmac.compare_digest(signature, found) else None
    return None


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _key(make: bool) -> bytes:
    """The key of the user alone. Raises ``OSError`` if there is none that nobody else can read."""
    path = cache_folder() / KEY
    if make and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            with suppress(FileExistsError):  # the first of several at once wins
                os.link(partial, path)
        finally:
            partial.unlink()
    if hasattr(os, "getuid"):  # on Windows the user's folders are closed to others
        status = path.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise PermissionError(f"'{path}' is open to others")
    return path.read_bytes()
