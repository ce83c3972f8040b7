"""A Keras model becomes pure functions of its weights. Imports Keras, on JAX."""

import inspect
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ravine.errors import RavineError
from ravine.tasks import settings
from ravine.tasks.adapters.canonical import canonical, canonical_paths
from ravine.tasks.adapters.masks import Predicted, attached, detached
from ravine.tasks.adapters.reference_evaluation import ByWeights, keras_functions
from ravine.tasks.adapters.serialization import layers_in
from ravine.tasks.adapters.variables import Variable, of_keras
from ravine.tasks.keras_import import absent
from ravine.tasks.saved import Saved, save_keras
from ravine.tasks.task import Task

NARROW = ("float16", "bfloat16")


class Weights(NamedTuple):
    """A model's numbers as lists of NumPy arrays, in Keras's order."""

    trainable: list[Any]
    state: list[Any]  # what is not trained: running means, random seeds


class Network:
    """A task's model as functions of its weights, that JAX can transform.

    On another ``backend``, as a model with a loss.
    """

    framework = "Keras"  # whose evaluation is compared with a race's

    def __init__(self, task: Task, backend: str = "jax") -> None:
        keras = import_keras(backend)
        settings.agree(keras, getattr(task, "settings", None), own=not _ships(task))
        self._task = task
        self._keras = keras
        self._model, self.taken = self._built()
        self._asks = "training" in inspect.signature(self._model.call).parameters
        self._criterion = task.criterion(self._model)
        self.measures: tuple[str, ...] = self._criterion.measures
        self.notes: tuple[str, ...] = getattr(self._criterion, "notes", ())

    @property
    def config(self) -> str:
        """The model's architecture as JSON, or its variables; and what it was pretrained to."""
        try:
            found = json.dumps(canonical(json.loads(self._model.to_json())))
        except (NotImplementedError, TypeError, ValueError):
            held = self._model.variables
            paths = canonical_paths([v.path for v in held])
            found = str([(p, v.shape, v.dtype) for p, v in zip(paths, held, strict=True)])
        start = self._task.pretrained
        return found if start is None else f"{found} from {start.digest}"

    @property
    def names(self) -> list[str]:
        """Where in the model each trainable array is: ``"sequential/dense/kernel"``."""
        return [variable.path for variable in self._model.trainable_variables]

    @property
    def variables_there(self) -> tuple[Variable, ...]:
        """The model's variables, to be compared with those of another process."""
        return of_keras(self._model)

    @property
    def narrow(self) -> bool:
        """Whether some layer computes with 16 bits, and rounds accordingly."""
        return any(getattr(one, "compute_dtype", "") in NARROW for one in layers_in(self._model))

    def draw(self, seed: int) -> Weights:
        """Initial weights: what ``keras.utils.set_random_seed(seed); make_model()`` gives.

        Each layer that draws while it trains, such as dropout, is seeded by ``seed`` and its place
        in the model, whatever seed it was made with: equal seeds give equal masks under every rule.
        """
        with absent("tensorflow"):  # Keras would import it, where it is installed, only to seed it
            self._keras.utils.set_random_seed(seed)
        model, _ = self._built()
        state = [
            _random_state([seed, i], v.dtype)
            if v.path.endswith("seed_generator_state")
            else self._numbers(v)
            for i, v in enumerate(model.non_trainable_variables)
        ]
        return Weights([self._numbers(v) for v in model.trainable_variables], state)

    def _numbers(self, variable: Any) -> Any:
        return self._keras.ops.convert_to_numpy(variable.value)

    def _built(self) -> tuple[Any, tuple[str, ...]]:
        """A fresh model, and the layers whose weights are pretrained."""
        model, held = self._task.build(), self._task.pretrained
        return model, () if held is None else held.into(model)

    def loss(self, trainable: Sequence[Any], state: Sequence[Any], x: Any, y: Any) -> Any:
        """Mean loss of a batch in training, regularisation included; and the new state."""
        y_pred, state, extra = self._model.stateless_call(
            list(trainable),
            list(state),
            self._task.inputs(x),
            return_losses=True,
            **self.told(training=True),
        )
        return self._criterion.loss(self._task.targets(y), y_pred) + sum(extra), list(state)

    def measure(
        self,
        trainable: Sequence[Any],
        state: Sequence[Any],
        x: Any,
        y: Any,
        way: Callable[[Any], Any] = lambda predict: predict,
    ) -> Any:
        """Mean loss and metrics of a split, not in training, in the order of ``measures``.

        ``way`` turns ``predict`` into how all rows of a split are predicted.
        """
        return self.score(y, way(self.predict)(trainable, state, x))

    def judged(
        self,
        trainable: Sequence[Any],
        state: Sequence[Any],
        x: Any,
        y: Any,
        way: Callable[[Any], Any],
    ) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """What ``measure`` gives, in two: a function of nests of rows, and those of a split.

        So that parts of the rows can be measured without being predicted again.
        """
        return self.score, (y, way(self.predict)(trainable, state, x))

    def penalty(self, trainable: Sequence[Any], state: Sequence[Any], x: Any) -> Any:
        """What Keras's ``evaluate`` adds to the loss of predictions: what regularizes."""
        *_, extra = self._model.stateless_call(
            list(trainable),
            list(state),
            self._task.inputs(x),
            return_losses=True,
            **self.told(training=False),
        )
        return sum(extra) + 0.0

    def framework_scores(self, held_out: Any, training: Any) -> ByWeights:
        """Loss and metrics of a few rows as Keras's own ``evaluate`` and ``fit`` compute them."""
        model, _ = self._built()
        return keras_functions(self._task, model, self.measures, held_out, training)

    def save(self, trainable: Sequence[Any], state: Sequence[Any], folder: Path) -> Saved:
        """Write the model with these numbers into a folder."""
        model = self._task.build()
        both = (model.trainable_variables, trainable), (model.non_trainable_variables, state)
        for variables, values in both:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return save_keras(model, folder)

    def predict(self, trainable: Sequence[Any], state: Sequence[Any], x: Any) -> Predicted:
        """What the model makes of rows, not in training, with the masks of it."""
        x = self._task.inputs(x)
        told = self.told(training=False)
        y_pred, _ = self._model.stateless_call(list(trainable), list(state), x, **told)
        return detached(y_pred)

    def told(self, training: bool) -> dict[str, bool]:
        """A model whose ``call`` takes no ``training`` is not told, as in Keras's own ``fit``."""
        return {"training": training} if self._asks else {}

    def score(self, y: Any, predicted: Any) -> Any:
        """Mean loss and metrics of what was predicted, in the order of ``measures``."""
        y_pred = attached(predicted)
        return self._keras.ops.stack(self._criterion.score(self._task.targets(y), y_pred))


