"""What users call tasks, rules and metrics is text everywhere, and never a path."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ravine
from ravine.errors import InvalidArgument
from ravine.storage.validation import Foreign, read_plan
from ravine.tasks import names
from ravine.tasks.task import Task


@given(st.text(), st.text())
def test_a_file_name_is_one_name_in_one_folder(one: str, other: str) -> None:
    made = names.file_name(one)
    assert Path("folder", made).parent == Path("folder")
    assert made not in ("", ".", "..")
    assert len(made.encode()) < 255
    assert (made == names.file_name(other)) == (one == other)


@pytest.mark.parametrize("name", ["digits-mlp", "adam(beta_1=0.8)", "activation=tanh,size=16"])
def test_what_is_a_file_name_stays_as_it_is(name: str) -> None:
    assert names.file_name(name) == name


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "nul\0", "\udc80", "", "  "])
def test_a_name_that_steers_a_terminal_is_refused_before_anything_is_trained(
    name: str, tiny_task: Task, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgument, match=r"the task .* is not allowed"):
        ravine.race(replace(tiny_task, name=name), out=tmp_path / "race", workers=0, progress=False)
    assert not (tmp_path / "race").exists()


@pytest.mark.parametrize("kind", ["task", "rule", "measure"])
def test_a_stored_plan_with_such_a_name_is_refused(kind: str, tiny_race: Path) -> None:
    text = ravine.Race.open(tiny_race).plan.to_json()
    written = {"task": '"task": "line"', "rule": '["sgd"', "measure": '["loss"'}[kind]
    changed = text.replace(written, written.replace('e"', 'e\\u001b"').replace('d"', 'd\\u001b"'))
    changed = changed.replace('["loss"', '["loss\\u001b"') if kind == "measure" else changed
    assert changed != text
    with pytest.raises(Foreign, match=f"the {kind} .* has control characters"):
        read_plan(changed)


def test_layers_are_shown_with_a_mark_in_the_place_of_what_cannot_be() -> None:
    assert names.shown("den\x1bse/\u200fkernel<b>") == "den�se/\u200fkernel<b>"


def test_other_names_are_names(tiny_task: Task, tmp_path: Path, no_pages: None) -> None:
    name = "<script>\"'`\u202e" + "x" * 10_000
    tiny: Any = {"rules": ["sgd"], "learning_rates": [0.1], "tuning_seeds": 1, "eval_seeds": 1}
    race = ravine.race(
        replace(tiny_task, name=name), **tiny, out=tmp_path / "race", workers=0, progress=False
    )
    assert race.plan.choices.task == name
    assert "<script>" not in race.report().read_text(encoding="utf-8").split("<body")[1][:2000]
