"""Races in a Keras model's own framework: run after run, stepped by ``ravine.to_keras``.

For models that cannot move to JAX. The weights, what does not train and all that the optimizer
keeps travel as one lane; a process has one model, which they are put into.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cloudpickle
import numpy as np

from ravine.errors import WrongCall
from ravine.racing.programs import Programs, Shape
from ravine.tasks.intake import Network
from ravine.tasks.own.nested import leaves, mapped
from ravine.update_rule import Rule

clock = time.process_time  # as a worker has one thread
AT_ONCE = 256  # rows of a split that are predicted in one call


class Trained(NamedTuple):
    """An optimizer and what it steps: a function of a batch that gives its mean loss."""

    optimizer: Any
    step: Callable[[Any, Any], Any]


def network_of(task: Any) -> Network:
    """The task's model, on the framework that this process was told."""
    return Network(task, os.environ["KERAS_BACKEND"])


def lanes(network: Network, drawn: Any, sample: Any) -> bool:
    """Whether runs can be lanes of one program: here none can."""
    return False


def export(network: Network, rule: Rule, shape: Shape, sample: Any, data: Any) -> list[bytes]:
    """The rule, which every worker steps its own model by: nothing is traced."""
    return [cloudpickle.dumps(rule)]


def load(exported: Sequence[bytes], network: Callable[[], Network]) -> Programs:
    """The programs of what was exported."""
    return programs(network(), cloudpickle.loads(exported[0]))


def programs(network: Network, rule: Rule) -> Programs:
    """The programs of a rule, of one lane. A run of other hyperparameters is another function."""
    model = network.model
    known: dict[tuple[Any, ...], Trained] = {}
    predict = _compiled(lambda x: model(x, **network.told(training=False)))

    def trained(hyper: dict[str, Any]) -> Trained:
        values = {name: float(column[0]) for name, column in hyper.items()}
        rate = values["learning_rate"]
        key = tuple(v for k, v in values.items() if k != "learning_rate")
        if key not in known:
            known[key] = _trained(network, rule.replace(values))
        known[key].optimizer.learning_rate = rate
        return known[key]

    def measured(optimizer: Any, alive: bool, held_out: Any) -> Any:
        scores = np.full((1, len(held_out), len(network.measures)), np.nan, np.float32)
        if alive:
            with optimizer.settled():
                for i, (x, y) in enumerate(held_out):
                    found = network.score(y, _by_parts(network, predict, x))
                    scores[0, i] = _numpy(found)
        return scores

    def begin(hyper: Any, trainable: Any, state: Any, held_out: Any) -> Any:
        at = trained(hyper)
        _put(network.model.trainable_variables, [a[0] for a in trainable])
        _put(network.model.non_trainable_variables, [a[0] for a in state])
        at.optimizer.restart([a[0] for a in trainable])
        at = trained(hyper)
        return _taken(network, at.optimizer, True), measured(at.optimizer, True, held_out)

    def advance(hyper: Any, arrays: Any, span: Any, rows: Any, train: Any, held_out: Any) -> Any:
        optimizer = trained(hyper).optimizer
        alive = bool(np.asarray(arrays[-1])[0])
        _put(_variables(network, optimizer), [np.asarray(a)[0] for a in arrays[:-1]])
        step = trained(hyper).step  # at this run's rate, not at that of the arrays
        _, most, period, _ = rows.shape
        losses = np.full((1, most * period), np.nan, np.float32)
        found = np.full((1, most, len(held_out), len(network.measures)), np.nan, np.float32)
        for i in range(int(span[1])):
            for j in range(period if alive else 0):
                x, y = (mapped(lambda a, at=rows[0, i, j]: a[at], part) for part in train)  # type: ignore[misc]  # as below
                loss = float(step(network.inputs(x), network.targets(y)))
                alive = alive and bool(np.isfinite(loss))
                losses[0, i * period + j] = loss if alive else np.nan
                if not alive:
                    break
            found[:, i] = measured(optimizer, alive, held_out)
        return _taken(network, optimizer, alive), losses, found

    return Programs(begin, advance)


def _trained(network: Network, rule: Rule) -> Trained:
    optimizer, variables = _optimizer(network, rule), network.model.trainable_variables
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        import tensorflow as tf  # type: ignore[import-untyped]

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # it has no types
        def step(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = network.train_loss(x, y)
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
            return loss

        return Trained(optimizer, step)
    import torch

    def eager(x: Any, y: Any) -> Any:
        network.model.zero_grad()
        loss = network.train_loss(x, y)
        loss.backward()
        with torch.no_grad():
            optimizer.apply([v.value.grad for v in variables], variables)
        return loss.detach()

    return Trained(optimizer, eager)


def _optimizer(network: Network, rule: Rule) -> Any:
    from ravine.frameworks.keras import to_keras

    optimizer = to_keras(rule)
    optimizer.build(network.model.trainable_variables)
    return optimizer


def _compiled(predict: Callable[[Any], Any]) -> Callable[[Any], Any]:
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        import tensorflow as tf

        found: Callable[[Any], Any] = tf.function(predict, reduce_retracing=True)
        return found
    import torch

    return torch.no_grad()(predict)


def _by_parts(network: Network, predict: Callable[[Any], Any], x: Any) -> Any:
    import keras

    rows, parts = len(leaves(x)[0]), []
    for begin in range(0, rows, AT_ONCE):
        part = mapped(lambda a, b=begin: a[b : b + AT_ONCE], x)  # type: ignore[misc]  # at once
        parts.append(predict(network.inputs(part)))
    if len(parts) == 1:
        return parts[0]
    return keras.tree.map_structure(lambda *same: keras.ops.concatenate(same), *parts)


def _variables(network: Network, optimizer: Any) -> list[Any]:
    model = network.model
    return [*model.trainable_variables, *model.non_trainable_variables, *optimizer.variables]


def _taken(network: Network, optimizer: Any, alive: bool) -> list[Any]:
    held = [_numpy(v.value) for v in _variables(network, optimizer)]
    return [*(np.array(array)[None] for array in held), np.array([alive])]


def _put(variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _numpy(value: Any) -> Any:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(value))


def memory(program: Any) -> float:
    """Bytes that a program needs at once: nobody knows before it ran."""
    return 0.0


def learned(
    rule: Rule, leaves: Sequence[Any], drawn: Any, taken: int, network: Callable[[], Network]
) -> tuple[list[Any], Any]:
    """The weights that the lane is judged by, and its state, after the steps taken."""
    held, count = network(), len(drawn[0])
    optimizer = _optimizer(held, rule)
    _put(_variables(held, optimizer), [np.asarray(a) for a in leaves[:-1]])
    optimizer.learning_rate = rule.learning_rate
    with optimizer.settled():
        both = _variables(held, optimizer)[: count + len(drawn[1])]
        arrays = [np.array(_numpy(v.value)) for v in both]
    return arrays[:count], arrays[count:]


def resident(data: Any) -> Any:
    """The splits as they are: a batch is copied into a tensor when its turn comes."""
    return data


def operations(network: Network, drawn: Any, batch: tuple[Any, Any]) -> float:
    """Not counted here."""
    return 0.0


def slopes(network: Network, drawn: Any, batch: tuple[Any, Any]) -> list[float]:
    """Raises ``WrongCall``: levers are raced where all of their variants are compiled."""
    raise WrongCall(
        "a model that cannot move to JAX has no levers to vary: write its layers with keras.ops, "
        "or race each variant by itself"
    )
