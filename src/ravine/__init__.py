"""Finds the optimizer that trains your network fastest, proves it, and shows why.

Importing ravine imports no numerical framework: names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ravine.errors import RavineError, WrongCall
from ravine.rules import (
    RULES,
    SGD,
    VARIANTS,
    Adagrad,
    Adam,
    AdamW,
    Momentum,
    Nadam,
    Nesterov,
    RMSprop,
)
from ravine.update_rule import Rule, hyper, rule, step
from ravine.wrapping import L2, Clip, Decay, Partition, Scheduled

if TYPE_CHECKING:
    from ravine import surfaces, verdict
    from ravine.again import confirm, grow, resume, verify
    from ravine.api import descend, explore, race
    from ravine.frameworks.keras import to_keras
    from ravine.frameworks.optax import to_optax
    from ravine.frameworks.torch import to_torch
    from ravine.frameworks.translation import translate, translation
    from ravine.levers import Levers
    from ravine.outcome import Race
    from ravine.suites import Suite, suite
    from ravine.tasks.task import Task
    from ravine.validation import validate

__all__ = [
    "L2",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Clip",
    "Decay",
    "Levers",
    "Momentum",
    "Nadam",
    "Nesterov",
    "Partition",
    "RMSprop",
    "Race",
    "RavineError",
    "Rule",
    "Scheduled",
    "Suite",
    "Task",
    "WrongCall",
    "confirm",
    "descend",
    "explore",
    "grow",
    "hyper",
    "race",
    "resume",
    "rule",
    "step",
    "suite",
    "surfaces",
    "to_keras",
    "to_optax",
    "to_torch",
    "translate",
    "translation",
    "validate",
    "verdict",
    "verify",
]

_LAZY = {
    "Levers": "ravine.levers",
    "Race": "ravine.outcome",
    "Suite": "ravine.suites",
    "Task": "ravine.tasks.task",
    "confirm": "ravine.again",
    "descend": "ravine.api",
    "explore": "ravine.api",
    "grow": "ravine.again",
    "race": "ravine.api",
    "resume": "ravine.again",
    "suite": "ravine.suites",
    "to_keras": "ravine.frameworks.keras",
    "to_optax": "ravine.frameworks.optax",
    "to_torch": "ravine.frameworks.torch",
    "translate": "ravine.frameworks.translation",
    "translation": "ravine.frameworks.translation",
    "validate": "ravine.validation",
    "verify": "ravine.again",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in ("surfaces", "verdict"):
        return import_module(f"ravine.{name}")
    if name == "__version__":
        return import_module("importlib.metadata").version("ravine")
    listed = [*RULES.values(), *VARIANTS.values()]
    if kinds := [kind for kind in listed if kind.__name__ == name]:
        return kinds[0]  # a rule that was added to the list is public without more ado
    raise AttributeError(f"module 'ravine' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
