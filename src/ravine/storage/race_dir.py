"""The folder of a race: who may write to it, and what is said when that cannot be."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ravine.errors import InvalidArgument
from ravine.storage.store import FILE, WORK

LOCK = ".lock"  # held while a race is run; the system lets go of it when its process ends


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other drivers out of a folder; one that is made for it goes if nothing came of it."""
    existed, lock = folder.exists(), FileLock(folder / LOCK)
    try:
        with using(folder):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise InvalidArgument(
                    f"the race in '{folder}' is being run by another ravine"
                ) from None
        try:
            check_links(folder)
            yield
        finally:
            # While it is held, or the file may be another's by then. Whoever has it open already
            # sees that it has no name any more. Windows removes it with the release.
            with suppress(OSError):
                (folder / LOCK).unlink()
            lock.release()
    finally:
        if not existed:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def using(folder: Path, what: str = "write to") -> Iterator[None]:
    """What the system refuses in the block becomes a ``InvalidArgument`` that names the folder."""
    try:
        yield
    except OSError as error:
        raise InvalidArgument(f"cannot {what} '{folder}': {error.strerror or error}") from error


def check_links(folder: Path) -> None:
    """Raises ``InvalidArgument`` if a link lies where ravine writes: it could lead out of the
    folder.
    """
    with using(folder, "read"):
        for place in (folder, folder / WORK):
            if place is folder or place.is_dir():
                for path in sorted(place.iterdir()):
                    if path.is_symlink():
                        raise InvalidArgument(
                            f"'{path}' is a link, and a race writes only into its own folder: put "
                            "a copy in its place, or remove it"
                        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file to write, which takes the place of ``path`` once it is whole, be that a link."""
    with using(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".ravine-", dir=path.parent))
        try:
            yield aside / path.name
            (aside / path.name).replace(path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def check_new(folder: Path) -> None:
    """Raises ``InvalidArgument`` unless the folder is new or empty."""
    with using(folder):
        if folder.exists() and not folder.is_dir():
            raise InvalidArgument(f"'{folder}' is a file; out must be a new or empty folder")
        if (folder / FILE).exists():
            raise InvalidArgument(
                f"'{folder}' holds a race already: go on with 'ravine resume {folder}', "
                "or name another folder"
            )
        if folder.exists() and any(file.name != LOCK for file in folder.iterdir()):
            raise InvalidArgument(
                f"'{folder}' is not empty; nothing is overwritten: name another folder"
            )
