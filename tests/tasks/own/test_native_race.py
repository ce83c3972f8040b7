"""Races outside the compiled engine: a PyTorch module, and a Keras model that only TensorFlow runs.

Through the same plan, store, verdict and files; what is resumed ends as if it never had stopped.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

import ravine
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


class Squares(keras.layers.Layer):
    """A layer in TensorFlow's own words."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        return tf.concat([x, tf.square(x)], axis=1)


def only_on_tensorflow() -> Any:
    layers = keras.layers
    last = layers.Dense(3, activation="softmax")
    return keras.Sequential([keras.Input((6,)), Squares(name="squares"), layers.Dropout(0.2), last])


def curves(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    store = Store(folder, reading=True)
    try:
        return {c.run.id: (c.losses.tobytes(), c.measures.tobytes()) for c in store.curves()}
    finally:
        store.close()


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
    before = curves(folder)
    with closing(sqlite3.connect(folder / "race.sqlite")) as base, base:
        fresh = "SELECT id FROM runs WHERE stage = 'fresh'"
        base.execute(f"DELETE FROM segments WHERE run IN ({fresh})")
        base.execute("DELETE FROM runs WHERE stage = 'fresh'")
    assert len(curves(folder)) < len(before)
    ravine.resume(folder, rules=[], task=task, progress=False)
    assert curves(folder) == before


def test_what_cannot_move_to_jax_is_raced_where_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    loss = "sparse_categorical_crossentropy"
    data = (X[:120], Y[:120])
    race = ravine.race(
        only_on_tensorflow, data, loss=loss, test_data=HELD, **SMALL, out=tmp_path / "race"
    )
    said = capfd.readouterr().err
    assert "layer 'squares'" in said
    assert "in TensorFlow itself, run after run" in said
    assert race.plan.facts.engine == "keras-tensorflow"
    assert race.winner.path.exists()
    assert np.isfinite([curve.measures for curve in race.stored]).all()
