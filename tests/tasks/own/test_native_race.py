"""Races outside the compiled engine: a PyTorch module, and Keras models bound to a framework.

Through the same plan, store, verdict and files; what is resumed ends as if it never had stopped.
"""

import os
import runpy
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import ravine
from ravine.cli import app
from ravine.racing.store import Store

SMALL: Any = {"rules": ["sgd"], "learning_rates": [0.1], "seeds": 1, "fresh_seeds": 2}
SMALL |= {"epochs": 2, "workers": 1}  # each imports its framework
draw = np.random.default_rng(0)
X = draw.normal(size=(160, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)
HELD = (X[120:], Y[120:])


def dropping() -> Any:
    nn = torch.nn
    first = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2)
    return nn.Sequential(*first, nn.Linear(8, 3))


BOUND = """
import signal

import keras, numpy as np, ravine

draw = np.random.default_rng(0)
x = draw.normal(size=(160, 6)).astype("float32")
y = (x[:, 0] > 0).astype("int32") + (x[:, 1] > 0)


class Squares(keras.layers.Layer):
    def call(self, x):
        import {library}

        return {library}.{concatenated}([x, x * x], 1)


def make_model():
    last = keras.layers.Dense(3, activation="softmax")
    layers = [keras.Input((6,)), Squares(name="squares"), keras.layers.Dropout(0.2), last]
    return keras.Sequential(layers)


task = ravine.Task.from_model(
    make_model, (x, y), loss="sparse_categorical_crossentropy", name="bound", batch_size=16
)
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever began the tests, and how
    ravine.race(task, **{budget}, out="race")
"""
# Gradient descent's rates are too low for it, so that there is a claim to verify.
BUDGET: Any = {
    "rules": ["sgd", "adam"],
    "learning_rates": {"sgd": [0.01, 0.02], "adam": [0.1, 0.2]},
}
BUDGET |= {"seeds": 1, "fresh_seeds": 6, "epochs": 3, "workers": 1}


def curves(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    with closing(Store(folder, reading=True)) as store:
        return {c.run.id: (c.losses.tobytes(), c.measures.tobytes()) for c in store.curves()}


def without_fresh_runs(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    """Take them out of a race; what it had before."""
    before = curves(folder)
    with closing(sqlite3.connect(folder / "race.sqlite")) as base, base:
        fresh = "SELECT id FROM runs WHERE stage = 'fresh'"
        base.execute(f"DELETE FROM segments WHERE run IN ({fresh})")
        base.execute("DELETE FROM runs WHERE stage = 'fresh'")
    assert len(curves(folder)) < len(before)
    return before


def test_a_module_is_raced_and_goes_on(tmp_path: Path) -> None:
    cross_entropy, folder = torch.nn.functional.cross_entropy, tmp_path / "race"
    task = ravine.Task.from_torch(dropping, (X[:120], Y[:120]), cross_entropy, test_data=HELD)
    race = ravine.race(task, **SMALL, out=folder)
    assert next(iter(race.code.items())) == ("torch", "torch.optim.SGD(params, lr=0.1)")
    model = race.winner.model()
    with torch.no_grad():
        loss = cross_entropy(model(torch.tensor(HELD[0])), torch.tensor(HELD[1]))
    assert float(loss) == pytest.approx(race.winner.best["test"]["loss"], rel=1e-5)
    assert race.winner.path.name == "best.pt"
    before = without_fresh_runs(folder)
    ravine.resume(folder, rules=[], task=task, progress=False)
    assert curves(folder) == before


def script(folder: Path, library: str) -> Path:
    """A user's own file, with a model that only that library runs, and a race of it."""
    called = {"tensorflow": "concat", "torch": "cat"}[library]
    text = BOUND.replace("{library}", library).replace("{concatenated}", called)
    (folder / "bound.py").write_text(text.replace("{budget}", repr(BUDGET)), encoding="utf-8")
    return folder / "bound.py"


def until_runs_are_stored(folder: Path, process: Any) -> None:
    """Wait for some runs to have been stored, while the process goes on."""
    until = time.monotonic() + 600
    while process.poll() is None and time.monotonic() < until:
        if (folder / "race.sqlite").exists() and len(curves(folder)) > 4:
            return
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"no run was stored: {process.communicate()[0]}")


def test_what_only_tensorflow_runs_is_raced_there_and_goes_on(tmp_path: Path) -> None:
    """Stopped by Ctrl-C, resumed from the command line, its claim run again and confirmed."""
    file, folder = script(tmp_path, "tensorflow"), tmp_path / "race"
    racing = subprocess.Popen(
        [sys.executable, file.name],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until_runs_are_stored(folder, racing)
    racing.send_signal(signal.SIGINT)
    said = racing.communicate()[0]
    assert "layer 'squares' (Squares) computes with TensorFlow, which JAX cannot run" in said
    assert "goes on in TensorFlow itself, run after run" in said
    assert "go on with: ravine resume" in said
    early = curves(folder)
    done = CliRunner().invoke(app, ["resume", str(folder), "--workers", "1"])
    assert done.exit_code == 0, done.output
    race = ravine.Race.open(folder)
    assert race.plan.facts.engine == "keras-tensorflow"
    assert early.items() <= curves(folder).items()
    assert race.best == {**race.best, "file": "best.keras", "note": ""}  # trained anew: no bit off
    done = CliRunner().invoke(
        app, ["verify", str(folder), "--task", f"{file}:task", "--seeds", "6"]
    )
    assert done.exit_code in (0, 1), done.output  # whether it holds, 18 steps do not decide
    assert "on 6 unused seeds" in done.output
    words = ["confirm", str(folder), "--in", "tensorflow", "--task", f"{file}:task"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "on 3 unused seeds" in done.output


def test_what_only_pytorch_runs_is_raced_there_and_goes_on(tmp_path: Path) -> None:
    """What another process takes up again ends in the same bits, dropout and all."""
    held, folder = runpy.run_path(str(script(tmp_path, "torch"))), tmp_path / "race"
    race = ravine.race(held["task"], **BUDGET, progress=False, out=folder)
    assert race.plan.facts.engine == "keras-torch"
    assert next(iter(race.code)) == "keras"  # what the model's user compiles it with
    assert race.best["note"] == ""
    before = without_fresh_runs(folder)
    ravine.resume(folder, task=held["task"], workers=1, progress=False)
    assert curves(folder) == before
