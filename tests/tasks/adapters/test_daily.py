"""What people do every day is taken, and what fails in their code is one line that names it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers
from typer.testing import CliRunner

import ravine
from ravine.cli.app import app
from ravine.errors import InvalidArgument, WorkerTraceback
from ravine.tasks.adapters.model import own_model
from ravine.training import engine, torch_engine

pytestmark = pytest.mark.usefixtures("no_pages", "compiled_quickly")

SMALL: Any = {
    "rules": ["sgd"],
    "learning_rates": [0.1],
    "tuning_seeds": 1,
    "eval_seeds": 1,
    "epochs": 1,
}
SMALL |= {"workers": 0, "progress": False}
draw = np.random.default_rng(0)
X = draw.normal(size=(60, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("float32")
CLASSES = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)


def net(units: int = 1, end: str | None = None) -> Any:
    def make() -> Any:
        return keras.Sequential([keras.Input((4,)), layers.Dense(units, activation=end)])

    return make


class Query(torch.nn.Module):
    """A parameter that is put through a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.query = torch.nn.Parameter(torch.randn(3, 4))
        self.project, self.out = torch.nn.Linear(4, 4), torch.nn.Linear(3, 2)

    def forward(self, x: Any) -> Any:
        return self.out(x @ self.project(self.query).T)


def test_a_parameter_that_is_put_through_layers_is_counted() -> None:
    """Case 06: PyTorch's counter of operations fails over it, unless it counts as a whole."""
    loss = torch.nn.functional.cross_entropy
    task = ravine.Task.from_torch(Query, (X, Y.astype("int64")), loss)
    network = task.network()
    x, y = X[:8], Y[:8].astype("int64")
    counted = torch_engine.operations(network, tuple(network.draw(0)), (x, y))
    # Two operations a product, forward; each of the four factors that train once more.
    forward = 2 * (3 * 4 * 4 + 8 * 4 * 3 + 8 * 3 * 2)
    backward = 2 * (2 * 3 * 4 * 4 + 8 * 4 * 3 + 2 * 8 * 3 * 2)
    assert counted == forward + backward


def test_an_instrument_that_fails_ends_no_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("no such counter")

    monkeypatch.setattr(engine, "operations", fails)
    race = ravine.race(net(), (X, Y), loss="mse", **SMALL, out=tmp_path / "race")
    said = "the operations of a step could not be counted: RuntimeError: no such counter"
    assert said in race.verdict.warnings
    assert race.plan.facts.operations == 0


def failing(w: Any, x: Any, y: Any) -> Any:
    if isinstance(x, np.ndarray) or x.shape[0] < 8:  # the rows that it is tried with
        return (x @ w - y) ** 2
    return x @ y.missing


def test_what_fails_in_a_users_code_is_one_line(tmp_path: Path) -> None:
    task = ravine.Task.from_jax(lambda key: np.zeros(4, "float32"), failing, (X, Y))
    with pytest.raises(
        InvalidArgument, match=r"your code in 'failing' \(test_daily.py, line"
    ) as told:
        ravine.race(task, **SMALL, out=tmp_path / "race")
    assert len(str(told.value).splitlines()) == 1
    assert isinstance(told.value.__cause__, WorkerTraceback)
    assert "return x @ y.missing" in str(told.value.__cause__)


