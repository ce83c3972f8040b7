"""Races outside the compiled engine: a PyTorch module, and Keras models bound to a framework.

Through the same plan, store, verdict and files; what is resumed ends as if it never had stopped.
"""

import json
import os
import runpy
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import ravine
from ravine.cli.app import app
from ravine.execution import session
from ravine.execution.in_process import InProcess
from ravine.execution.worker_backend import Local, WorkerBackend
from ravine.experiment import engines
from ravine.storage.store import Store

SMALL: Any = {"rules": ["sgd"], "learning_rates": [0.1], "tuning_seeds": 1, "eval_seeds": 2}
SMALL |= {"epochs": 2, "workers": 0, "progress": False}
draw = np.random.default_rng(0)
X = draw.normal(size=(160, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)
HELD = (X[120:], Y[120:])


def dropping() -> Any:
    nn = torch.nn
    first = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2)
    return nn.Sequential(*first, nn.Linear(8, 3))


BOUND = """
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
    make_model, (x, y), loss="sparse_categorical_crossentropy", name="bound", batch_size=32
)
"""
# All in one process, which has the framework: that the task needs it is found out by the race.
# What is not finished is finished there, or it is raced, and stopped once on the way; then a
# command. Its engine it is told: whether JAX can run the task, only a process with JAX can find.
WITHOUT_WORKERS = """
import json, os, shutil, signal, sys
import ravine
from typer.testing import CliRunner
from ravine.execution import actions, crosscheck, session
from ravine.cli.app import app
from ravine.execution.in_process import InProcess
from ravine.storage.store import Store

engine, budget, words = json.loads(sys.argv[1])
session._engine = lambda *_: engine
session.publish_pages = actions.publish_pages = lambda race: None
session.vega.prepare = lambda: None
crosscheck.Local = lambda _, workbench, framework: InProcess({**workbench, "engine": engine})

def interrupted(self, *new, add=Store.add):
    add(self, *new)
    if len(self.curves()) > 4:
        Store.add = add
        os.kill(os.getpid(), signal.SIGINT)

if budget:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever began the tests, and how
    Store.add = interrupted
    try:
        ravine.race(task, **budget, out="race")
    except KeyboardInterrupt as stop:
        print(*stop.__notes__)
    shutil.copytree("race", "stopped")
ravine.resume("race", task=task, workers=0, progress=False)
done = CliRunner().invoke(app, words)
print(done.output)
sys.exit(done.exit_code)
"""
# Gradient descent's rates are too low for it, so that there is a claim to verify.
BUDGET: Any = {
    "rules": ["sgd", "adam"],
    "learning_rates": {"sgd": [0.01, 0.02], "adam": [0.1, 0.2]},
}
# At a target that is given there is no reference to train.
BUDGET |= {"tuning_seeds": 1, "eval_seeds": 6, "epochs": 3, "target": 1.0, "progress": False}


def curves(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    with closing(Store(folder, reading=True)) as store:
        return {c.run.id: (c.losses.tobytes(), c.measures.tobytes()) for c in store.curves()}


def without_fresh_runs(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    """Take them out of a race; what it had before."""
    before = curves(folder)
    with closing(sqlite3.connect(folder / "race.sqlite")) as base, base:
        fresh = "SELECT id FROM runs WHERE stage = 'evaluation'"
        base.execute(f"DELETE FROM segments WHERE run IN ({fresh})")
        base.execute("DELETE FROM runs WHERE stage = 'evaluation'")
    assert len(curves(folder)) < len(before)
    return before


def test_a_module_is_raced_and_goes_on(tmp_path: Path, no_pages: None) -> None:
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
    ravine.resume(folder, rules=[], task=task, workers=0, progress=False)
    assert curves(folder) == before


def script(folder: Path, library: str) -> Path:
    """A user's own file, with a model that only that library runs."""
    called = {"tensorflow": "concat", "torch": "cat"}[library]
    text = BOUND.replace("{library}", library).replace("{concatenated}", called)
    (folder / "bound.py").write_text(text, encoding="utf-8")
    return folder / "bound.py"


def without_workers(folder: Path, library: str, budget: Any, *words: str) -> tuple[int, str]:
    """How a process ended that did all of it by itself, and what it said."""
    engine = f"keras-{library}"
    short = "from ravine.tasks import keras_import\nkeras_import.shorten()\n"
    program = short + script(folder, library).read_text(encoding="utf-8") + WITHOUT_WORKERS
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps([engine, budget, words])],
        cwd=folder,
        env={**os.environ, **engines.environment(engine), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def tried_here(no_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether JAX can run a task is found out in this process, not in a worker."""

    def here(workers: int | None, workbench: Mapping[str, Any]) -> WorkerBackend:
        return InProcess(workbench) if workbench["engine"] == "jax" else Local(workers, workbench)

    monkeypatch.setattr(session, "here", here)


def test_what_only_tensorflow_runs_is_raced_there_and_goes_on(
    tmp_path: Path, tried_here: None
) -> None:
    """What another process takes up again ends in the same bits, dropout and all; a claim, too."""
    file, folder = script(tmp_path, "tensorflow"), tmp_path / "race"
    task = runpy.run_path(str(file))["task"]
    race = ravine.race(task, **BUDGET, workers=1, out=folder)
    assert race.plan.facts.engine == "keras-tensorflow"
    assert race.best == {**race.best, "file": "best.keras", "note": ""}  # trained anew: no bit off
    before = without_fresh_runs(folder)
    words = ["replicate", "race", "--task", "bound.py:task", "--seeds", "6", "--workers", "0"]
    code, said = without_workers(tmp_path, "tensorflow", None, *words)
    assert code in (0, 1), said  # whether it holds, nine steps do not decide
    assert "on 6 unused seeds" in said
    assert before.items() <= curves(folder).items()


def test_what_only_pytorch_runs_is_raced_there_and_goes_on(
    tmp_path: Path, tried_here: None
) -> None:
    """Stopped by Ctrl-C, resumed where it was and from the command line in a copy, confirmed."""
    words = ["crosscheck", "race", "--in", "torch", "--task", "bound.py:task", "--workers", "0"]
    code, said = without_workers(tmp_path, "torch", {**BUDGET, "workers": 0}, *words)
    assert code == 0, said
    assert "go on with: ravine resume race" in said
    assert "on 3 unused seeds" in said
    early = curves(tmp_path / "stopped")
    assert 4 < len(early) < 16
    resumed = CliRunner().invoke(app, ["resume", str(tmp_path / "stopped"), "--workers", "1"])
    assert resumed.exit_code == 0, resumed.output
    said = " ".join(resumed.output.split())
    assert "layer 'squares' (Squares) computes with PyTorch, which JAX cannot run" in said
    assert "goes on in PyTorch itself, run after run" in said
    race = ravine.Race.open(tmp_path / "stopped")
    assert race.plan.facts.engine == "keras-torch"
    assert next(iter(race.code)) == "keras"  # what the model's user compiles it with
    assert race.best == {**race.best, "file": "best.keras", "note": ""}  # trained anew: no bit off
    # What a worker takes up ends in the same bits as without one, dropout and all.
    ends = curves(tmp_path / "stopped")
    assert early.items() <= ends.items() <= curves(tmp_path / "race").items()
