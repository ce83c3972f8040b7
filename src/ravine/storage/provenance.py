"""Where results come from: the machine, the versions, the command that makes them again."""

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import entry_points, packages_distributions, version
from pathlib import Path
from typing import Any

from ravine.experiment.config import BASELINE, FULL, TIME, RaceConfig
from ravine.experiment.engines import JAX, device, framework
from ravine.experiment.grids import POINTS, TRIALS, log_grid
from ravine.frameworks.spelling import is_spelled
from ravine.rules import RULES
from ravine.tasks import TASKS
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


def versions(engine: str = JAX) -> dict[str, str]:
    """The versions that decide the last bits of a curve, of what an engine computes with."""
    found = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    if device(engine) == "gpu":
        plugins = [entry.dist for entry in entry_points(group="jax_plugins")]
        return found | {dist.name: dist.version for dist in plugins if dist is not None}
    if engine != JAX:  # whose package may be another: tensorflow-cpu
        name = framework(engine)
        found[name] = version(packages_distributions()[name][0])
    return found


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """How two sets of versions differ: ``"jax 0.9.0 instead of 0.10.2"``."""
    names = sorted({*one, *other})
    return [
        f"{n} {one.get(n)} instead of {other.get(n)}" for n in names if one.get(n) != other.get(n)
    ]


def command(
    choices: RaceConfig, task: Task, crosscheck: str | None = None, engine: str = JAX
) -> str:
    """What makes the same choices: a command line; Python where that cannot say it.

    ``crosscheck``: where its winner is trained once more; ``engine``: what trained it. Python is
    for objects of the user's own, whose names stand for them, and for rates given rule by rule.
    """
    options: dict[str, Any] = {}
    if choices.rules != tuple(RULES):
        options["rules"] = ",".join(choices.rules)
    lists = set(choices.learning_rates.values())
    if not choices.points:
        options["learning_rates"] = (
            _rates(lists.pop()) if len(lists) == 1 else choices.learning_rates
        )
    elif choices.points != (TRIALS if choices.search else POINTS):
        options["trials"] = choices.points
    if choices.search:
        options["search"] = ",".join(
            f"{name}={interval[0]:g}:{interval[1]:g}" if interval else name
            for name, interval in choices.search.items()
        )
    options["tuning_seeds"] = choices.tuning_seeds
    options["eval_seeds"] = choices.eval_seeds
    usual: dict[str, tuple[Any, Any]] = {
        "epochs": (choices.epochs, task.epochs),
        "batch_size": (choices.batch_size, task.batch_size),
        "schedule": (choices.schedule, "constant"),
        "early_stopping": (choices.early_stopping, True),
        "target": (choices.target, ""),
        "repetitions": (choices.repetitions, 1),
        "reference": (choices.reference, BASELINE),
        "looks": (choices.looked, True),
        "objective": (choices.objective, TIME),
        "tune": (choices.tune, FULL),
        "crosscheck": (crosscheck, None),
        "device": (device(engine), device(JAX)),
    }
    options |= {name: value for name, (value, default) in usual.items() if value != default}
    name = choices.task.partition("[")[0]  # a variant is of it, with one value of each lever
    own = [rule for rule in choices.rules if not is_spelled(rule)]
    ours = name in TASKS
    if own or not (ours or task.place) or isinstance(options.get("learning_rates"), Mapping):
        # A rule of the user's own is an object in the user's Python, not a name.
        rules = [rule if rule in own else repr(rule) for rule in choices.rules]
        options["rules"] = Text(f"[{', '.join(rules)}]")
        options |= {"vary": dict(task.levers)} if task.levers else {}
        first = repr(task.place or name) if ours or task.place else task.call
        arguments = [first, *(f"{k}={v!r}" for k, v in options.items())]
        return f"ravine.race({', '.join(arguments)})"
    words = [
        f"--{'' if v else 'no-'}{k.replace('_', '-')}"
        if isinstance(v, bool)
        else f"--{k.replace('_', '-')} {shlex.quote(str(v))}"
        for k, v in options.items()
    ]
    words += [f"--vary {shlex.quote(f'{name}={v}')}" for name, v in task.levers.items()]
    return " ".join(["ravine race", shlex.quote(task.place or name), *words])


def _rates(rates: Sequence[float]) -> str:
    """A list of learning rates as it may be typed."""
    if len(rates) > 2 and log_grid(rates[0], rates[-1], len(rates)) == rates:
        return f"{rates[0]:g}:{rates[-1]:g}:{len(rates)}"
    return ",".join(f"{rate:g}" for rate in rates)


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