@pytest.mark.parametrize("options", [(), ("--verbose",)])
def test_the_command_line_shows_the_traceback_if_asked(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise InvalidArgument("your code failed") from WorkerTraceback("File 'mine.py'")

    monkeypatch.setattr(ravine.api, "race", fails)
    done = CliRunner().invoke(app, [*options, "race", "--out", str(tmp_path / "race")])
    assert done.exit_code == 2
    assert ("File 'mine.py'" in done.output) == bool(options)
    assert ("ravine --verbose … shows the traceback" in done.output) != bool(options)


def test_a_batch_larger_than_the_data_has_all_of_them(tmp_path: Path) -> None:
    task = own_model(net(), (X, Y), loss="mse", batch_size=64)
    race = ravine.race(task, **SMALL, out=tmp_path / "race")
    said = "batch_size=64 is larger than the training data: a batch has all 36 rows"
    assert said in race.verdict.warnings
    assert race.plan.choices.batch_size == 36
    assert race.plan.steps == 1
    with closing(sqlite3.connect(race.folder / "race.sqlite")) as base, base:
        base.execute("DELETE FROM segments")
        base.execute("DELETE FROM runs")
    again = ravine.resume(race.folder, rules=[], task=task, workers=0, progress=False)
    assert said in again.verdict.warnings


def masked(y: Any, predicted: Any) -> Any:
    known = keras.ops.isfinite(y)
    error = keras.ops.where(known, y - predicted, 0.0)
    return keras.ops.sum(error**2, -1) / keras.ops.maximum(keras.ops.sum(known, -1), 1)


def test_targets_may_be_nan_where_the_loss_leaves_them_out() -> None:
    y = np.stack([Y, 1 - Y], 1)
    y[::3, 1] = np.nan
    part: Any = {"validation_data": (X, y), "test_data": (X, y)}
    task = own_model(net(2), (X, y), loss=masked, **part)
    network = task.network()
    drawn = network.draw(0)
    found = network.measure(*drawn, *task.load().test)
    model = net(2)()
    model.set_weights(drawn.trainable)
    model.compile(loss=masked)
    native = model.evaluate(X, y, batch_size=60, verbose=0)
    assert float(found[0]) == pytest.approx(native, rel=1e-5)
    assert np.isfinite(native)


def not_masked(y: Any, predicted: Any) -> Any:
    return keras.ops.mean((y - predicted) ** 2, -1)


def test_targets_that_are_nan_are_named_where_the_loss_takes_them(tmp_path: Path) -> None:
    y = Y.copy()
    y[50:] = np.nan
    with pytest.raises(
        InvalidArgument, match="rows is nan, as targets hold nan: leave them out in the"
    ):
        ravine.race(net(), (X, y[:, None]), loss=not_masked, **SMALL, out=tmp_path / "race")
    with pytest.raises(InvalidArgument, match="y holds nan in row 50"):
        own_model(net(), (X, y), loss="mse")


def test_negative_whole_weights_are_named() -> None:
    """Case 16."""
    with pytest.raises(
        InvalidArgument, match="sample_weight is negative in row 0: weights are at least"
    ):
        own_model(net(), (X, Y, np.full(60, -1)), loss="mse")


@pytest.mark.parametrize(
    ("make", "loss", "y", "said"),
    [
        (net(3, "softmax"), "SparseCategoricalCrossentropy", CLASSES, "softmax is applied twice"),
        (net(1, "sigmoid"), "BinaryCrossentropy", Y, "sigmoid is applied twice"),
        (net(3), "SparseCategoricalCrossentropy", CLASSES, ""),
    ],
)
def test_probabilities_that_are_taken_for_logits_are_warned_of(
    make: Any, loss: str, y: Any, said: str
) -> None:
    given = getattr(keras.losses, loss)(from_logits=True)
    notes = own_model(make, (X, y), loss=given).network().notes
    assert len(notes) == bool(said)
    assert said in "".join(notes)


def test_objects_of_keras_2_are_called_so() -> None:
    # Which is not installed: all that is looked at is the module of the class.
    old = type("Sequential", (), {"__module__": "tf_keras.src.engine.sequential"})
    with pytest.raises(InvalidArgument, match=r"the task is a Sequential of Keras 2 \(tf_keras\)"):
        ravine.race(old(), (X, Y), loss="mse")
    with pytest.raises(InvalidArgument, match=r"loss or a metric is a Sequential of Keras 2"):
        own_model(net(), (X, Y), loss=old())
    with pytest.raises(InvalidArgument, match=r"is a Sequential of Keras 2"):
        own_model(old, (X, Y), loss="mse").build()
