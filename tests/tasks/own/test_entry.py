"""Where a task may come from, and what of it is opened again."""

import json
from pathlib import Path

import pytest

from ravine.errors import WrongCall
from ravine.racing import luggage
from ravine.tasks import TASKS
from ravine.tasks.own.entry import task_of


def test_a_place_in_a_file_is_a_task(tmp_path: Path) -> None:
    file = tmp_path / "places.py"
    file.write_text("from ravine.tasks import find\ndef make():\n    return find('digits-mlp')\n")
    assert task_of(f"{file}:make", None).name == "digits-mlp"
    with pytest.raises(WrongCall, match="did you mean 'make'"):
        task_of(f"{file}:mke", None)
    with pytest.raises(WrongCall, match="there is no file"):
        task_of(f"{tmp_path / 'nothing.py'}:make", None)


def test_nothing_is_unpickled_that_this_user_did_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAVINE_CACHE", str(tmp_path / "cache"))
    digest = luggage.pack(tmp_path, luggage.Luggage(TASKS["digits-mlp"], {}))
    assert luggage.signed(tmp_path) == digest
    assert luggage.unpack(tmp_path, digest).task.name == "digits-mlp"
    (tmp_path / luggage.FILE).write_bytes(json.dumps("changed").encode())
    assert luggage.signed(tmp_path) is None
    luggage.pack(tmp_path, luggage.Luggage(TASKS["digits-mlp"], {}))
    key = tmp_path / "cache" / luggage.KEY
    key.chmod(0o644)  # others may have written with it
    assert luggage.signed(tmp_path) is None
    key.unlink()
    assert luggage.signed(tmp_path) is None
