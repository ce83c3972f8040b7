"""What a race writes stays in its folder, whatever lies there."""

import shutil
from pathlib import Path

import pytest

import ravine
from ravine.errors import InvalidArgument
from ravine.storage.race_dir import locked, replacing
from ravine.tasks.task import Task


@pytest.mark.parametrize("name", ["race.sqlite", "work", "report.html", "work/task.pickle"])
def test_a_race_with_a_link_in_its_folder_is_left_alone(
    name: str, tiny_task: Task, tiny_race: Path, tmp_path: Path
) -> None:
    folder, outside = tmp_path / "race", tmp_path / "outside"
    shutil.copytree(tiny_race, folder)
    outside.write_bytes((folder / "race.sqlite").read_bytes() if "sqlite" in name else b"mine")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    before = outside.read_bytes()
    with pytest.raises(
        InvalidArgument, match=r"is a link, and a race writes only into its own folder"
    ):
        ravine.resume(folder, task=tiny_task, workers=0, progress=False)
    with pytest.raises(InvalidArgument, match="is a link"):
        ravine.Race.open(folder).publish()
    assert outside.read_bytes() == before


def test_a_report_takes_the_place_of_a_link_and_leaves_nothing_else(
    tiny_race: Path, tmp_path: Path
) -> None:
    folder, outside = tmp_path / "race", tmp_path / "outside"
    shutil.copytree(tiny_race, folder)
    outside.write_text("mine")
    (folder / "report.html").symlink_to(outside)
    before = {path.name for path in folder.iterdir()}
    assert ravine.Race.open(folder).report() == folder / "report.html"
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")
    assert outside.read_text() == "mine"
    assert {path.name for path in folder.iterdir()} == before


def test_what_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("before")

    def write_half() -> None:
        with replacing(tmp_path / "page") as made:
            made.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert (tmp_path / "page").read_text() == "before"


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "race").symlink_to(tmp_path / "there")
    with locked(tmp_path / "race"):
        assert (tmp_path / "there" / ".lock").exists()
