"""Several arrays under names or in order: lists, tuples and dicts of arrays, however deep.

None stands for nothing: it has no leaf.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def is_nest(value: Any) -> bool:
    """Whether it holds other values rather than numbers."""
    return isinstance(value, list | tuple | Mapping)


def leaves(nest: Any) -> list[Any]:
    """The arrays, in order.

    >>> leaves({"image": 1, "more": [2, 3], "none": None})
    [1, 2, 3]
    """
    return [leaf for _, leaf in named_leaves(nest)]


def named_leaves(nest: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays with where each is found, as Python would write it.

    >>> [name for name, _ in named_leaves({"image": 1, "more": [2, 3]}, "x")]
    ["x['image']", "x['more'][0]", "x['more'][1]"]
    """
    if is_nest(nest):
        items = nest.items() if isinstance(nest, Mapping) else enumerate(nest)
        for key, value in items:
            yield from named_leaves(value, f"{name}[{key!r}]")
    elif nest is not None:
        yield name, nest


def mapped(function: Callable[[Any], Any], nest: Any) -> Any:
    """The same nest of what the function makes of each array."""
    if isinstance(nest, Mapping):
        return {key: mapped(function, value) for key, value in nest.items()}
    if is_nest(nest):
        return [mapped(function, value) for value in nest]
    return None if nest is None else function(nest)


def filled(like: Any, arrays: Any) -> Any:
    """A nest with these arrays, in order, in the places of the other's.

    >>> filled({"image": 0, "more": [0, 0]}, [1, 2, 3])
    {'image': 1, 'more': [2, 3]}
    """
    each = iter(arrays)
    return mapped(lambda _: next(each), like)
