"""Races in a Keras model's own framework: run after run, stepped by ``ravine.to_keras``.

For models that cannot move to JAX. The weights, what does not train and all that the optimizer
keeps travel as one lane, with the run's seed; a process has one model, which they are put into.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from ravine.errors import InvalidArgument
from ravine.frameworks.names import CALLED
from ravine.rules.update_rule import Rule
from ravine.tasks.adapters.keras_network import Network, Weights
from ravine.tasks.adapters.masks import Predicted, detached, joined
from ravine.tasks.adapters.pytree import leaves, mapped
from ravine.tasks.adapters.reference_evaluation import ByWeights, Scores, keras_evaluation
from ravine.tasks.saved import Saved
from ravine.tasks.task import Task
from ravine.training.evaluation_check import Evaluated, Evaluator
from ravine.training.programs import PerLane, Programs, Shape, measured, of_lane

clock = time.process_time  # as a worker has one thread
AT_ONCE = 256  # rows of a split that are predicted in one call


class Trained(NamedTuple):
    """An optimizer, and a step: of x, y, the run's seed and t, from 1 on, gives the mean loss."""

    optimizer: Any
    step: Callable[[Any, Any, int, int], Any]


class NativeNetwork(Network):
    """A task's model, with the weights that it has. The last of its state is the run's seed."""

    def __init__(self, task: Task) -> None:
        super().__init__(task, _framework())

    @property
    def variables(self) -> list[Any]:
        """All of the model: what trains, then what does not."""
        return [*self._model.trainable_variables, *self._model.non_trainable_variables]

    @property
    def trained(self) -> list[Any]:
        """What trains."""
        return list(self._model.trainable_variables)

    @property
    def model(self) -> Any:
        """The model itself."""
        return self._model

    def draw(self, seed: int) -> Weights:
        """See ``Network``."""
        trainable, state = super().draw(seed)
        return Weights(trainable, [*state, np.array(seed, np.int64)])

    def save(self, trainable: Sequence[Any], state: Sequence[Any], folder: Path) -> Saved:
        """See ``Network``."""
        return super().save(trainable, state[:-1], folder)

    def train_loss(self, x: Any, y: Any) -> Any:
        """The mean loss of a batch in training; what does not train changes in place."""
        y_pred = self._model(self._task.inputs(x), **self.told(training=True))
        loss = self._criterion.loss(self._task.targets(y), y_pred)
        return loss + sum(self._model.losses)

    def reseed(self, seed: Any = 0, t: int = 1) -> None:
        """Have a step draw what it draws in a run of that seed."""
        if _framework() == "torch":  # where Keras's dropout draws from the stream of the process
            from ravine.tasks.adapters.module_network import seed_step

            seed_step(int(seed), t)

    def framework_scores(self, held_out: Any, training: Any) -> ByWeights:
        """See ``Network``. The last of the state is the run's seed."""
        model, _ = self._built()
        rows = held_out, training
        scores = keras_evaluation(self._task, model, self.measures, *rows, self.reseed)
        return lambda trainable, state: scores(trainable, state[:-1])

    def outputs(self, x: Any) -> Predicted:
        """What the model makes of rows, not in training, with the masks of it."""
        return detached(self._model(self._task.inputs(x), **self.told(training=False)))


def network_of(task: Task) -> NativeNetwork:
    """The task's model, on the framework that this process was told. Raises ``InvalidArgument``."""
    if getattr(task, "augment", None) is not None:
        raise InvalidArgument(
            f"augment= runs in JAX, and this model trains in {CALLED[_framework()]}: put into the "
            "model what augments, such as keras.layers.RandomFlip"
        )
    return NativeNetwork(task)


def _framework() -> str:
    return os.environ["KERAS_BACKEND"]


def set_floats(floats: str) -> None:
    """Nothing: Keras's own settings travel with the task."""


def lanes(network: NativeNetwork, drawn: Any, sample: Any) -> bool:
    """Whether runs can be lanes of one program: here none can."""
    return False


