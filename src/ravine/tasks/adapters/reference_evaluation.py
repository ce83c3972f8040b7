"""Loss and metrics of a few rows as the user's framework itself computes them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ravine.tasks.adapters.keras_metrics import flat


class Scores(NamedTuple):
    """What a framework reports of a model with given weights."""

    held_out: Sequence[float]  # loss and metrics of rows that are not trained on
    training: float  # the loss of a batch in training, before its step


ByWeights = Callable[[Sequence[Any], Sequence[Any]], Scores]


def keras_evaluation(
    task: Any,
    model: Any,
    measures: Sequence[str],
    held_out: Any,
    training: Any,
    seed: Callable[[], None] = lambda: None,
) -> ByWeights:
    """Scores of a model of its own by Keras's ``evaluate`` and ``train_on_batch``.

    Args:
        task: The task, which nests inputs and targets and knows losses and metrics.
        model: A fresh model; it is compiled, and its weights change.
        measures: Names of the loss and the metrics, in order.
        held_out: Rows ``(x, y)`` for ``evaluate``.
        training: Rows ``(x, y)`` for ``train_on_batch``.
        seed: Called before training, for layers that draw from a stream of the process.

    Returns:
        A function of trainable and non-trainable values. On JAX both calls are compiled.
    """
    import keras
    import numpy as np

    model.compile(
        optimizer=keras.optimizers.SGD(0.0),
        run_eagerly=keras.backend.backend() != "jax",  # tracing takes longer than two calls
        **task.compiled(model),
    )
    tested, trained = (_arguments(task, *rows) for rows in (held_out, training))
    count = len(next(iter(keras.tree.flatten(tested["y"]))))

    def put(trainable: Sequence[Any], state: Sequence[Any]) -> None:
        both = (model.trainable_variables, trainable), (model.non_trainable_variables, state)
        for variables, values in both:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def at(trainable: Sequence[Any], state: Sequence[Any]) -> Scores:
        put(trainable, state)
        model.reset_metrics()
        found = model.evaluate(**tested, batch_size=count, verbose=0, return_dict=True)
        put(trainable, state)
        model.reset_metrics()
        seed()
        loss = model.train_on_batch(**trained, return_dict=True)["loss"]
        values = flat(found)
        scores = [float(np.mean(values[name])) for name in measures]
        return Scores(scores, float(loss))

    return at


def keras_functions(
    task: Any, model: Any, measures: Sequence[str], held_out: Any, training: Any
) -> ByWeights:
    """The same on JAX, from within what ``evaluate`` and ``fit`` compile: it can be traced.

    A program that holds it together with what a race computes takes little longer to compile.
    """
    import keras

    model.compile(optimizer=keras.optimizers.SGD(0.0), **task.compiled(model))
    tested, trained = (tuple(_arguments(task, *rows).values()) for rows in (held_out, training))
    model._symbolic_build(data_batch=tested)  # as evaluate does before it compiles
    model.reset_metrics()
    metrics = [variable.value for variable in model.metrics_variables]
    optimizer = [variable.value for variable in model.optimizer.variables]

    def at(trainable: Sequence[Any], state: Sequence[Any]) -> Scores:
        values = list(trainable), list(state), list(metrics)
        logs, _ = model.test_step(values, tested)
        x, y, *weights = trained
        loss, _ = model.compute_loss_and_updates(
            *values, x, y, *(weights or [None]), training=True, optimizer_variables=optimizer
        )
        found = flat(logs)
        return Scores([keras.ops.mean(found[name]) for name in measures], loss)

    return at


def _arguments(task: Any, x: Any, y: Any) -> dict[str, Any]:
    targets = task.targets(y)
    given = {"x": task.inputs(x), "y": targets["y"]}
    return given | ({"sample_weight": targets["weights"]} if "weights" in targets else {})
