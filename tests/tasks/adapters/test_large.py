"""Rows that do not fit into memory: read once, kept on disk, mapped by who works on them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import jax.numpy as jnp
import numpy as np
import pytest

import ravine
from ravine.errors import InvalidArgument
from ravine.tasks.adapters import memmap
from ravine.training import convolutions

X = np.random.default_rng(0).normal(size=(5_000, 30))
Y = np.arange(5_000) % 3


@pytest.mark.skipif(sys.platform != "linux", reason="what is allocated can be limited there alone")
def test_a_race_on_more_data_than_memory(tmp_path: Path) -> None:
    program, most = Path(__file__).with_name("large.py"), 448  # megabytes, of 514 that there are
    done = subprocess.run(
        [sys.executable, program, tmp_path / "out", str(most)],
        env={**os.environ, "RAVINE_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("best.npz; your loss on your data; rows: 400,000 train")
    assert "0.514 GB of them on disk" in done.stdout
    assert not [*(tmp_path / "cache" / "rows").iterdir()]  # gone with the process


def pytorch() -> Any:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=70)


def in_a_file(folder: Path) -> Any:
    np.save(folder / "x.npy", X)
    return np.load(folder / "x.npy", mmap_mode="r"), Y


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with hardly any memory."""
    monkeypatch.setenv("RAVINE_CACHE", str(tmp_path))
    monkeypatch.setattr(memmap, "LIMIT", 100_000)
    monkeypatch.setattr(memmap, "CHUNK", 7_000)
    return tmp_path / "rows"


@pytest.mark.parametrize("made", ["array", "file", "DataLoader"])
def test_on_disk_they_are_the_same_rows(made: str, small: Path, tmp_path: Path) -> None:
    given = {"array": lambda: (X, Y), "file": lambda: in_a_file(tmp_path), "DataLoader": pytorch}
    task = ravine.Task.from_jax(lambda key: 1.0, lambda w, x, y: w * y, given[made]())
    assert "on disk" in task.description
    memmap.LIMIT = 1 << 40  # as the fixture found it, whoever undoes that
    plain = ravine.Task.from_jax(lambda key: 1.0, lambda w, x, y: w * y, (X, Y))
    elsewhere = cloudpickle.loads(cloudpickle.dumps(task))
    assert len(cloudpickle.dumps(task)) < 50_000
    for data in (task.load(), elsewhere.load()):
        for split, like in zip(data, plain.load(), strict=True):
            for part, same in zip(split, like, strict=True):
                assert isinstance(part, np.memmap)
                assert part.dtype == same.dtype
                np.testing.assert_array_equal(part, same)
    del data, split, part, task
    assert not [*small.iterdir()]
    with pytest.raises(InvalidArgument, match="which is gone"):
        cloudpickle.loads(cloudpickle.dumps(elsewhere))


@pytest.mark.usefixtures("small")
def test_what_is_wrong_in_it_is_named() -> None:
    holed = X.copy()
    holed[4_321, 7] = np.nan
    with pytest.raises(InvalidArgument, match=r"x holds nan in row 4321, at \[7\]"):
        ravine.Task.from_jax(lambda key: 1.0, lambda w, x, y: w * y, (holed, Y))


def test_a_large_split_is_predicted_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(w: Any, x: Any) -> Any:
        return jnp.tanh(x["a"] @ w) + x["b"]

    x = {"a": np.asarray(X[:1_100], np.float32), "b": np.arange(1_100, dtype=np.float32)}
    w = np.linspace(-1, 1, 30, dtype=np.float32)
    whole = convolutions.in_parts(predict, 16)(w, x)
    monkeypatch.setattr(convolutions, "LARGE", 1_000)
    # Sums in another order.
    np.testing.assert_allclose(
        convolutions.in_parts(predict, 16)(w, x), whole, rtol=1e-5, atol=1e-6
    )
    x = {name: part[:1_024] for name, part in x.items()}  # whole parts alone
    np.testing.assert_allclose(
        convolutions.in_parts(predict, 16)(w, x), whole[:1_024], rtol=1e-5, atol=1e-6
    )
