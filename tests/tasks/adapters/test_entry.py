"""Where a task may come from, and what of it is opened again."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import keras
import pytest

from ravine.errors import InvalidArgument, RavineError
from ravine.storage import payload, signing
from ravine.tasks import TASKS
from ravine.tasks.adapters.entry import named, task_of
from ravine.tasks.adapters.serialization import move_model


def test_a_place_in_a_file_is_a_task(tmp_path: Path) -> None:
    file = tmp_path / "places.py"
    file.write_text("from ravine.tasks import find\ndef make():\n    return find('digits-mlp')\n")
    assert task_of(f"{file}:make", None).name == "digits-mlp"
    again = named(f"{file}:make")  # as whoever goes on with a race names it
    assert again is not None
    assert again.name == "digits-mlp"
    assert named(None) is None
    with pytest.raises(InvalidArgument, match="did you mean 'make'"):
        task_of(f"{file}:mke", None)
    with pytest.raises(InvalidArgument, match="there is no file"):
        task_of(f"{tmp_path / 'nothing.py'}:make", None)


def test_a_task_of_a_file_is_opened_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "beside.py").write_text("EPOCHS = 3\n")
    (tmp_path / "code" / "elsewhere_task.py").write_text(
        "from dataclasses import replace\nfrom beside import EPOCHS\n"
        "from ravine.tasks import find\n"
        "def load():\n    return find('digits-mlp').load()\n"
        "def make():\n    return replace(find('digits-mlp'), load=load, epochs=EPOCHS)\n"
    )
    written, opened = (
        "from pathlib import Path\nfrom ravine.storage import payload\n"
        "from ravine.tasks.adapters.entry import task_of\n"
        f"place = Path({str(tmp_path)!r})\n{act}\n"
        for act in (
            "task = task_of(f'{place}/code/elsewhere_task.py:make', None)\n"
            "payload.sign(place, payload.pack(place, payload.Payload(task, {})), 'plan')",
            "print(payload.unpack(place, payload.signed(place, 'plan')).task.epochs)",
        )
    )
    run = partial(subprocess.run, check=True, capture_output=True, text=True, cwd=tmp_path)
    run([sys.executable, "-c", written])
    assert run([sys.executable, "-c", opened]).stdout.strip() == "3"


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_a_model_is_made_again_and_again(kind: str) -> None:
    x = keras.Input((4,))
    layers = [keras.layers.Dense(3), keras.layers.Dense(2)]
    model = keras.Sequential([x, *layers])
    if kind == "functional":
        model = keras.Model(x, layers[1](layers[0](x)))
    moved = move_model(model)
    assert [len(moved().trainable_variables) for _ in range(3)] == [4, 4, 4]


def test_nothing_is_unpickled_that_this_user_did_not_sign_with_its_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAVINE_CACHE", str(tmp_path / "cache"))

    def packed() -> str:
        digest = payload.pack(tmp_path, payload.Payload(TASKS["digits-mlp"], {}))
        payload.sign(tmp_path, digest, "plan")
        return digest

    digest = packed()
    assert payload.signed(tmp_path, "plan") == digest
    assert payload.signed(tmp_path, "another plan") is None
    assert payload.unpack(tmp_path, digest).task.name == "digits-mlp"
    (tmp_path / payload.FILE).write_bytes(json.dumps("changed").encode())
    assert payload.signed(tmp_path, "plan") is None
    with pytest.raises(RavineError, match="has changed"):
        payload.unpack(tmp_path, digest)
    packed()
    key = tmp_path / "cache" / signing.KEY
    key.chmod(0o644)  # others may have written with it
    assert payload.signed(tmp_path, "plan") is None
    key.unlink()
    assert payload.signed(tmp_path, "plan") is None
    for damaged in ("", "[]", "{}", '{"payload": 1, "signature": null}', "\xff"):
        (tmp_path / payload.SIGNATURE).write_text(damaged, encoding="latin-1")
        assert payload.signed(tmp_path, "plan") is None
