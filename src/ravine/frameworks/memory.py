"""Walking over what a rule remembers of one weight array."""

from collections.abc import Callable
from typing import Any

from ravine.rules.update_rule import State


def over(
    memory: State, function: Callable[[str, Any], Any], name: str = "", link: str = "_"
) -> Any:
    """``function(name, leaf)`` in place of every leaf of a rule's state.

    A leaf's name is the way to it, by field names or places, joined with ``link`` and after
    ``name`` if there is one; a state that is itself a leaf is ``"state"``. Frameworks keep the
    leaves one by one under these names: none can save a NamedTuple.

    >>> over((1.0, (2.0, 3.0)), lambda name, leaf: f"{name}: {leaf}", "memory", ".")
    ('memory.0: 1.0', ('memory.1.0: 2.0', 'memory.1.1: 3.0'))
    """
    if not isinstance(memory, tuple):
        return function(name or "state", memory)
    fields = getattr(memory, "_fields", range(len(memory)))
    names = [f"{name}{link}{field}" if name else str(field) for field in fields]
    parts = [over(x, function, one, link) for one, x in zip(names, memory, strict=True)]
    return type(memory)(*parts) if hasattr(memory, "_fields") else tuple(parts)
