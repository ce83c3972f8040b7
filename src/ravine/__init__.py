"""Finds the optimizer that trains your network fastest, proves it, and shows why.

Importing ravine imports no numerical framework: names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ravine.errors import InvalidArgument, RavineError
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
from ravine.rules.update_rule import Rule, hyper, rule, step
from ravine.rules.wrappers import L2, Clip, Decay, Partition, Scheduled

if TYPE_CHECKING:
    from ravine import analysis
    from ravine.api import descend, explore, race, suite
    from ravine.execution.actions import extend, replicate, resume
    from ravine.execution.crosscheck import crosscheck
    from ravine.execution.published_runs import validate
    from ravine.explain import surfaces
    from ravine.frameworks.keras import to_keras
    from ravine.frameworks.optax import to_optax
    from ravine.frameworks.torch import to_torch
    from ravine.frameworks.translate.translation import translate, translation
    from ravine.results.ablation import Ablation
    from ravine.results.race import Race
    from ravine.results.suite import Suite
    from ravine.rules import ops
    from ravine.tasks.task import Task

__all__ = [
    "L2",
    "SGD",
    "Ablation",
    "Adagrad",
    "Adam",
    "AdamW",
    "Clip",
    "Decay",
    "InvalidArgument",
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
    "analysis",
    "crosscheck",
    "descend",
    "explore",
    "extend",
    "hyper",
    "ops",
    "race",
    "replicate",
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
]

_LAZY = {
    "Ablation": "ravine.results.ablation",
    "Race": "ravine.results.race",
    "Suite": "ravine.results.suite",
    "Task": "ravine.tasks.task",
    "crosscheck": "ravine.execution.crosscheck",
    "descend": "ravine.api",
    "explore": "ravine.api",
    "extend": "ravine.execution.actions",
    "race": "ravine.api",
    "resume": "ravine.execution.actions",
    "suite": "ravine.api",
    "to_keras": "ravine.frameworks.keras",
    "to_optax": "ravine.frameworks.optax",
    "to_torch": "ravine.frameworks.torch",
    "translate": "ravine.frameworks.translate.translation",
    "translation": "ravine.frameworks.translate.translation",
    "validate": "ravine.execution.published_runs",
    "replicate": "ravine.execution.actions",
}

_MODULES = {
    "analysis": "ravine.analysis",
    "ops": "ravine.rules.ops",
    "surfaces": "ravine.explain.surfaces",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name == "__version__":
        return import_module("importlib.metadata").version("ravine")
    listed = [*RULES.values(), *VARIANTS.values()]
    if kinds := [kind for kind in listed if kind.__name__ == name]:
        return kinds[0]  # a rule that was added to the list is public without more ado
    raise AttributeError(f"module 'ravine' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
