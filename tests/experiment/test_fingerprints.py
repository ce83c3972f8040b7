"""What decides a result is told apart; what does not is not."""

import runpy
from pathlib import Path
from typing import Any

import cloudpickle
import keras
import pytest

from ravine.experiment.config import choose
from ravine.experiment.fingerprints import described, digest, source_digest
from ravine.rules import SGD
from ravine.storage.provenance import command
from ravine.tasks import TASKS
from ravine.tasks.adapters.canonical import canonical
from ravine.tasks.adapters.entry import task_of
from ravine.tasks.adapters.serialization import portable
from ravine.tasks.task import Task

X = [[float(i)] for i in range(40)]


def power(exponent: int) -> Any:
    return lambda y, y_pred: abs(y - y_pred) ** exponent


def told(**options: Any) -> str:
    task = Task.from_model(keras.Sequential, (X, [0] * 40), **{"loss": "mse", **options})
    return digest([*map(described, task.told)])


def test_losses_and_metrics_are_told_apart() -> None:
    alike = {"loss": power(2), "metrics": ["mae", keras.losses.Huber(delta=2.0)]}
    assert told(**alike) == told(loss=power(2), metrics=["mae", keras.losses.Huber(delta=2.0)])
    others = [
        {"loss": power(3)},
        {"metrics": ["mae", keras.losses.Huber(delta=3.0)]},
        {"metrics": ["mse"]},
        {"loss_weights": [2.0]},
    ]
    assert len({told(**alike), *(told(**{**alike, **other}) for other in others)}) == 5
    assert len({told(), told(loss="mae"), told(loss=keras.losses.MeanAbsoluteError())}) == 3


def test_what_ravine_ships_is_named_as_before() -> None:
    assert all(task.told == () for task in TASKS.values())


@pytest.mark.parametrize("kind", ["model", "place", "shipped"])
def test_the_command_says_how_the_task_is_had(kind: str, tmp_path: Any) -> None:
    file = tmp_path / "mine.py"
    task = TASKS["digits-mlp"]
    if kind == "model":
        options = {"loss": "mse", "metrics": [keras.losses.Huber(), power(2)]}
        task = task_of(keras.Sequential, (X, [0] * 40), **options)
    elif kind == "place":
        file.write_text(
            "from ravine.tasks import find\n\n\ndef make():\n    return find('digits-mlp')\n"
        )
        task = task_of(f"{file}:make", None)
    choices, _ = choose(task, [SGD()], None, 2, 3, None, None)
    begins = {
        "model": "ravine.race(Sequential, data, loss='mse', metrics=[Huber(…), …], rules=[",
        "place": f"ravine race {file}:make --rules sgd --tuning-seeds 2",
        "shipped": "ravine race digits-mlp --rules sgd --tuning-seeds 2",
    }
    assert command(choices, task).startswith(begins[kind])


OWN = """
import keras
from ravine.rules.update_rule import Rule, hyper, rule

@rule
class Halved(Rule):
    \"\"\"Gradient descent at half of its rate.\"\"\"
    learning_rate: float = hyper(0.1, "rate", unit="w", valid="> 0", search=(1e-3, 1.0))
    def init(self, w):
        return ()
    def update(self, w, g, state, t):
        return w - 0.5 * self.learning_rate * g, state

class Half(keras.layers.Layer):
    def call(self, x):
        return x / 2

class Late(keras.losses.Loss):
    def call(self, y, y_pred):
        return abs(y - y_pred) if self.name in {"late", "later"} else 0 * y
"""


def test_a_script_and_the_module_it_is_have_the_same_classes(tmp_path: Path) -> None:
    """Whoever runs a file, or imports it, or gets what is in it as a pickle of another process."""
    (file := tmp_path / "own_classes.py").write_text(OWN)
    found = set()
    for name in ("__main__", "own_classes"):
        held = runpy.run_path(str(file), run_name=name)
        own = tuple(held[kind] for kind in ("Half", "Late", "Halved"))
        travelled = cloudpickle.loads(cloudpickle.dumps(own))
        for layer, loss, halved in (travelled, own):
            layers = [
                keras.Input((1,), name="x"),
                layer(name="half"),
                keras.layers.Dense(1, name="y"),
            ]
            task = Task.from_model(
                keras.Sequential(layers, name="own"), (X, [0] * 40), loss=loss(name="late")
            )
            config = canonical(task.make_model.moved.config)  # type: ignore[attr-defined]
            found.add(str([config, *map(described, task.told), source_digest(halved())]))
    assert len(found) == 1


def test_a_loss_that_is_handed_over_keeps_its_name() -> None:
    assert described(portable(keras.losses.Huber())) == described(portable(keras.losses.Huber()))


def test_a_model_that_is_built_twice_in_a_process_is_one_task() -> None:
    """Keras counts its layers on: the second has a ``dense_1`` where the first had a ``dense``."""

    def model(activation: str = "relu") -> keras.Model:
        inputs = keras.Input((1,))
        hidden = keras.layers.Dense(3, activation=activation)(inputs)
        return keras.Model(inputs, keras.layers.Add()([hidden, keras.layers.Dense(3)(hidden)]))

    def network(make: Any) -> str:
        task = Task.from_model(make, (X, [[0.0] * 3] * 40), loss="mse")
        return digest([task.network().config, *map(described, task.told)])

    assert model().layers[1].name != model().layers[1].name
    assert network(model()) == network(model())
    assert network(model) == network(model)
    assert len({network(model()), network(model("tanh"))}) == 2
