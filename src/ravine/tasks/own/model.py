"""A user's Keras model on the user's data, as a task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ravine.errors import WrongCall
from ravine.tasks.own import checks, fitting
from ravine.tasks.own.judge import Judge
from ravine.tasks.own.moving import Model, Moved, is_keras, keep, move_model, portable
from ravine.tasks.own.nested import filled, leaves, mapped
from ravine.tasks.own.parts import class_weights, parted
from ravine.tasks.own.rows import Rows, read_rows
from ravine.tasks.own.spool import Place, gigabytes, placed
from ravine.tasks.task import Data, Split, Task

EPOCHS, BATCH_SIZE = 20, 32
SAMPLE = 4  # rows with which a model is tried before anything is trained


@dataclass(frozen=True)
class OwnModel(Task):
    """A task of a user's model. ``loss`` and ``metrics`` are what Keras's ``compile`` takes.

    ``x_like`` and ``y_like`` say how the arrays of a split are handed to the model and the loss.
    """

    loss_weights: Any = None
    x_like: Any = None
    y_like: Any = None
    sample: Any = None  # a few rows, as a Split
    notes: tuple[str, ...] = field(default=())

    @property
    def told(self) -> tuple[Any, ...]:
        """See ``Task.told``. A model that is compiled brings its loss along."""
        model = self.make_model
        compiled = model.moved.config.get("compile_config") if isinstance(model, Model) else None
        return self.loss, self.metrics, self.loss_weights, compiled

    @property
    def call(self) -> str:
        """See ``Task.call``."""
        given = {"loss": self.loss, "metrics": self.metrics, "loss_weights": self.loss_weights}
        options = [f"{name}={spelled(v)}" for name, v in given.items() if v is not None]
        return ", ".join([self.name, "data", *options])

    def build(self) -> Any:
        """A fresh model with all its variables."""
        import keras

        try:
            model = self.make_model()
        except WrongCall:
            raise
        except Exception as error:
            raise checks.stuck(error, "building the model") from error
        if not isinstance(model, keras.Model):
            raise WrongCall(
                f"{self.name} gives a {type(model).__name__}, not a Keras model: "
                "return the model from the function"
            )
        self._try(model)
        if isinstance(self.make_model, Model):
            keep(model, self.make_model.kept)
        return model

    def criterion(self, model: Any) -> Judge:
        """See ``Task.criterion``."""
        wanted = {"loss": self.loss, "metrics": self.metrics, "loss_weights": self.loss_weights}
        again = [tuple(v.shape) for v in self.build().variables]
        if again != [tuple(v.shape) for v in model.variables]:
            raise WrongCall(
                f"{self.name} gives models of different shapes on two calls: the race needs the "
                "same network for every seed"
            )
        y, x = self.targets(self.sample.y), self.inputs(self.sample.x)
        y_pred = fitting.outputs_of(model, x)
        judge = fitting.judge_of(model, wanted, y, y_pred)
        for what, split in self.load()._asdict().items():
            fitting.labels(what, self.targets(split.y)["y"], y_pred, judge.given["loss"])
        return judge

    def compiled(self, model: Any) -> dict[str, Any]:
        """See ``Task.compiled``."""
        wanted = {"loss": self.loss, "metrics": self.metrics, "loss_weights": self.loss_weights}
        return Judge(model, wanted).given

    def inputs(self, x: Any) -> Any:
        """See ``Task.inputs``."""
        return filled(self.x_like, x if isinstance(x, list | tuple) else [x])

    def targets(self, y: Any) -> Any:
        """See ``Task.targets``."""
        return filled(self.y_like, y if isinstance(y, list | tuple) else [y])

    def _try(self, model: Any) -> None:
        import keras

        x = self.inputs(self.sample.x)
        checks.shapes(model, x)
        if model.built and model.variables:
            return
        try:  # without computing anything
            model(mapped(lambda a: keras.KerasTensor((None, *a.shape[1:]), a.dtype.name), x))
        except Exception as error:
            raise checks.stuck(error, "the model's first call") from error


@dataclass(frozen=True)
class Held:
    """Data in memory, to be handed over as it is."""

    data: Data

    def __call__(self) -> Data:
        """The data."""
        return self.data

    def __reduce__(self) -> Any:
        """Arrays on disk travel as where they are."""
        return _held, (Data(*(Split(*(mapped(placed, part) for part in s)) for s in self.data)),)


def _held(places: Data) -> Held:
    def there(part: Any) -> Any:
        return part.opened() if isinstance(part, Place) else part

    # A place is a tuple, as nests are.
    def each(part: Any) -> Any:
        return [there(one) for one in part] if isinstance(part, list) else there(part)

    return Held(Data(*(Split(*map(each, split)) for split in places)))


def own_model(
    model: Any,
    data: Any,
    *,
    loss: Any = None,
    metrics: Any = None,
    loss_weights: Any = None,
    validation_data: Any = None,
    test_data: Any = None,
    class_weight: Any = None,
    name: str | None = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
) -> OwnModel:
    """The task of a Keras model, or of a function that builds one. See ``ravine.race``."""
    splits, like, said = splits_of(data, validation_data, test_data, class_weight)
    moved = move_model(model) if is_keras(model, "Model") else model
    if loss is None and getattr(model, "compiled", False):
        loss = model.loss  # as it was given; its configuration may forget some of it
    y_like = {"y": like.y, "weights": like.weights}
    return OwnModel(
        name=name or name_of(model),
        description=f"your model on your data; {said}",
        make_model=moved,
        load=Held(splits),
        loss=portable(loss),
        metrics=portable(_listed(metrics)),
        epochs=epochs,
        batch_size=batch_size,
        loss_weights=loss_weights,
        x_like=mapped(lambda _: 0, like.x),
        y_like=mapped(lambda _: 0, {k: v for k, v in y_like.items() if v is not None}),
        sample=sample_of(splits),
        notes=(said,),
    )


def splits_of(
    data: Any, validation_data: Any, test_data: Any, class_weight: Any = None
) -> tuple[Data, Rows, str]:
    """What users give as three splits; rows that show how the arrays are nested; and words.

    Raises ``WrongCall`` for data that cannot be trained on, naming the place.
    """
    if data is None:
        raise WrongCall("no data for your model: ravine.race(model, (x, y), loss=…)")
    given = {"data": data, "validation_data": validation_data, "test_data": test_data}
    rows = {what: read_rows(part, what) for what, part in given.items() if part is not None}
    for what, part in rows.items():
        checks.rows(part, what)
        checks.alike(part, rows["data"], what)
    parts, said = parted(rows.pop("data"), rows.get("validation_data"), rows.get("test_data"))
    if on_disk := sum(
        array.nbytes for p in parts for _, array in p.named() if placed(array) is not array
    ):
        said += f"; {gigabytes(on_disk)} of them on disk"
    if class_weight is not None:
        weights = class_weights(parts.train.y, parts.train.weights, class_weight)
        parts = parts._replace(train=parts.train._replace(weights=weights))
    if any(part.weights is not None for part in parts):
        parts = parts._replace(
            **{
                name: part if part.weights is not None else part._replace(weights=_ones(part))
                for name, part in parts._asdict().items()
            }
        )
    return Data(*(_split(part) for part in parts)), parts.train, said


def sample_of(splits: Data) -> Split:
    """A few rows of the training data."""
    import numpy as np

    return Split(*(mapped(lambda a: np.array(a[:SAMPLE]), part) for part in splits.train))


def _split(rows: Rows) -> Split:
    x, y = leaves(rows.x), leaves([rows.y, rows.weights])
    return Split(*(part[0] if len(part) == 1 else part for part in (x, y)))


def _ones(rows: Rows) -> Any:
    import numpy as np

    return np.ones(rows.number, np.float32)


def _listed(metrics: Any) -> Any:
    return metrics if metrics is None or isinstance(metrics, list | tuple | dict) else [metrics]


def name_of(model: Any) -> str:
    """What to call it: words and dashes, good for a folder."""
    name = getattr(model, "name", None) or getattr(model, "__name__", None) or "my-model"
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in str(name))
    return "my-model" if kept.strip("-") in ("", "lambda") else kept


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
    return str(getattr(value, "__name__", None) or f"{type(value).__name__}(…)")
