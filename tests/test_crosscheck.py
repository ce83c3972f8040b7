"""A winner once more by plain ``model.fit``, in another framework and a process of its own."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravine
from ravine.errors import InvalidArgument
from ravine.execution import actions, crosscheck, session
from ravine.execution.framework_fit import _begin
from ravine.execution.in_process import InProcess
from ravine.reporting import report
from ravine.storage.store import Store

SMALL: dict[str, Any] = {
    "rules": ["sgd", "momentum"],
    "learning_rates": {"sgd": [0.03], "momentum": [0.3]},
    "tuning_seeds": 1,
    "eval_seeds": 2,
    "epochs": 4,
    "workers": 0,
    "progress": False,
}
TOLD: dict[str, Any] = {"loss": "mse", "metrics": ["mae"]}


def make_model() -> Any:
    import keras

    class Gated(keras.Model):
        """A class of the user's own, which keeps statistics while it trains."""

        def __init__(self) -> None:
            super().__init__()
            self.hidden = keras.layers.Dense(6, activation="tanh")
            self.norm = keras.layers.BatchNormalization()
            self.gate = keras.layers.Dense(6, activation="sigmoid")
            self.out = keras.layers.Dense(1)

        def call(self, x: Any, training: bool = False) -> Any:
            hidden = self.norm(self.hidden(x), training=training)
            return self.out(hidden * self.gate(x))

    return Gated()


def bound_to_jax() -> Any:
    import keras
    from jax import numpy as jnp

    class Sine(keras.layers.Layer):
        def compute_output_shape(self, shape: Any) -> Any:
            return shape

        def call(self, x: Any) -> Any:
            return jnp.sin(x)

    return keras.Sequential([keras.Input((3,)), Sine(), keras.layers.Dense(1)])


def data() -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")
    return x, (x[:, :1] > 0).astype("float32") + 0.1 * x[:, 1:2]


@pytest.fixture(scope="module")
def race(compiled_quickly: None, tmp_path_factory: pytest.TempPathFactory) -> ravine.Race:
    """Of a model of the user's own, confirmed on TensorFlow.

    That a step can be taken there is not tried before; it is on JAX, and where it cannot be.
    """
    out = tmp_path_factory.mktemp("confirmed") / "race"
    with pytest.MonkeyPatch.context() as patch:
        for module in (session, actions):
            patch.setattr(module, "publish_pages", lambda race: None)
        patch.setattr(session.vega, "prepare", lambda: None)
        patch.setattr(crosscheck, "check_trains", lambda *_: None)
        found = ravine.race(make_model, data(), **TOLD, **SMALL, out=out, crosscheck="tensorflow")
    assert isinstance(found, ravine.Race)
    return found


@pytest.fixture
def no_workers(no_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Races are done in this process, and so is what is fitted on the framework that it has."""
    monkeypatch.setattr(session, "here", lambda _, workbench: InProcess(workbench))
    monkeypatch.setattr(crosscheck, "Local", lambda _, workbench, framework: InProcess(workbench))


def test_tensorflow_walks_the_races_path(
    race: ravine.Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = race.confirmed
    assert [one.pairs for one in race.results.confirmed] == [found.pairs]
    assert {p.rule for p in found.pairs} == {"sgd", "momentum"}
    assert found.agreeing == len(found.pairs)
    # SGD and momentum are the same arithmetic there: what differs is rounding, over 12 steps.
    assert max(p.difference for p in found.pairs) < 1e-5
    assert len({p.seed for p in found.pairs}) == 3
    assert not {p.seed for p in found.pairs} & set(race.curves()["seed"])
    assert all(0 < p.building < p.seconds_there for p in found.pairs)  # of three parts
    (said,) = json.loads(race.results.to_json())["confirmations"]
    assert said["framework"] == "tensorflow"
    monkeypatch.setattr(report, "FIRST", ["confirmation"])  # other charts say nothing of it
    page = race.report().read_text(encoding="utf-8")
    assert str(found)[:20] in page
    assert "by model.fit on TensorFlow" in page
    assert race.meta["command"].endswith(", crosscheck='tensorflow')")
    assert race.unconfirmed is None


def rows(folder: Path) -> dict[tuple[str, str], bytes]:
    store = Store(folder, reading=True)
    found = {key: np.asarray(value[1]).tobytes() for key, value in store.elsewhere().items()}
    store.close()
    return found


def test_a_confirmation_that_is_stopped_goes_on_where_it_was(
    race: ravine.Race, no_workers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, before = Store.keep_elsewhere, rows(race.folder)

    def stopping(self: Store, *what: Any) -> None:
        keep(self, *what)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Store, "keep_elsewhere", stopping)
        with pytest.raises(KeyboardInterrupt) as stop:
            race.crosscheck("jax", progress=False)
    assert "go on with: ravine resume" in stop.value.__notes__[0]
    kept = rows(race.folder)
    assert len(kept) == len(before) + 1
    assert ravine.Race.open(race.folder).unconfirmed == "jax"
    ended = ravine.resume(race.folder, progress=False)
    # A second time a run would take other seconds.
    assert {key: value for key, value in rows(race.folder).items() if key in kept} == kept
    assert [one.name for one in ended.confirmed] == ["TensorFlow", "JAX"]
    assert [one.agreeing for one in ended.confirmed] == [6, 6]
    assert ended.results.afterwards == ["ravine crosscheck DIR --in jax --seeds 3"]


def test_what_cannot_be_confirmed_says_so_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, race: ravine.Race
) -> None:
    out = tmp_path / "none"
    with pytest.raises(InvalidArgument, match=r"cannot be trained by model.fit on PyTorch"):
        ravine.race(bound_to_jax, data(), **SMALL, loss="mse", out=out, crosscheck="torch")
    pure = ravine.Task.from_jax(lambda key: 1.0, lambda w, x, y: (w * x - y) ** 2, data())
    with pytest.raises(InvalidArgument, match="it is two functions in JAX, not a Keras model"):
        ravine.race(pure, out=out, crosscheck="jax")
    with pytest.raises(InvalidArgument, match="did you mean 'tensorflow'"):
        race.crosscheck("tensorflw")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InvalidArgument, match=r"pip install 'ravine\[torch\]'"):
        ravine.race(out=out, crosscheck="torch")
    assert not out.exists()


def test_a_recurrent_layer_draws_only_if_it_drops() -> None:
    import keras

    for dropped in (0.0, 0.2):
        layers = [keras.Input((5, 3)), keras.layers.LSTM(4, dropout=dropped)]
        model = keras.Sequential(layers)
        both = model.trainable_variables, model.non_trainable_variables
        held = [[keras.ops.convert_to_numpy(v.value) for v in vs] for vs in both]
        assert _begin(model, *held) is (dropped > 0)