def export(
    network: NativeNetwork, rule: Rule, shape: Shape, sample: Any, data: Any, anew: bool = False
) -> list[bytes]:
    """Nothing: every worker makes the programs of the rule with its own model."""
    return []


def load(exported: Sequence[bytes], network: Callable[[], NativeNetwork], rule: Rule) -> Programs:
    """The programs of a rule."""
    return programs(network(), rule)


def programs(network: NativeNetwork, rule: Rule) -> Programs:
    """The programs of a rule, of one lane. A run of other hyperparameters is another function."""
    known: dict[tuple[Any, ...], Trained] = {}
    predict, score = _compiled(network.outputs), _scoring(network)

    def trained(hyper: dict[str, Any]) -> Trained:
        values = {name: float(column[0]) for name, column in hyper.items()}
        rate = values["learning_rate"]
        key = tuple(v for k, v in values.items() if k != "learning_rate")
        if key not in known:
            known[key] = _trained(network, rule.replace(values))
        known[key].optimizer.learning_rate = rate
        return known[key]

    def scores_of(optimizer: Any, alive: bool, held_out: Any) -> Any:
        count = measured(held_out)
        scores = np.full((1, count, len(network.measures)), np.nan, np.float32)
        if alive:
            with optimizer.settled():
                found = [
                    _numpy(score(y, _by_parts(predict, x), tuple(*blocks)))
                    for x, y, *blocks in of_lane(held_out, 0)
                ]
                scores[0] = np.concatenate(found)
        return scores

    def begin(hyper: Any, trainable: Any, state: Any, held_out: Any) -> Any:
        at = trained(hyper)
        *kept, seed = state
        _put(network.variables, [a[0] for a in (*trainable, *kept)])
        at.optimizer.restart([a[0] for a in trainable])
        at = trained(hyper)
        return _taken(network, at.optimizer, seed, True), scores_of(at.optimizer, True, held_out)

    def advance(hyper: Any, arrays: Any, span: Any, rows: Any, train: Any, held_out: Any) -> Any:
        optimizer = trained(hyper).optimizer
        *kept, seed, before = [np.asarray(a) for a in arrays]
        _put([*network.variables, *optimizer.variables], [a[0] for a in kept])
        step = trained(hyper).step  # at this run's rate, not at that of the arrays
        alive, taken = bool(before[0]), int(span[0])
        _, most, period, _ = rows.shape
        losses = np.full((1, most * period), np.nan, np.float32)
        splits, measures = measured(held_out), len(network.measures)
        found = np.full((1, most, splits, measures), np.nan, np.float32)
        for i in range(int(span[1])):
            for j in range(period if alive else 0):
                x, y = (mapped(itemgetter(rows[0, i, j]), part) for part in train)
                taken += 1
                loss = float(step(x, y, int(seed[0]), taken))
                alive = alive and bool(np.isfinite(loss))
                losses[0, i * period + j] = loss if alive else np.nan
                if not alive:
                    break
            found[:, i] = scores_of(optimizer, alive, held_out)
        return _taken(network, optimizer, seed, alive), losses, found

    return Programs(begin, advance)


def evaluator(network: NativeNetwork, held_out: Any, training: Any, rows: int) -> Evaluator:
    """What a race computes of a few rows, as a function of weights and state."""
    (x, y), predict = held_out, _compiled(network.outputs)
    theirs = network.framework_scores(held_out, training)

    def at(trainable: Sequence[Any], state: Sequence[Any]) -> tuple[Evaluated, Scores]:
        *kept, seed = state
        _put(network.variables, [*trainable, *kept])
        pieces, whole = (
            _numpy(network.score(y, _by_parts(predict, x, n))) for n in (rows, AT_ONCE)
        )
        network.outputs(x)  # not compiled, so that it tells what regularizes
        penalty = float(sum(map(float, network.model.losses)))
        network.reseed(seed)
        ours = Evaluated(pieces, whole, float(network.train_loss(*training)), penalty)
        return ours, theirs(trainable, state)

    return at


