"""A model's configuration as it is the same in every process: what its digest is made of.

Keras numbers the layers of a process, so the second model that is built has a ``dense_1`` where
the first had a ``dense``; and a class is ``__main__``'s where its file is run, and its file's where
that is imported. Neither decides a result.
"""

import re
from collections.abc import Sequence
from typing import Any


def canonical(config: Any) -> Any:
    """A configuration without the modules of the user's own classes, automatic names counted anew.

    >>> canonical({"class_name": "Dense", "config": {"name": "dense_7", "units": 3}})
    {'class_name': 'Dense', 'config': {'name': 'dense', 'units': 3}}
    """
    names: dict[str, str] = {}
    _count(config, names)
    return _renamed(config, names)


def canonical_paths(paths: Sequence[str]) -> list[str]:
    """Paths of variables, the names in them counted anew.

    >>> canonical_paths(["net_2/dense_7/kernel", "net_2/dense_8/kernel"])
    ['net/dense/kernel', 'net/dense_1/kernel']
    """
    names: dict[str, str] = {}
    for path in paths:
        for part in path.split("/"):
            _rename(part, names)
    return ["/".join(names[part] for part in path.split("/")) for path in paths]


def same_place(path: str, other: str) -> bool:
    """Whether two paths may be of one variable of a model, given and restored.

    Keras names a variable by the scopes that its layer was first called in: a model that is
    restored builds its layers outside of it.

    >>> same_place("net/bidirectional/forward_lstm/kernel", "forward_lstm/kernel")
    True
    """
    shorter, longer = sorted(([_base(p) for p in x.split("/")] for x in (path, other)), key=len)
    rest = iter(longer)
    return shorter[-1] == longer[-1] and all(part in rest for part in shorter)


def _count(config: Any, names: dict[str, str]) -> None:
    """Note the new name of every layer that has an automatic one, in their order."""
    if isinstance(config, list | tuple):
        for one in config:
            _count(one, names)
    if isinstance(config, dict):
        inside = config.get("config")
        name = inside.get("name") if isinstance(inside, dict) else None
        if isinstance(name, str) and _base(name).replace("_", "") == str(
            config.get("class_name")
        ).lower().replace("_", ""):
            _rename(name, names)
        for one in config.values():
            _count(one, names)


def _rename(name: str, names: dict[str, str]) -> None:
    if name not in names:
        before = sum(_base(other) == _base(name) for other in names)
        names[name] = f"{_base(name)}_{before}" if before else _base(name)


def _base(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _renamed(config: Any, names: dict[str, str]) -> Any:
    if isinstance(config, list | tuple):
        found = [_renamed(one, names) for one in config]
        # As Keras refers to a layer: its name, which of its calls, which of its outputs.
        if (
            len(found) >= 3
            and isinstance(found[0], str)
            and all(type(i) is int for i in found[1:3])
        ):
            found[0] = names.get(found[0], found[0])
        return found
    if not isinstance(config, dict):
        return config
    own = "class_name" in config and is_own(config.get("module"))
    return {
        k: names.get(v, v) if k == "name" and isinstance(v, str) else _renamed(v, names)
        for k, v in config.items()
        if not (own and k == "module")
    }


def is_own(module: str | None) -> bool:
    """Whether a class of that module is the user's own."""
    return (module or "").split(".")[0] not in ("keras", "builtins")