class RowByRow:
    """A task's loss and metrics, a number a row each, as means."""

    def __init__(self, task: Task) -> None:
        self._functions = (task.loss, *task.metrics.values())
        self.measures = ("loss", *task.metrics)

    def loss(self, y: Any, y_pred: Any) -> Any:
        """The mean loss."""
        return self._functions[0](y, y_pred).mean()

    def score(self, y: Any, y_pred: Any) -> list[Any]:
        """Mean loss and metrics, in the order of ``measures``."""
        return [function(y, y_pred).mean() for function in self._functions]


def _random_state(seeds: Sequence[int], dtype: str) -> Any:
    """What a layer that draws begins with: unsigned numbers on JAX, signed ones on PyTorch."""
    import numpy as np

    (word,) = np.random.SeedSequence(seeds).generate_state(1)
    return np.array([int(word) & np.iinfo(dtype).max, 0], dtype)


def _ships(task: Task) -> bool:
    """Whether ravine ships the task, or what a variant of it is made of."""
    made = getattr(task.make_model, "func", task.make_model)
    return type(task) is Task and str(made.__module__).startswith("ravine.tasks.")


def import_keras(backend: str = "jax") -> Any:
    """Keras on a backend: set before the first import of it, in a process that is ours."""
    os.environ["KERAS_BACKEND"] = backend
    import keras

    if keras.backend.backend() != backend:
        raise RavineError(
            f"Keras already runs on {keras.backend.backend()} in this process; the engine needs "
            f"{backend}"
        )
    keras.config.disable_traceback_filtering()  # whose code it is tells which layer failed
    return keras
