"""Finds the optimizer that trains your network fastest, proves it, and shows why.

Importing ravine imports no numerical framework: names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ravine.rules import RULES, SGD, Adagrad, Adam, Momentum, Nadam, Nesterov, RMSprop
from ravine.update_rule import Rule, hyper, rule, step

if TYPE_CHECKING:
    from ravine import verdict
    from ravine.api import Race, descend, race, resume
    from ravine.frameworks.keras import to_keras
    from ravine.frameworks.optax import to_optax
    from ravine.frameworks.torch import to_torch
    from ravine.tasks.task import Task

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "Momentum",
    "Nadam",
    "Nesterov",
    "RMSprop",
    "Race",
    "Rule",
    "Task",
    "descend",
    "hyper",
    "race",
    "resume",
    "rule",
    "step",
    "to_keras",
    "to_optax",
    "to_torch",
    "verdict",
]

_LAZY = {
    "Race": "ravine.api",
    "Task": "ravine.tasks.task",
    "descend": "ravine.api",
    "race": "ravine.api",
    "resume": "ravine.api",
    "to_keras": "ravine.frameworks.keras",
    "to_optax": "ravine.frameworks.optax",
    "to_torch": "ravine.frameworks.torch",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name == "verdict":
        return import_module("ravine.verdict")
    if name == "__version__":
        return import_module("importlib.metadata").version("ravine")
    if kinds := [kind for kind in RULES.values() if kind.__name__ == name]:
        return kinds[0]  # a rule that was added to the list is public without more ado
    raise AttributeError(f"module 'ravine' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
