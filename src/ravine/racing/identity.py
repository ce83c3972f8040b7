"""What decides a result, as a digest."""

import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from types import CodeType, FunctionType
from typing import Any

from ravine.tasks.own.moving import Moved
from ravine.update_rule import Rule
from ravine.wrapping.wrapper import inside


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
        value = [str(value.config), value.own, value.options]
    if isinstance(value, Mapping):
        value = [*value.items()]
    if isinstance(value, list | tuple):
        return [described(one) for one in value]
    if isinstance(value, type):
        return _source(value)
    if isinstance(value, FunctionType):
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        return [str(_compiled(value.__code__)), described(value.__defaults__), described(held)]
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))  # where in memory it is


def _source(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # typed into a console: there is no text to read
        methods = [inspect.unwrap(m) for m in vars(kind).values() if inspect.isfunction(m)]
        return repr([(m.__name__, _compiled(m.__code__)) for m in methods])


def _compiled(code: CodeType) -> list[Any]:
    inner = [_compiled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return [code.co_code, code.co_names, inner]
