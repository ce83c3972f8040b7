"""What a machine or a user has set for other programs changes no number of a race."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import torch
from tests.conftest import pages_unwritten

import ravine
from ravine.errors import InvalidArgument
from ravine.tasks.task import Task

SAME: Any = {"rules": ["sgd"], "learning_rates": [0.01], "tuning_seeds": 1, "eval_seeds": 2}
SAME |= {"epochs": 1, "workers": 1, "progress": False}


@pytest.fixture
def told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment, and a keras.json, that change what JAX and Keras compute."""
    told = {"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps({**told, "backend": "torch"}))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setenv("JAX_DEFAULT_PRNG_IMPL", "rbg")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> ravine.Race:
    """In this process, which gives the curves of a worker."""
    out = tmp_path_factory.mktemp("usual") / "race"
    with pages_unwritten():
        return ravine.race("breast-cancer-logistic", **{**SAME, "workers": 0}, out=out)


def test_a_shipped_task_has_the_same_curves(
    usual: ravine.Race,
    told_otherwise: None,
    tmp_path: Path,
    no_pages: None,
    assert_same: Callable[..., None],
) -> None:
    race = ravine.race("breast-cancer-logistic", **SAME, out=tmp_path / "race")
    assert_same(race.stored, usual.stored)


def test_a_model_of_the_users_own_is_refused(
    tiny_task: Task, told_otherwise: None, tmp_path: Path
) -> None:
    with pytest.raises(
        InvalidArgument, match=r"floatx='float16' here .*races train with 'float32'"
    ):
        ravine.race(tiny_task, **SAME, out=tmp_path / "race")
    with pytest.raises(InvalidArgument, match="workers=0 needs a process without XLA_FLAGS"):
        ravine.race(tiny_task, **{**SAME, "workers": 0}, out=tmp_path / "race")
    assert not (tmp_path / "race").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("floatx", "float16"), ("dtype_policy", "mixed_float16")]
)
def test_what_no_race_computes_with_is_refused_where_the_task_is_made(
    name: str, value: Any
) -> None:
    getattr(keras.config, f"set_{name}")(value)
    try:
        with pytest.raises(InvalidArgument, match=f"{name}={value!r}"):
            ravine.Task.from_model(lambda: None, ([1.0] * 20, [1.0] * 20), loss="mse")
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def test_a_default_dtype_of_16_bits_is_refused() -> None:
    torch.set_default_dtype(torch.bfloat16)
    try:
        with pytest.raises(InvalidArgument, match=r"torch\.bfloat16 as its default dtype"):
            ravine.Task.from_torch(
                lambda: torch.nn.Linear(1, 1), ([1.0] * 20, [1.0] * 20), torch.nn.MSELoss()
            )
    finally:
        torch.set_default_dtype(torch.float32)
