"""Keras objects on their way to a process with another backend: as configurations.

They are restored in Keras's safe mode: no code but that of the user's own classes, which travel
beside the configuration, is brought along.
"""

import warnings
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.canonical import is_own
from ravine.tasks.adapters.pytree import is_nest, leaves, mapped
from ravine.tasks.adapters.variables import Variable, of_keras


@dataclass(frozen=True)
class Moved:
    """A Keras object as its configuration."""

    config: Any
    own: Mapping[str, Any]  # classes and functions that Keras does not know, by registered name
    options: Mapping[str, Any] = field(default_factory=dict)  # of a loss: some configs forget them

    def restore(self) -> Any:
        """The object anew, on whatever backend Keras runs here."""
        import keras

        made = keras.saving.deserialize_keras_object(
            deepcopy(self.config),  # a functional model empties what it is made from
            custom_objects=dict(self.own),
            safe_mode=True,
        )
        if self.options:
            vars(made).update(self.options)
        return made


@dataclass(frozen=True)
class Model:
    """A model to be built again and again: new initial weights, but what does not train is kept.

    ``kept`` holds the non-trainable variables: what layers were adapted to, what is frozen.
    """

    moved: Moved
    kept: tuple[Any, ...]
    variables: tuple[Variable, ...] = ()  # of the model that was given

    def __call__(self) -> Any:
        """A fresh model."""
        return self.moved.restore()


def is_keras(value: Any, kind: str) -> bool:
    """Whether it is an object of that class of Keras; asks without importing Keras."""
    names = {c.__name__ for c in type(value).__mro__ if c.__module__.split(".")[0] == "keras"}
    return kind in names


def keras_2(what: str, value: Any) -> str:
    """What to say of an object of Keras 2."""
    return (
        f"{what} is a {type(value).__name__} of Keras 2 (tf_keras), and races take Keras 3: "
        "build it with import keras, which has the same layers, losses and metrics"
    )


def is_keras_2(value: Any) -> bool:
    """Whether it is an object of Keras 2."""
    return any(kind.__module__.split(".")[0] == "tf_keras" for kind in type(value).__mro__)


def move_model(model: Any) -> Model:
    """The model as its configuration. Raises ``InvalidArgument``, naming the layer that cannot
    move.
    """
    import keras
    import numpy as np

    try:
        config = keras.saving.serialize_keras_object(model)
    except Exception as error:
        said = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
        raise InvalidArgument(
            f"the model '{model.name}' cannot be moved: {said}; give a function that builds it "
            "instead"
        ) from error
    config.pop("build_config", None)
    own: dict[str, Any] = {}
    for layer in layers_in(model):
        own.update(_own(layer, keras))
        if is_keras(layer, "Lambda"):
            own[_function_of(layer.name)] = layer.function
    _name_lambdas(config)
    own.update(_own_in(getattr(model, "loss", None), keras))
    # Keras publishes the configurations of metrics, but not the objects, whose classes are wanted.
    compiled = getattr(getattr(model, "_compile_config", None), "config", None) or {}
    own.update(_own_in({k: v for k, v in compiled.items() if k != "optimizer"}, keras))
    still = [v for v in model.non_trainable_variables if not _is_seed(v)]
    kept = tuple(np.asarray(v) for v in still)
    config.get("compile_config", {}) and config["compile_config"].pop("optimizer", None)
    return Model(Moved(config, own), kept, of_keras(model) if model.built else ())


def _function_of(layer: str) -> str:
    """By what name the function of a Lambda travels beside the configuration."""
    return f"function_of_{layer}"


def _name_functions(value: Any, config: dict[str, Any]) -> dict[str, Any]:
    """In a configuration, have names for lambdas, which by themselves would be byte code."""
    found = {}
    for key, function in vars(value).items():
        given, name = config.get(key.lstrip("_")), f"function_of_{value.name}"
        if not isinstance(function, FunctionType) or not isinstance(given, dict):
            continue
        if given.get("class_name") == "__lambda__":
            found[name] = function
            config[key.lstrip("_")] = _reference(name)
    return found


