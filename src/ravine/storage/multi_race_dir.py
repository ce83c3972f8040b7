"""A folder of several races: what was asked for, what is left of a false start, its own pages."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ravine.errors import InvalidArgument, RavineError
from ravine.storage.race_dir import check_new, using
from ravine.storage.store import FILE, WORK
from ravine.tasks.task import Task


class MultiRaceDir:
    """A kind of folder that holds races. ``file`` says in it what was asked for."""

    def __init__(self, kind: str, file: str) -> None:
        self.kind = kind
        self.file = file

    def here(self, folder: Path) -> bool:
        """Whether a folder is one, finished or not."""
        with using(folder, "read"):
            return (folder / self.file).exists()

    def asked(self, folder: Path) -> dict[str, Any]:
        """What was asked for. Raises ``InvalidArgument`` for a folder that is none."""
        text = self.text(folder)
        try:
            asked: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise RavineError(f"cannot read '{folder / self.file}': {error}") from error
        return asked

    def text(self, folder: Path) -> str:
        """What was asked for, as it is written. Raises ``InvalidArgument`` for a folder that is
        none.
        """
        try:
            return (folder / self.file).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InvalidArgument(f"no {self.kind} in '{folder}': no {self.file}") from None
        except (OSError, ValueError) as error:
            raise RavineError(f"cannot read '{folder / self.file}': {error}") from error

    def begin(self, folder: Path, asked: Mapping[str, Any]) -> None:
        """Keep what was asked for. For whoever holds the folder's lock."""
        with using(folder):
            text = json.dumps(asked, indent=2) + "\n"
            (folder / self.file).write_text(text, encoding="utf-8")

    def check_same(self, folder: Path, asked: Mapping[str, Any]) -> None:
        """Raises ``InvalidArgument`` unless the folder is new, or holds one that was asked for
        alike.
        """
        if not self.here(folder):
            check_new(folder)
            return
        before = self.asked(folder)
        for what in asked:
            if asked[what] != before.get(what):
                raise InvalidArgument(
                    f"the {self.kind} in '{folder}' has {what} {_listed(before.get(what))}, not "
                    f"{_listed(asked[what])}: name another folder, or 'ravine resume {folder}'"
                )

    def race(
        self,
        begin: Callable[..., Any],
        resume: Callable[..., Any],
        folder: Path,
        task: Task,
        *,
        rules: Sequence[Any],
        workers: int | None,
        ray: str | None,
        progress: bool,
        options: Mapping[str, Any],
    ) -> None:
        """Run one of the races, or what is left of it.

        ``begin`` is ``ravine.race``, and ``resume`` what goes on with one.
        """
        if (folder / FILE).exists():
            resume(folder, task=task, rules=rules, workers=workers, ray=ray, progress=progress)
            return
        self.forget(folder)
        begin(task, rules=rules, out=folder, workers=workers, ray=ray, progress=progress, **options)

    def forget(self, folder: Path) -> None:
        """Remove what a race, or all of it, leaves that was stopped before it had a plan."""
        with suppress(OSError):
            shutil.rmtree(folder / WORK, ignore_errors=True)
            for left in (f"{FILE}.part", self.file):
                (folder / left).unlink(missing_ok=True)
            folder.rmdir()


def say(line: str, shown: bool) -> None:
    """How it gets on, on standard error."""
    console = Console(stderr=True, quiet=not shown)
    console.print(Text(f"ravine: {line}"), soft_wrap=not console.is_terminal)


def publish(folder: Path, write: Callable[[Path], None]) -> None:
    """Each page whole or not at all: ``write`` makes them in a folder that it is given."""
    aside = folder / WORK
    with using(folder):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            write(aside)
            for page in sorted(aside.iterdir()):
                page.replace(folder / page.name)
        finally:
            shutil.rmtree(aside)


def _listed(asked: Any) -> str:
    if isinstance(asked, Mapping):
        return ", ".join(f"{k}={_flat(v)}" for k, v in asked.items()) or "as they are by default"
    return _flat(asked)


def _flat(asked: Any) -> str:
    if isinstance(asked, Sequence) and not isinstance(asked, str):
        return ", ".join(map(str, asked))
    return str(asked)