def _trained(network: NativeNetwork, rule: Rule) -> Trained:
    optimizer, variables = _optimizer(network, rule), network.trained
    if _framework() == "tensorflow":
        import tensorflow as tf  # type: ignore[import-untyped]

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # it has no types
        def compiled(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = network.train_loss(x, y)
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
            return loss

        return Trained(optimizer, lambda x, y, seed, t: compiled(x, y))
    import torch

    from ravine.tasks.adapters.module_network import seed_step

    def eager(x: Any, y: Any, seed: int, t: int) -> Any:
        seed_step(seed, t)  # Keras's dropout there draws from PyTorch's own stream
        network.model.zero_grad()
        loss = network.train_loss(x, y)
        loss.backward()
        with torch.no_grad():
            optimizer.apply([v.value.grad for v in variables], variables)
        return loss.detach()

    return Trained(optimizer, eager)


def _optimizer(network: NativeNetwork, rule: Rule) -> Any:
    from ravine.frameworks.keras import to_keras

    optimizer = to_keras(rule)
    optimizer.build(network.trained)
    return optimizer


def _compiled(predict: Callable[..., Any]) -> Callable[..., Any]:
    if _framework() == "tensorflow":
        import tensorflow as tf

        found: Callable[..., Any] = tf.function(predict, reduce_retracing=True)
        return found
    import torch

    return torch.no_grad()(predict)


def _scoring(network: NativeNetwork) -> Callable[..., Any]:
    """Loss and metrics of predictions, then of each block of their rows: (1 + blocks, measures)."""

    def scores(y: Any, predicted: Predicted, blocks: Any) -> Any:
        parts = [network.score(y, predicted)]
        for at in blocks:
            rows = partial(_rows, at=at)
            parts.append(network.score(mapped(rows, y), keras.tree.map_structure(rows, predicted)))
        return keras.ops.stack(parts)

    # As Keras's own ``evaluate`` is: a score by itself takes TensorFlow longer than a step.
    return _compiled(scores)


def _rows(array: Any, at: Any) -> Any:
    return None if array is None else keras.ops.take(array, at, axis=0)


def _by_parts(predict: Callable[[Any], Predicted], x: Any, rows: int = AT_ONCE) -> Predicted:
    begins = range(0, len(leaves(x)[0]), rows)
    parts = [predict(mapped(itemgetter(slice(b, b + rows)), x)) for b in begins]
    return parts[0] if len(parts) == 1 else joined(parts, keras.ops.concatenate)


def _taken(network: NativeNetwork, optimizer: Any, seed: Any, alive: bool) -> list[Any]:
    held = [_numpy(v.value) for v in (*network.variables, *optimizer.variables)]
    return [*(np.array(array)[None] for array in held), np.asarray(seed), np.array([alive])]


def _put(variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _numpy(value: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(value))


def memory(program: Any) -> float:
    """Bytes that a program needs at once: nobody knows before it ran."""
    return 0.0


def learned(
    rule: Rule, leaves: Sequence[Any], drawn: Any, taken: int, network: Callable[[], NativeNetwork]
) -> tuple[list[Any], Any]:
    """The weights that the lane is judged by, and its state, after the steps taken."""
    held, count = network(), len(drawn[0])
    optimizer = _optimizer(held, rule)
    *values, seed, _ = [np.asarray(a) for a in leaves]
    _put([*held.variables, *optimizer.variables], values)
    optimizer.learning_rate = rule.learning_rate
    with optimizer.settled():
        arrays = [np.array(_numpy(v.value)) for v in held.variables]
    return arrays[:count], [*arrays[count:], seed]


def resident(data: Any) -> Any:
    """The splits as they are: a batch is copied into a tensor when its turn comes."""
    return data


def by_lane(lanes: Sequence[Any]) -> PerLane:
    """What is held out of lanes that have each splits of their own."""
    return PerLane(lanes)


def operations(network: NativeNetwork, drawn: Any, batch: tuple[Any, Any]) -> float:
    """Not counted here."""
    return 0.0
