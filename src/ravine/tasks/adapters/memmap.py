"""Rows that do not fit into memory: on disk, written once, and mapped from there by every worker.

A file is raw numbers and nothing else. It goes when nobody in the process that wrote it holds the
array any more; one whose process was killed stays for ``ravine resume``, until others are written.
"""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ravine.cache import cache_folder
from ravine.errors import InvalidArgument

CHUNK = 1 << 24  # bytes that are in memory at a time, about


def _memory() -> int:
    with suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 1 << 33


LIMIT = _memory() // 8  # bytes from which on rows go to disk: whoever works on them has a copy


class Place(NamedTuple):
    """An array in a file, as it travels to other processes."""

    path: str
    dtype: str
    shape: tuple[int, ...]

    def opened(self) -> Any:
        """The array, mapped. Raises ``InvalidArgument`` if the file is gone."""
        import numpy as np

        if not os.path.exists(self.path):
            raise InvalidArgument(
                f"the rows of this race were in '{self.path}', which is gone: go on from Python, "
                "naming the task again"
            )
        return np.memmap(self.path, self.dtype, "r", shape=self.shape)


def placed(array: Any) -> Any:
    """Where an array of this module is; any other array as it is."""
    import numpy as np

    if isinstance(array, np.memmap):
        return Place(str(array.filename), array.dtype.str, array.shape)
    return array


class Columns:
    """Arrays that grow together, each in a file of its own."""

    def __init__(self, what: str, expected: int | None = None) -> None:
        folder = cache_folder() / "rows"
        _sweep(folder)
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if expected is not None and 2 * expected > free:  # once as given, once in parts
            raise InvalidArgument(
                f"{what} takes {gigabytes(expected)} and '{folder}' has {gigabytes(free)} free, of "
                "which twice as much is needed: RAVINE_CACHE names another place"
            )
        self._what, self._folder = what, folder
        self._files: list[Any] = []
        self._like: list[tuple[str, tuple[int, ...]]] = []
        self.rows = 0

    def add(self, arrays: list[Any]) -> None:
        """Some more rows of each. Raises ``InvalidArgument`` for rows of another kind
        than before.
        """
        like = [(array.dtype.str, array.shape[1:]) for array in arrays]
        if not self._files:
            self._like = like
            for _ in arrays:
                at, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", dir=self._folder)
                self._files.append((os.fdopen(at, "wb"), name))
        if like != self._like:
            raise InvalidArgument(
                f"{self._what} has rows of {self._like} and later of {like}, and does not fit into "
                "memory: pad all rows to one length"
            )
        for (file, _), array in zip(self._files, arrays, strict=True):
            array.tofile(file)
        self.rows += len(arrays[0])

    def discard(self) -> None:
        """Remove what was written: there will be no more."""
        for file, name in self._files:
            file.close()
            Path(name).unlink(missing_ok=True)

    def mapped(self) -> list[Any]:
        """All rows of each, as ``np.memmap``."""
        found = []
        for (file, name), (dtype, shape) in zip(self._files, self._like, strict=True):
            file.close()
            array = Place(name, dtype, (self.rows, *shape)).opened()
            weakref.finalize(array, _remove, name, os.getpid())
            found.append(array)
        return found


def picked(array: Any, rows: Any) -> Any:
    """Those rows of an array; of one in a file, in a file too."""
    import numpy as np

    if not isinstance(array, np.memmap):
        return array[rows]
    columns = Columns("rows")
    step = max(1, CHUNK // max(1, array[:1].nbytes))
    for begin in range(0, len(rows), step):
        columns.add([np.asarray(array[rows[begin : begin + step]])])
    return columns.mapped()[0]


def in_chunks(array: Any) -> Iterator[tuple[int, Any]]:
    """Parts of an array and the row that each begins with, none of them large."""
    step = max(1, CHUNK // max(1, array[:1].nbytes))
    for begin in range(0, len(array), step):
        yield begin, array[begin : begin + step]


def watched(batches: Iterable[Any], size: Callable[[Any], int], total: int | None) -> Iterator[Any]:
    """The same batches, with their progress on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = TextColumn("ravine: writing rows to disk"), BarColumn(), DownloadColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        for batch in batches:
            yield batch
            progress.advance(task, size(batch))


def gigabytes(count: int) -> str:
    """A number of bytes in words."""
    return f"{count / 1e9:.3g} GB" if count >= 1e8 else f"{count / 1e6:.3g} MB"


def _remove(name: str, owner: int) -> None:
    if os.getpid() == owner:  # not a fork of it
        Path(name).unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed."""
    for file in folder.glob("*-*"):
        pid = file.name.partition("-")[0]
        if pid.isdigit() and os.name == "posix":
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                file.unlink(missing_ok=True)
            except OSError:
                continue
