"""A user's Keras model on the user's data, as a task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ravine.errors import InvalidArgument
from ravine.tasks.adapters import augmenting, checks, failures, fitting
from ravine.tasks.adapters.augmenting import Augment, Augmented
from ravine.tasks.adapters.keras_metrics import KerasMetrics
from ravine.tasks.adapters.own_task import BATCH_SIZE, EPOCHS, OwnTask, name_of, of_data
from ravine.tasks.adapters.pytree import mapped
from ravine.tasks.adapters.serialization import (
    Model,
    Moved,
    is_keras,
    is_keras_2,
    keep,
    keras_2,
    move_model,
    portable,
)
from ravine.tasks.adapters.splits import splits_of
from ravine.tasks.adapters.variables import Variable, built_here, of_keras
from ravine.tasks.settings import Settings, captured


@dataclass(frozen=True)
class OwnModel(OwnTask):
    """A task of a user's model. ``loss`` and ``metrics`` are what Keras's ``compile`` takes."""

    loss_weights: Any = None
    settings: Settings | None = None  # of the process that it was made in
    options: tuple[str, ...] = ()  # about the data, as code

    @property
    def variables(self) -> tuple[Variable, ...]:
        """See ``OwnTask``. Those of a model that was given are of the model itself."""
        if isinstance(self.make_model, Model):
            return self.make_model.variables
        return built_here("keras", lambda: of_keras(self.build()))

    @property
    def told(self) -> tuple[Any, ...]:
        """See ``Task.told``. A model that is compiled brings its loss along."""
        model = self.make_model
        compiled = model.moved.config.get("compile_config") if isinstance(model, Model) else None
        found = self.loss, self.metrics, self.loss_weights, compiled
        return found if self.settings is None else (*found, *self.settings.told)

    @property
    def call(self) -> str:
        """See ``Task.call``."""
        given = {"loss": self.loss, "metrics": self.metrics, "loss_weights": self.loss_weights}
        options = [f"{name}={spelled(v)}" for name, v in given.items() if v is not None]
        return ", ".join([self.name, "data", *options, *self.options])

    @property
    def unfit(self) -> str:
        """See ``Task.unfit``."""
        return "" if self.augment is None else "its batches are augmented by a function in JAX"

    def network(self) -> Any:
        """See ``Task.network``."""
        network = super().network()
        return network if self.augment is None else Augmented(network, self)

    def build(self) -> Any:
        """A fresh model with all its variables."""
        import keras

        try:
            model = self.make_model()
        except InvalidArgument:
            raise
        except Exception as error:
            raise failures.stuck(error, "building the model") from error
        if is_keras_2(model):
            raise InvalidArgument(keras_2(f"what {self.name} gives", model))
        if not isinstance(model, keras.Model):
            raise InvalidArgument(
                f"{self.name} gives a {type(model).__name__}, not a Keras model: "
                "return the model from the function"
            )
        self._try(model)
        if isinstance(self.make_model, Model):
            keep(model, self.make_model.kept)
        return model

    def criterion(self, model: Any) -> KerasMetrics:
        """See ``Task.criterion``."""
        wanted = {"loss": self.loss, "metrics": self.metrics, "loss_weights": self.loss_weights}
        again = [tuple(v.shape) for v in self.build().variables]
        if again != [tuple(v.shape) for v in model.variables]:
            raise InvalidArgument(
                f"{self.name} gives models of different shapes on two calls: the race needs the "
                "same network for every seed"
            )
        y, x = self.targets(self.sample.y), self.inputs(self.sample.x)
        fitting.widths(model)
        y_pred = fitting.outputs_of(model, x)
        judge = fitting.metrics_of(model, wanted, y, y_pred)
        judge.notes = fitting.cautions(model, y["y"], y_pred, judge.given["loss"])
        for what, split in self.load()._asdict().items():
            fitting.labels(what, self.targets(split.y)["y"], y_pred, judge.given["loss"])
        return judge

    def compiled(self, model: Any) -> dict[str, Any]:
        """See ``Task.compiled``."""
        wanted = {"loss": self.loss, "metrics": self.metrics, "loss_weights": self.loss_weights}
        return KerasMetrics(model, wanted).given

    def _try(self, model: Any) -> None:
        import keras

        x = self.inputs(self.sample.x)
        checks.shapes(model, x)
        if model.built and model.variables:
            return
        try:  # without computing anything
            model(mapped(lambda a: keras.KerasTensor((None, *a.shape[1:]), a.dtype.name), x))
        except Exception as error:
            raise failures.stuck(error, "the model's first call") from error


def own_model(
    model: Any,
    data: Any,
    *,
    loss: Any = None,
    metrics: Any = None,
    loss_weights: Any = None,
    validation_data: Any = None,
    test_data: Any = None,
    split: str | None = None,
    groups: Any = None,
    validation_split: float | None = None,
    augment: Augment | None = None,
    class_weight: Any = None,
    name: str | None = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
) -> OwnModel:
    """The task of a Keras model, or of a function that builds one. See ``ravine.race``."""
    settings = captured()
    prepared = splits_of(
        *(data, validation_data, test_data),
        class_weight=class_weight,
        split=split,
        groups=groups,
        validation_split=validation_split,
        holes=checks.masks_nan(loss),
        floats=str(settings.keras["floatx"]),
    )
    like, said = prepared.like, prepared.said
    moved = move_model(model) if is_keras(model, "Model") else model
    if loss is None and getattr(model, "compiled", False):
        loss = model.loss  # as it was given; its configuration may forget some of it
    y_like = {"y": like.y, "weights": like.weights}
    return OwnModel(
        name=name or name_of(model),
        description=f"your model on your data; {said}{augmenting.said(augment)}",
        make_model=moved,
        loss=portable(loss),
        metrics=portable(_listed(metrics)),
        epochs=epochs,
        batch_size=batch_size,
        loss_weights=loss_weights,
        settings=settings,
        floats=settings.floats,
        augment=augmenting.checked(augment),
        options=_options(
            validation_data=validation_data,
            test_data=test_data,
            split=split,
            groups=groups,
            validation_split=validation_split,
            augment=augment,
            class_weight=class_weight,
        ),
        **of_data(prepared, {k: v for k, v in y_like.items() if v is not None}),
    )


def _options(**given: Any) -> tuple[str, ...]:
    """What was said about the data, as code; rows and labels by the name of the option."""
    words = str, float, Mapping
    return tuple(
        f"{name}={spelled(v) if isinstance(v, words) or callable(v) else name}"
        for name, v in given.items()
        if v is not None
    )


def _listed(metrics: Any) -> Any:
    return metrics if metrics is None or isinstance(metrics, list | tuple | dict) else [metrics]


def spelled(value: Any) -> str:
    """A loss or metrics as their user may have written them: words, and names of what is code."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {spelled(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(spelled, value))}]"
    if isinstance(value, str | int | float | None):
        return repr(value)
    if isinstance(value, Moved):
        return f"{value.config['class_name']}(…)"
    name = str(getattr(value, "__name__", ""))
    return name if name.isidentifier() else "…" if name else f"{type(value).__name__}(…)"
