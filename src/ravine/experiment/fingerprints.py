"""What decides a result, as a digest."""

import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from ravine.rules.update_rule import Rule
from ravine.rules.wrappers.wrapper import inside
from ravine.tasks.adapters.canonical import canonical
from ravine.tasks.adapters.serialization import Moved


def digest(value: Any) -> str:
    """SHA-256 of a value as JSON, or of bytes."""
    data = (
        value
        if isinstance(value, bytes | memoryview)
        else json.dumps(value, sort_keys=True).encode()
    )
    return hashlib.sha256(data).hexdigest()


def source_digest(rule: Rule) -> str:
    """A digest of the code that a rule's results depend on, and of its hyperparameters."""
    mro = [kind for held in inside(rule) for kind in type(held).__mro__]
    kinds = [kind for kind in mro if issubclass(kind, Rule) and kind is not Rule]
    code = [_source(kind) for kind in kinds]
    values = {k: v for k, v in rule.values().items() if k != "learning_rate"}
    return digest([code, values])


def described(value: Any) -> Any:
    """A loss, metrics and the like as text that is equal only if they do the same."""
    if isinstance(value, Moved):
        value = [str(canonical(value.config)), value.own, value.options]
    if isinstance(value, Mapping):
        value = [*value.items()]
    if isinstance(value, list | tuple):
        return [described(one) for one in value]
    if isinstance(value, type):  # which travels with its text or without, as it was imported
        return _methods(value)
    if isinstance(value, FunctionType):
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        return [str(_compiled(value.__code__)), described(value.__defaults__), described(held)]
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))  # where in memory it is


def _source(kind: type) -> str:
    """The text of a rule that ravine ships; of a user's what it does, as its text stays behind."""
    ours = kind.__module__.partition(".")[0] == "ravine"
    return inspect.getsource(kind) if ours else _methods(kind)


def _methods(kind: type) -> str:
    # A class that has travelled has its methods in another order.
    found = [inspect.unwrap(m) for _, m in sorted(vars(kind).items()) if inspect.isfunction(m)]
    return repr([(m.__name__, _compiled(m.__code__)) for m in found])


def _compiled(code: CodeType) -> list[Any]:
    return [code.co_code, code.co_names, list(map(_constant, code.co_consts))]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _compiled(value)
    # The order of a set is another one in every process.
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)


def array_digest(*groups: list[Any]) -> str:
    """Of the bytes of all arrays of all groups."""
    return digest([digest(_bytes(a)) for group in groups for a in group])


def _bytes(array: Any) -> memoryview:
    """Its numbers, where they are."""
    flat: Any = np.ascontiguousarray(array).reshape(-1)
    return memoryview(flat.view(np.uint8)) if flat.size else memoryview(b"")
