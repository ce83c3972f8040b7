"""Files of arrays that workers meet through: there whole or not at all, and known to be whole."""

import json
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ravine.errors import RavineError

PARTIAL = ".part"  # how the names of files end that are being written


class CorruptFileError(Exception):
    """A file is missing or damaged."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


def write(path: Path, groups: dict[str, list[Any]], durable: bool = True) -> None:
    """Write arrays so that after a crash the file is there whole or not at all.

    Of one that is mapped from a file itself, where it is. ``durable``: whether it is to outlive the
    system's crash, too.
    """
    arrays = {
        f"{group}.{i}": _place(array) if mapped(array) else array
        for group, list_ in groups.items()
        for i, array in enumerate(list_)
    }
    partial = path.with_suffix(f".{os.getpid()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
        if durable:
            sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise RavineError(f"cannot write to '{path.parent}': {error.strerror or error}") from error


def tidy(folder: Path) -> None:
    """Remove what nobody writes on: their writers were killed."""
    for torn in folder.glob(f"*{PARTIAL}"):
        torn.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Make the new names in a folder durable too; Windows has no way to."""
    if hasattr(os, "O_DIRECTORY"):
        held = os.open(folder, os.O_DIRECTORY)
        os.fsync(held)
        os.close(held)


def read(path: Path, follow: bool = False) -> dict[str, list[Any]]:
    """What ``write`` wrote. Its checksums tell whether anything is missing or changed.

    ``follow``: whether it may name rows in other files, which are mapped. Only of a file that a
    worker of this very race wrote: one that came with the folder could name any file.
    """
    groups: dict[str, list[Any]] = {}
    try:
        # Of a file that it is given a name of, NumPy leaves open what is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for key in arrays.files:  # in the order in which they were written
                array = arrays[key]
                if follow and array.dtype.kind == "U":  # no array of a race holds text
                    array = _there(array)
                groups.setdefault(key.rpartition(".")[0], []).append(array)
    except (MemoryError, RavineError):
        raise
    except Exception as error:  # zip, zlib, NumPy and the system each have their own
        raise CorruptFileError(path) from error
    return groups


def mapped(array: Any) -> bool:
    """Whether it is a whole array in a file, which need not be in memory."""
    return isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap)


def _place(array: Any) -> Any:
    place = [str(array.filename), array.dtype.str, array.offset, array.shape]
    return np.array(json.dumps(place))


def _there(array: Any) -> Any:
    """What an array says the place of."""
    name, dtype, offset, shape = json.loads(str(array))
    if not os.path.exists(name):
        raise RavineError(
            f"rows of this race are in '{name}', which this machine does not have: on a cluster it "
            "has to be on a disk that all nodes see (RAVINE_CACHE names another place)"
        )
    return np.memmap(name, dtype, "r", offset, tuple(shape))


def one_or_all(arrays: list[Any]) -> Any:
    """As a split holds them: an array alone is not in a list."""
    return arrays[0] if len(arrays) == 1 else arrays
