"""Whether model, targets, loss and metrics fit each other: asked on a few rows, on JAX."""

import re
from collections.abc import Iterator
from typing import Any

from ravine.errors import InvalidArgument, RavineError, unknown
from ravine.tasks.adapters.failures import line_of, stuck
from ravine.tasks.adapters.keras_metrics import KerasMetrics
from ravine.tasks.adapters.pytree import leaves, mapped, named_leaves
from ravine.tasks.adapters.serialization import layers_in
from ravine.tasks.settings import WIDE, of_jax


def outputs_of(model: Any, x: Any) -> Any:
    """What the model gives for a few rows. Raises ``InvalidArgument`` if it cannot be trained."""
    _trains(model)
    try:
        return model.predict_on_batch(x)
    except Exception as error:
        raise stuck(error, "the model's first call") from error


def widths(model: Any) -> None:
    """Raises ``InvalidArgument`` for a layer of 64 bits where JAX would quietly compute in 32."""
    import keras

    if keras.backend.backend() != "jax" or of_jax() == WIDE:
        return
    for layer in layers_in(model):
        if WIDE in (getattr(layer, "compute_dtype", ""), getattr(layer, "variable_dtype", "")):
            raise InvalidArgument(
                f"layer '{layer.name}' is of dtype float64, and the race computes in float32: "
                "call keras.config.set_floatx('float64') before the task is made, or leave out "
                "the layer's dtype"
            )


def metrics_of(model: Any, wanted: dict[str, Any], y: Any, y_pred: Any) -> KerasMetrics:
    """A judge that has met the model's outputs. Raises ``InvalidArgument`` for all that does not
    fit.
    """
    try:
        judge = KerasMetrics(model, wanted)
    except (ValueError, TypeError) as error:
        raise _explained(error) from error
    for name, target, predicted, loss in _outputs(y["y"], y_pred, judge.given["loss"]):
        _fits(name, target, predicted, loss)
    try:
        judge.meet(y, y_pred)
        value = judge.loss(y, y_pred)
    except (ValueError, TypeError, KeyError) as error:
        known = _explained(error)
        if str(known).startswith("unknown"):
            raise known from error
        raise InvalidArgument(
            f"the loss or a metric does not fit the model's output {_shapes(y_pred)} and the "
            f"targets {_shapes(y['y'])}: {known}"
        ) from error
    except Exception as error:
        raise stuck(error, "the loss or a metric") from error
    if value is None or tuple(value.shape):
        raise InvalidArgument(f"the loss gives {value}, not a number a row: return one value a row")
    return judge


def labels(what: str, y: Any, y_pred: Any, loss: Any) -> None:
    """Every label of a split, ``what``, is a class that the model has an output for."""
    import numpy as np

    for name, target, predicted, its in _outputs(y, y_pred, loss):
        kind, held = _kind(its, target, predicted), np.asarray(target)
        most = {"sparse": predicted.shape[-1] - 1, "binary": 1, "categorical": 1}.get(kind)
        if most is None:
            continue
        bad = (held < 0) | (held > most)
        if kind == "sparse":
            bad |= held != np.floor(held)
        if bad.any():
            row = np.argwhere(bad)[0]
            raise InvalidArgument(
                f"{what}: {name} holds {held[tuple(row)]:g} in row {row[0]} of that split, but "
                f"loss {_said(its)} and the model's {predicted.shape[-1]} outputs allow 0 to {most}"
            )


def cautions(model: Any, y: Any, y_pred: Any, loss: Any) -> tuple[str, ...]:
    """What a race does as it is told, though it is hardly meant."""
    import numpy as np

    found = []
    ends = [getattr(layer, "activation", None) for layer in model.layers[-1:]]
    named = [getattr(end, "__name__", "") for end in ends]
    for name, target, predicted, its in _outputs(y, y_pred, loss):
        kind, values = _kind(its, target, predicted), np.asarray(predicted, np.float32)
        if not _option(its, "from_logits") or not ((values >= 0) & (values <= 1)).all():
            continue
        sums = kind in ("sparse", "categorical") and (abs(values.sum(-1) - 1) < 1e-3).all()
        if sums or (kind == "binary" and "sigmoid" in named):
            end = "softmax" if sums else "sigmoid"
            found.append(
                f"the loss of {name} takes logits (from_logits=True), and the model gives "
                f"probabilities: {end} is applied twice, which flattens gradients; end the model "
                f"without {end}, or leave from_logits out"
            )
    return tuple(found)


def _trains(model: Any) -> None:
    import keras

    if not model.trainable_variables:
        raise InvalidArgument(
            f"the model '{model.name}' has no weights to train: make some layer trainable"
        )
    for method in ("train_step", "compute_loss"):
        own = getattr(type(model), method)
        if all(own is not getattr(kind, method) for kind in (keras.Model, keras.Sequential)):
            raise InvalidArgument(
                f"the model '{model.name}' overrides {method}, which the race would not call: "
                "give the loss as a function, or with add_loss in a layer"
            )