def _reference(name: str) -> dict[str, Any]:
    """How a configuration names a function that travels next to it."""
    return {"module": "ravine", "class_name": "function", "config": name, "registered_name": name}


def _name_lambdas(config: Any) -> None:
    """In a configuration, have Lambdas name their functions: it would hold their byte code."""
    if isinstance(config, list | tuple):
        for one in config:
            _name_lambdas(one)
    elif isinstance(config, dict):
        if config.get("class_name") == "Lambda":
            name, inside = _function_of(config["config"]["name"]), config["config"]
            inside["function"] = _reference(name)
        for one in config.values():
            _name_lambdas(one)


def layers_in(layer: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """A layer or a model, and every layer that it holds, however deep, once each."""
    seen = set() if seen is None else seen
    if id(layer) in seen:
        return
    seen.add(id(layer))
    yield layer
    for held in leaves([*vars(layer).values()]):
        if is_keras(held, "Layer"):
            yield from layers_in(held, seen)


def keep(model: Any, kept: tuple[Any, ...]) -> None:
    """Give a built model what does not train of the one that was handed over."""
    variables = [v for v in model.non_trainable_variables if not _is_seed(v)]
    if len(variables) == len(kept):  # it was built; else it had nothing to keep
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
    import keras

    for layer in layers_in(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with what follows from what it was adapted to


def portable(value: Any) -> Any:
    """Losses and metrics, alone or in nests, as what a process with another backend can have."""
    if is_nest(value):
        return mapped(portable, value)
    if is_keras_2(value):
        raise InvalidArgument(keras_2("the loss or a metric", value))
    is_loss = is_keras(value, "Loss")
    if is_loss or is_keras(value, "Metric"):
        import keras

        # Huber's configuration has no delta (Keras 3.15).
        options = {k: v for k, v in vars(value).items() if _plain(v)} if is_loss else {}
        with warnings.catch_warnings():  # of a lambda, which does not stay in it
            warnings.filterwarnings("ignore", message=".*includes a `lambda`")
            config = keras.saving.serialize_keras_object(value)
        own = dict(_own(value, keras))
        own |= _name_functions(value, config["config"])
        return Moved(config, own, options)
    return value


def restored(value: Any) -> Any:
    """What ``portable`` made portable."""
    if is_nest(value):
        return mapped(restored, value)
    return value.restore() if isinstance(value, Moved) else value


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_plain, value.values()))
    return isinstance(value, bool | int | float | str | None)


def _is_seed(variable: Any) -> bool:
    return bool(variable.path.endswith("seed_generator_state"))


def _own_in(nest: Any, keras: Any) -> Iterator[tuple[str, Any]]:
    """Of whatever is in a nest."""
    if is_nest(nest):
        for value in nest.values() if isinstance(nest, Mapping) else nest:
            yield from _own_in(value, keras)
    elif isinstance(nest, FunctionType):
        yield from _named(nest, keras)
    elif nest is not None and not isinstance(nest, str | int | float | bool):
        yield from _own(nest, keras)


def _own(thing: Any, keras: Any) -> Iterator[tuple[str, Any]]:
    """What Keras does not know: its class, and functions and objects that it holds."""
    yield from _named(type(thing), keras)
    for value in vars(thing).values():
        if hasattr(value, "__wrapped__"):
            continue  # a method of its class, around which Keras put one that holds the object
        if isinstance(value, FunctionType):
            yield from _named(value, keras)
        elif hasattr(value, "get_config"):
            yield from _named(type(value), keras)


def _named(kind: Any, keras: Any) -> Iterator[tuple[str, Any]]:
    if is_own(kind.__module__):
        yield keras.saving.get_registered_name(kind), kind
        yield kind.__name__, kind
