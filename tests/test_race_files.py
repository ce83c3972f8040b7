"""The folder of a race: what is there stays, whoever comes, and whatever cannot be written."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

import ravine
from ravine import api
from ravine.cli.app import app
from ravine.errors import InvalidArgument, RavineError
from ravine.results import race
from ravine.results.race import PAGES
from ravine.storage.race_dir import LOCK
from ravine.tasks.task import Task


@pytest.fixture
def published(tiny_race: Path, tmp_path: Path) -> Path:
    """A finished race, whose pages have one word each."""
    folder = tmp_path / "published"
    shutil.copytree(tiny_race, folder)
    for page in PAGES:
        (folder / page).write_text("before", encoding="utf-8")
    return folder


def contents(*folders: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for folder in folders for file in folder.iterdir()}


def changed(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "race.sqlite")) as db, db:
        db.execute(statement)


def test_a_race_of_a_newer_ravine_is_left_alone(published: Path) -> None:
    change(published, "UPDATE meta SET value = '99' WHERE key = 'format'")
    before = (published / "race.sqlite").read_bytes()
    for go_on in (ravine.resume, ravine.Race.open):
        with pytest.raises(
            RavineError,
            match="has format 99; this ravine reads format 7: use the version that wrote it",
        ):
            go_on(published)
    assert (published / "race.sqlite").read_bytes() == before


@pytest.mark.parametrize("running", [True, False])
def test_who_comes_late_into_a_folder_touches_nothing(
    running: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, locked = tmp_path / "out", api.locked

    @contextmanager
    def late(folder: Path) -> Iterator[None]:
        """Another race began in that folder since this one saw that it was new."""
        (folder / "work").mkdir(parents=True)
        (folder / "work" / "theirs").touch()
        with FileLock(folder / LOCK) if running else nullcontext(), locked(folder):
            yield

    monkeypatch.setattr(api, "locked", late)
    with pytest.raises(InvalidArgument, match="by another ravine" if running else "is not empty"):
        ravine.race(rules="sgd", out=out, progress=False)
    assert (out / "work" / "theirs").exists()


def test_where_nothing_can_be_written_an_error_says_so(
    published: Path, tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    unfinished = tmp_path / "unfinished"
    shutil.copytree(published, unfinished)
    change(unfinished, "DELETE FROM segments")
    before = contents(published, unfinished)
    monkeypatch.setattr(FileLock, "acquire", refused)
    for wanted in (
        lambda: ravine.race(tiny_task, rules="sgd", out=tmp_path / "out", progress=False),
        lambda: ravine.resume(unfinished, task=tiny_task, progress=False),
        lambda: ravine.Race.open(published).publish(),
    ):
        with pytest.raises(InvalidArgument, match=r"cannot write to '.*': Read-only file system"):
            wanted()
    assert contents(published, unfinished) == before
    assert not (tmp_path / "out").exists()


def test_killed_while_publishing_it_publishes_again(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is really killed, as it writes the last page; the others are made by then."""
    (published / "report.html").unlink()
    others = {*PAGES} - {"report.html"}
    killed = f"""
import os, signal, ravine
from ravine.results import race
race.charts.save = lambda chart, *files: [file.touch() for file in files]
race.report.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
ravine.resume({str(published)!r})
"""
    done = subprocess.run([sys.executable, "-c", killed], check=False)
    assert done.returncode == -signal.SIGKILL
    assert {(published / page).read_text(encoding="utf-8") for page in others} == {"before"}
    assert not (published / "report.html").exists()
    assert {path.name for path in (published / "work").iterdir()} == others

    def save(_: object, *files: Path) -> None:
        for file in files:
            file.write_text("after", encoding="utf-8")

    monkeypatch.setattr(race.charts, "save", save)
    monkeypatch.setattr(race.report, "write", save)
    ravine.resume(published)
    assert sorted(os.listdir(published)) == sorted([*PAGES, "race.sqlite"])
    for page in PAGES:
        assert (published / page).read_text(encoding="utf-8") != "before"
    again = changed(published)
    ravine.resume(published)
    assert changed(published) == again


def test_looking_at_a_race_writes_nothing(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = changed(published)
    assert ravine.Race.open(published).finished
    monkeypatch.setattr(os, "access", lambda *_: False)  # as on a read-only file system
    assert ravine.Race.open(published).finished
    assert changed(published) == before


def test_a_folder_that_was_there_before_stays(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    words = ["race", "--target", "recall>=0.5", "--workers", "0", "--out", str(mine)]
    assert CliRunner().invoke(app, words).exit_code == 2
    assert list(mine.iterdir()) == []