def _outputs(y: Any, y_pred: Any, loss: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, target, prediction and loss of each output, where it is plain which is which."""
    predicted = dict(named_leaves(y_pred, "output"))
    targets = dict(named_leaves(y, "y"))
    if len(predicted) != len(targets):
        raise InvalidArgument(
            f"the model has {len(predicted)} outputs, the data {len(targets)} targets: give one "
            "for each output, in a list or a dict as the model returns them"
        )
    if isinstance(y, dict) != isinstance(y_pred, dict) and len(predicted) > 1:
        return  # Keras puts them together by the names of the outputs
    if isinstance(y, dict) and set(y) == set(y_pred):
        y = {name: y[name] for name in y_pred}
        targets = dict(named_leaves(y, "y"))
    losses = (
        leaves(loss)
        if not isinstance(loss, dict)
        else [loss.get(name) for name in (y_pred if isinstance(y_pred, dict) else ())]
    )
    if len(losses) == 1:
        losses *= len(predicted)
    if len(losses) != len(predicted):
        return
    for (name, target), one, its in zip(targets.items(), predicted.values(), losses, strict=True):
        yield name, target, one, its


def _fits(name: str, target: Any, predicted: Any, loss: Any) -> None:
    import numpy as np

    kind, wide = _kind(loss, target, predicted), predicted.shape[-1]
    given, out = tuple(target.shape[1:]), tuple(predicted.shape[1:])
    if kind == "sparse":
        if wide < 2:
            raise InvalidArgument(
                f"loss {_said(loss)} needs an output for each class; the model has {wide}: use "
                "'binary_crossentropy' for two classes, 'mse' for numbers"
            )
        if given not in (out[:-1], (*out[:-1], 1)):
            hint = (
                ": the targets are one-hot, use 'categorical_crossentropy'" if given == out else ""
            )
            raise InvalidArgument(_apart(name, given, out, loss, out[:-1]) + hint)
    elif kind == "categorical" and given != out:
        hint = ": the targets are labels, use 'sparse_categorical_crossentropy'"
        raise InvalidArgument(
            _apart(name, given, out, loss, out) + (hint if given in (out[:-1], (1,)) else "")
        )
    elif kind in ("binary", "number") and not _same(given, out):
        hint = ": for classes, use 'sparse_categorical_crossentropy'" if given in ((), (1,)) else ""
        raise InvalidArgument(_apart(name, given, out, loss, out) + hint)
    if kind not in ("sparse", "categorical", "binary") or _option(loss, "from_logits"):
        return
    values = np.asarray(predicted, np.float32)
    apart = (values < -1e-6) | (values > 1 + 1e-6)
    if kind != "binary":
        apart = apart.any(-1) | (abs(values.sum(-1) - 1) > 1e-2)
    if apart.any():
        named = {"binary": ("sigmoid", "BinaryCrossentropy")}
        end, right = named.get(kind, ("softmax", f"{kind.title()}Crossentropy"))
        right = right.replace("Sparse", "SparseCategorical")
        raise InvalidArgument(
            f"loss {_said(loss)} takes probabilities, and the model's outputs are not (such as "
            f"{values.reshape(-1)[0]:.3g}): end the model with a {end}, or give loss="
            f"keras.losses.{right}(from_logits=True)"
        )


def _apart(name: str, given: Any, out: Any, loss: Any, wanted: Any) -> str:
    return (
        f"{name} has rows of shape {given}, the model's output {out}; loss {_said(loss)} needs "
        f"rows of shape {wanted}"
    )


def _same(given: tuple[int, ...], out: tuple[int, ...]) -> bool:
    return out in (given, (*given, 1)) or given == (*out, 1)


NUMBERS = {
    "mse", "mae", "mape", "msle", "mean_squared_error", "mean_absolute_error", "huber", "log_cosh",
    "mean_absolute_percentage_error", "mean_squared_logarithmic_error", "poisson", "logcosh",
}  # fmt: skip


def _kind(loss: Any, target: Any, predicted: Any) -> str:
    """sparse, categorical, binary, number, or nothing where the loss is the user's own."""
    name = _said(loss).strip("'")
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if snake in ("crossentropy", "ce"):
        if predicted.shape[-1] == 1:
            return "binary"
        return "categorical" if len(target.shape) == len(predicted.shape) else "sparse"
    for kind, start in (
        ("sparse", "sparse_cat"),
        ("categorical", "categorical_cross"),
        ("binary", "binary_cross"),
    ):
        if snake.startswith(start):
            return kind
    return "number" if snake in NUMBERS else ""


def _option(loss: Any, name: str) -> Any:
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return config.get(name, config.get("fn_kwargs", {}).get(name))


def _said(loss: Any) -> str:
    if isinstance(loss, str):
        return f"'{loss}'"
    return str(getattr(loss, "__name__", None) or type(loss).__name__)


def _explained(error: Exception) -> InvalidArgument:
    """Keras's word for it, or the nearest name where one is not known."""
    import keras

    if isinstance(error, RavineError):
        return error if isinstance(error, InvalidArgument) else InvalidArgument(str(error))
    found = re.search(r"Could not interpret (loss|metric) identifier: (\S+)", str(error))
    if found is None:
        return InvalidArgument(line_of(error))
    kind = found[1]
    module = keras.losses if kind == "loss" else keras.metrics
    names = [n for n in dir(module) if n[0].islower() and callable(getattr(module, n))]
    names += ["accuracy"] if kind == "metric" else []
    names = [n for n in names if n not in ("get", "serialize", "deserialize")]
    return unknown(kind, found[2].rstrip(".,"), names)


def _shapes(nest: Any) -> Any:
    return mapped(lambda array: tuple(array.shape), nest)
