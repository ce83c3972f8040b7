"""Where results come from: the machine, the versions, the command that makes them again."""

import os
import platform
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ravine.frameworks.spelling import is_spelled
from ravine.racing.plan import Choices
from ravine.rules import RULES
from ravine.tasks.task import Task

PACKAGES = ("ravine", "jax", "jaxlib", "keras", "numpy")


class Text(str):
    """A text whose ``repr`` is itself: code."""

    __slots__ = ()
    __repr__ = str.__str__


def machine() -> dict[str, Any]:
    """The system, its processor, how many cores it has."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def versions() -> dict[str, str]:
    """The versions that decide the last bits of a curve."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """How two sets of versions differ: ``"jax 0.9.0 instead of 0.10.2"``."""
    names = sorted({*one, *other})
    return [
        f"{n} {one.get(n)} instead of {other.get(n)}" for n in names if one.get(n) != other.get(n)
    ]


def command(choices: Choices, learning_rates: Any, task: Task) -> str:
    """What makes the same choices: a command line, or Python where rates are given rule by rule."""
    options: dict[str, Any] = {}
    if choices.rules != tuple(RULES):
        options["rules"] = ",".join(choices.rules)
    if isinstance(learning_rates, str | Mapping):
        options["learning_rates"] = learning_rates
    elif learning_rates is not None:
        rates: Iterable[float] = choices.learning_rates[choices.rules[0]]
        options["learning_rates"] = ",".join(f"{rate:g}" for rate in rates)
    options["seeds"] = choices.seeds
    options["fresh_seeds"] = choices.fresh_seeds
    if choices.epochs != task.epochs:
        options["epochs"] = choices.epochs
    if choices.batch_size != task.batch_size:
        options["batch_size"] = choices.batch_size
    if choices.schedule != "constant":
        options["schedule"] = choices.schedule
    if not choices.early_stopping:
        options["early_stopping"] = False
    own = [rule for rule in choices.rules if not is_spelled(rule)]
    if own or isinstance(learning_rates, Mapping):
        # A rule of the user's own is an object in the user's Python, not a name.
        rules = [rule if rule in own else repr(rule) for rule in choices.rules]
        options["rules"] = Text(f"[{', '.join(rules)}]")
        arguments = [repr(choices.task), *(f"{k}={v!r}" for k, v in options.items())]
        return f"ravine.race({', '.join(arguments)})"
    words = [
        f"--{'' if v else 'no-'}{k.replace('_', '-')}"
        if isinstance(v, bool)
        else f"--{k.replace('_', '-')} {shlex.quote(str(v))}"
        for k, v in options.items()
    ]
    return " ".join(["ravine race", choices.task, *words])


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
