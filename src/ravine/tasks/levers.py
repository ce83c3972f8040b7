"""Levers: what else than the rule speeds training up, as axes along which a task is varied."""

import inspect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ravine.errors import InvalidArgument, unknown
from ravine.tasks.adapters.module import TorchTask
from ravine.tasks.adapters.pure import Pure
from ravine.tasks.adapters.serialization import Model
from ravine.tasks.layers import KNOWN, check
from ravine.tasks.names import file_name
from ravine.tasks.pretraining import Half, Pretrained
from ravine.tasks.task import Task

BATCH_SIZE, PRETRAINING = "batch_size", "pretraining"
OF_ANY_TASK = (BATCH_SIZE, PRETRAINING)  # the others are arguments of the function that builds
NONE, OTHER_HALF = "none", "other-half"  # pretraining; all else is a .keras file

Vary = Mapping[str, Sequence[Any]]  # a lever's values; the first is what others are measured by
Values = Mapping[str, Any]  # a value of each lever: a combination


def read_vary(given: Mapping[str, Any] | str | Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Levers and their values, of a mapping, or of texts as on the command line.

    >>> read_vary("activation=tanh,relu"), read_vary({"batch_size": [16, 64]})
    ({'activation': ('tanh', 'relu')}, {'batch_size': (16, 64)})
    """
    found: dict[str, tuple[Any, ...]] = {}
    for name, asked in _named(given):
        if name in found:
            raise InvalidArgument(
                f"lever '{name}' is varied twice: list all of its values in one place"
            )
        found[name] = _values(name, asked)
    for file in found.get(PRETRAINING, ()):
        if file not in (NONE, OTHER_HALF) and not str(file).endswith(".keras"):
            raise InvalidArgument(
                f"vary: pretraining={file}: give {NONE}, {OTHER_HALF}, or a file that "
                "model.save('name.keras') wrote"
            )
    if not found:
        raise InvalidArgument("vary: nothing is varied: write such as activation=tanh,relu")
    return found


def _named(given: Mapping[str, Any] | str | Sequence[str]) -> list[tuple[str, Any]]:
    if isinstance(given, Mapping):
        return list(given.items())
    pairs = []
    for text in [given] if isinstance(given, str) else given:
        name, equals, values = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise InvalidArgument(
                f"cannot read vary '{text}': write a lever and its values, such as "
                "activation=tanh,relu or batch_size=16,64"
            )
        pairs.append((name.strip(), values))
    return pairs


def _values(name: str, asked: Any) -> tuple[Any, ...]:
    if isinstance(asked, str):
        asked = [_read(name, text.strip()) for text in asked.split(",") if text.strip()]
    elif not isinstance(asked, list | tuple):
        asked = [asked]
    values = tuple(str(value) if isinstance(value, Path) else value for value in asked)
    for value in values:
        if not isinstance(value, str | int | float | bool | None):
            raise InvalidArgument(
                f"vary: {name} has a {type(value).__name__} among its values: give names and "
                "numbers, and make what they stand for in the function that builds the model"
            )
    if not values:
        raise InvalidArgument(f"vary: '{name}' has no values: write {name}=one,another")
    labels = [shown(value) for value in values]
    if twice := [label for label in labels if labels.count(label) > 1]:
        raise InvalidArgument(f"vary: {name} has '{twice[0]}' twice")
    return values


def _read(name: str, text: str) -> Any:
    """A number where it is one; a file stays a text."""
    for kind in () if name == PRETRAINING else (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def offered(task: Task) -> tuple[str, ...]:
    """The levers of a task: the arguments of the function that builds its model, and our own."""
    if isinstance(task, Pure):
        return (BATCH_SIZE,)
    if isinstance(task.make_model, Model):
        return OF_ANY_TASK
    known = inspect.signature(task.make_model).parameters.values()
    named = [p.name for p in known if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return (*named, *((BATCH_SIZE,) if isinstance(task, TorchTask) else OF_ANY_TASK))


def check_vary(task: Task, vary: Vary) -> None:
    """Raises ``InvalidArgument`` if a task has no such lever, or a shipped one no such value."""
    levers = offered(task)
    for name, values in vary.items():
        if name not in levers and (name in OF_ANY_TASK or not _takes_any(task)):
            raise _without(task, name, levers)
        if name == BATCH_SIZE:
            for size in values:
                if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                    raise InvalidArgument(
                        f"vary: batch_size={size!r}: give whole numbers of at least 1"
                    )
        if name in KNOWN and task.make_model.__module__.startswith("ravine.tasks."):
            for value in values:
                check(name, value)
    if not _is_fixed(task):
        known = inspect.signature(task.make_model).parameters.values()
        for p in known:
            named = p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            if named and p.default is p.empty and p.name not in vary:
                raise InvalidArgument(
                    f"{_builder(task)} needs '{p.name}' too: give it a default, or vary it"
                )


def _is_fixed(task: Task) -> bool:
    """Whether there is no function of levers that builds the model."""
    return isinstance(task, Pure) or isinstance(task.make_model, Model)


def _takes_any(task: Task) -> bool:
    if _is_fixed(task):
        return False
    kinds = [p.kind for p in inspect.signature(task.make_model).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


def _without(task: Task, name: str, levers: Sequence[str]) -> InvalidArgument:
    if isinstance(task, Pure):
        return InvalidArgument(f"two JAX functions have no lever '{name}': vary {BATCH_SIZE}")
    if isinstance(task.make_model, Model):
        return InvalidArgument(
            f"a model that is built already has no lever '{name}': give a function that builds it, "
            f"def make_model({name}): …; it can be varied in {', '.join(OF_ANY_TASK)}"
        )
    if name == PRETRAINING and isinstance(task, TorchTask):
        return InvalidArgument(
            f"vary: {name} is of Keras models; of a PyTorch module give {_builder(task)} an "
            "argument by which it loads a state_dict, and vary that"
        )
    near = str(unknown("lever", name, levers)).partition(": ")[2]
    return InvalidArgument(
        f"{_builder(task)} has no argument '{name}', so that '{name}' is no lever of "
        f"'{task.name}': it has {', '.join(levers)}"
        + (f"; {near}" if near.startswith("did you") else "")
    )


def _builder(task: Task) -> str:
    return f"{getattr(task.make_model, '__name__', 'the function that builds the model')}()"


def combinations(vary: Vary) -> list[dict[str, Any]]:
    """All of them, the first values first and the last lever changing fastest."""
    return [dict(zip(vary, values, strict=True)) for values in itertools.product(*vary.values())]


def shown(value: Any) -> str:
    """A value in a table: of a file its name alone."""
    text = str(value)
    return Path(text).stem if text.endswith(".keras") else text


def spelled(values: Values) -> str:
    """A combination as a text that is good for a folder.

    >>> spelled({"activation": "tanh", "batch_size": 16})
    'activation=tanh,batch_size=16'
    """
    said = ",".join(f"{name}={shown(value)}" for name, value in values.items())
    return file_name(said)


def varied(task: Task, values: Values, vary: Vary, held: Pretrained | None = None) -> Task:
    """The task with these values of its levers.

    ``held``: the weights that its pretraining came to. Where one combination is pretrained on the
    other half of the rows, all are trained on the same half.
    """
    built = {name: value for name, value in values.items() if name not in OF_ANY_TASK}
    return replace(
        task,
        name=f"{task.name}[{spelled(values)}]",
        make_model=partial(task.make_model, **built) if built else task.make_model,
        load=Half(task.load) if OTHER_HALF in vary.get(PRETRAINING, ()) else task.load,
        batch_size=values.get(BATCH_SIZE, task.batch_size),
        levers=values,
        pretrained=held,
    )


def on_the_other_half(task: Task, variant: Task, batch_size: int) -> Task:
    """The variant on those rows of its training data that no race of its repetition trains on."""
    return replace(variant, load=Half(task.load, other=True), batch_size=batch_size)
