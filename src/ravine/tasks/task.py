"""What a race trains: a model, data in three splits, a loss, and how long."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Split(NamedTuple):
    """Rows of inputs and of targets, as NumPy arrays of equal length; or lists of such arrays."""

    x: Any
    y: Any


class Data(NamedTuple):
    """Train on the first, tune on the second, judge on the third."""

    train: Split
    validation: Split
    test: Split


@dataclass(frozen=True)
class Task:
    """A fixed model on fixed data.

    ``make_model`` returns a fresh Keras 3 model each time it is called, ``load`` the data.
    ``loss`` takes ``(y_true, y_pred)`` to a loss a row, each metric to a number a row; all are
    called while Keras runs on JAX. ``learning_rates`` replaces a rule's own searched range.
    ``frozen_order`` repeats the batches of the first epoch in every epoch, as some published
    results have it; rules that fit the noise of those batches look better than they are.
    """

    name: str
    description: str
    make_model: Callable[[], Any]
    load: Callable[[], Data]
    loss: Callable[[Any, Any], Any]
    metrics: Mapping[str, Callable[[Any, Any], Any]]
    epochs: int
    batch_size: int
    learning_rates: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    frozen_order: bool = False
    notes: tuple[str, ...] = ()  # what whoever races it should know, a line each

    def network(self) -> Any:
        """The functions that a race trains and judges; made where Keras runs on JAX."""
        from ravine.tasks.intake import Network

        return Network(self)

    def build(self) -> Any:
        """A fresh model with all its variables."""
        return self.make_model()

    def criterion(self, model: Any) -> Any:
        """What scores the model's predictions: ``loss``, ``score`` and ``measures``."""
        from ravine.tasks.intake import RowByRow

        return RowByRow(self)

    def compiled(self, model: Any) -> dict[str, Any]:
        """What the model's ``compile`` takes beside the optimizer, on any backend."""
        from ravine.tasks.plain import row_by_row

        return row_by_row(self)

    def inputs(self, x: Any) -> Any:
        """What the model is called with, of the inputs of a split."""
        return x

    def targets(self, y: Any) -> Any:
        """What the criterion is called with, of the targets of a split."""
        return y
