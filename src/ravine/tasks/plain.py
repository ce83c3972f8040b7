"""A task's loss and metrics, a number a row each, as Keras's own kinds. Imports Keras."""

from typing import Any

import keras

from ravine.tasks.task import Task


class _Loss(keras.losses.Loss):  # type: ignore[misc]  # to mypy Keras is Any
    """The mean of a number a row; Keras's own wrapper would give labels another axis."""

    def __init__(self, function: Any) -> None:
        super().__init__(name="loss")
        self._function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self._function(y_true, y_pred)


class _Metric(keras.metrics.Mean):  # type: ignore[misc]  # to mypy Keras is Any
    def __init__(self, function: Any, name: str) -> None:
        super().__init__(name=name)
        self._function = function

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super().update_state(self._function(y_true, y_pred))


def row_by_row(task: Task) -> dict[str, Any]:
    """What ``compile`` takes beside the optimizer."""
    return {
        "loss": _Loss(task.loss),
        "metrics": [_Metric(function, name) for name, function in task.metrics.items()],
    }
