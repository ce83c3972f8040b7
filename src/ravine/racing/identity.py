"""What decides a result, as a digest."""

import hashlib
import inspect
import json
from types import CodeType
from typing import Any

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


def _source(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # typed into a console: there is no text to read
        methods = [inspect.unwrap(m) for m in vars(kind).values() if inspect.isfunction(m)]
        return repr([(m.__name__, _compiled(m.__code__)) for m in methods])


def _compiled(code: CodeType) -> list[Any]:
    inner = [_compiled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return [code.co_code, code.co_names, inner]
