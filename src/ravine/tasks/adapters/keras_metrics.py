"""The loss and the metrics of a user's model, as Keras itself computes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.serialization import restored


class KerasMetrics:
    """Scores of predictions: what ``compile`` was told, without a word of regularisation.

    A second Keras model, without layers, is compiled with the same losses and metrics. It sees
    targets and predictions alone, so that Keras's own reductions, masks and sample weights apply.
    """

    def __init__(self, model: Any, wanted: dict[str, Any]) -> None:
        import keras

        self._keras = keras
        compiled = model.get_compile_config() if getattr(model, "compiled", False) else {}
        compiled = {
            k: keras.saving.deserialize_keras_object(v)
            for k, v in compiled.items()
            if k in ("loss", "loss_weights", "metrics", "weighted_metrics")
        }
        wanted = compiled | {k: restored(v) for k, v in wanted.items() if v is not None}
        if wanted.get("loss") is None:
            raise InvalidArgument(
                "no loss: give loss=, such as loss='sparse_categorical_crossentropy', or a model "
                "that is compiled with one"
            )
        self.given = wanted
        self._model = keras.Model()
        self._model.output_names = getattr(model, "output_names", None)
        self._model.compile(optimizer=None, jit_compile=False, **wanted)
        self.measures: tuple[str, ...] = ("loss",)
        self.notes: tuple[str, ...] = ()  # what its user should know

    def meet(self, y: Any, y_pred: Any) -> None:
        """See targets and predictions once, outside of any trace: Keras makes its variables."""
        self._model.compute_loss(None, y["y"], y_pred, y.get("weights"))
        found = self._model.compute_metrics(None, y["y"], y_pred, y.get("weights"))
        self._model.reset_metrics()
        self.measures = ("loss", *(name for name in flat(found) if name != "loss"))

    def loss(self, y: Any, y_pred: Any) -> Any:
        """The mean over a batch, weighted, summed over outputs."""
        with self._keras.StatelessScope():
            return self._model.compute_loss(None, y["y"], y_pred, y.get("weights"))

    def score(self, y: Any, y_pred: Any) -> Sequence[Any]:
        """The loss and each metric, of a whole split; of a metric of several numbers their mean."""
        with self._keras.StatelessScope():
            loss = self._model.compute_loss(None, y["y"], y_pred, y.get("weights"))
            found = self._model.compute_metrics(None, y["y"], y_pred, y.get("weights"))
            ops, values = self._keras.ops, flat(found)
            others = [ops.mean(ops.cast(values[name], "float32")) for name in self.measures[1:]]
        return [loss, *others]


def flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """The values of metrics by name; a metric that gives several names them, as in ``evaluate``.

    >>> flat({"loss": 1.0, "scores": {"low": 0.1, "high": 0.9}})
    {'loss': 1.0, 'low': 0.1, 'high': 0.9}
    """
    values: dict[str, Any] = {}
    for name, value in found.items():
        values |= value if isinstance(value, Mapping) else {name: value}
    return values
