"""A rule as it stands in what Keras saves, and as it is found again. Imports Keras."""

import contextlib
import dataclasses
import importlib
import operator
import sys
from typing import Any

import keras
from keras.src.saving.serialization_lib import in_safe_mode

from ravine.errors import InvalidArgument, unknown
from ravine.rules.update_rule import Rule


def written(value: Any) -> Any:
    """A rule and the rules inside it as what JSON can hold."""
    if not isinstance(value, Rule):
        return keras.saving.serialize_keras_object(value)
    values = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}  # type: ignore[arg-type]  # @rule makes it a dataclass
    return {
        "ravine_rule": type(value).__qualname__,
        "defined_in": type(value).__module__,
        "values": {name: written(one) for name, one in values.items()},
    }


def read(held: Any, custom_objects: dict[str, Any] | None) -> Any:
    """What ``written`` wrote. Raises ``InvalidArgument`` for a rule that is not there."""
    if not isinstance(held, dict) or "ravine_rule" not in held:
        return keras.saving.deserialize_keras_object(held, custom_objects)
    kind = _find(held["ravine_rule"], held["defined_in"], custom_objects)
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]  # as above
    for name in held["values"]:
        if name not in known:
            raise unknown(f"hyperparameter of {kind.name}", name, known)
    return kind(**{k: read(v, custom_objects) for k, v in held["values"].items()})


def _find(name: str, module: str, custom_objects: dict[str, Any] | None) -> type[Rule]:
    """The rule class, as given by the user or else where it was defined."""
    short = name.rpartition(".")[2]
    # A file from a stranger must not choose what is imported: Keras's safe mode says no.
    if not in_safe_mode():
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    try:
        there = operator.attrgetter(name)(sys.modules[module])
    except (KeyError, AttributeError):
        there = None
    for found in (keras.saving.get_registered_object(short, custom_objects), there):
        if isinstance(found, type) and issubclass(found, Rule):
            return found
    raise InvalidArgument(
        f"the saved optimizer follows the rule {name} of {module}, which is not there: "
        f"import {module} first, or load with custom_objects={{'{short}': {short}}}"
    )
