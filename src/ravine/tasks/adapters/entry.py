"""Whatever users name or hand over as a task becomes one."""

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ravine.errors import InvalidArgument, RavineError, install, unknown
from ravine.tasks import find
from ravine.tasks.adapters.serialization import is_keras, is_keras_2, keras_2
from ravine.tasks.task import Task

EXTRAS = ("torch", "tensorflow", "optax")  # that a user's file may import and ravine can bring
HOW = (
    "give the name of a task, a ravine.Task, a Keras model, or a function that builds one together "
    "with data"
)


def task_of(given: Any, data: Any, **options: Any) -> Task:
    """The task of a name, a place in code, a model or a function. Raises ``InvalidArgument``.

    ``options`` are those of ``ravine.race`` that go with data.
    """
    if isinstance(given, str) and ":" in given:
        place, given = given, load(given)
        if data is None and not isinstance(given, Task):
            given = called(given)
        if isinstance(given, Task):
            given = replace(given, place=place)
    if isinstance(given, str | Task):
        useless = [name for name, value in {"data": data, **options}.items() if value is not None]
        if useless:
            raise InvalidArgument(
                f"{useless[0]}= goes with a model of your own; the task "
                f"'{given if isinstance(given, str) else given.name}' has its data and its loss"
            )
        return find(given) if isinstance(given, str) else given
    if is_keras_2(given):
        raise InvalidArgument(keras_2("the task", given))
    if not is_keras(given, "Model") and (not callable(given) or is_keras(given, "Layer")):
        raise InvalidArgument(f"the task is a {type(given).__name__}: {HOW}")
    # Where Keras runs on PyTorch, its models are modules too.
    of_torch = any(k.__module__ == "torch.nn.modules.module" for k in type(given).__mro__)
    if of_torch and not is_keras(given, "Model"):
        raise InvalidArgument(
            f"the task is a module of PyTorch, {type(given).__name__}, which is raced in PyTorch: "
            "give ravine.Task.from_torch(make_module, (x, y), loss)"
        )
    from ravine.tasks.adapters.model import own_model

    return own_model(given, data, **options)


def named(place: str | None) -> Task | None:
    """The task that whoever goes on with a race names again, if anybody does."""
    return None if place is None else task_of(place, None)


def load(place: str) -> Any:
    """What ``my_task.py:make_task`` or ``my_package.tasks:cifar`` names.

    The file's folder, or for a module the current one, is searched for what it imports.
    """
    where, _, name = place.rpartition(":")
    is_file = where.endswith(".py") or "/" in where or "\\" in where
    try:
        module = _from_file(Path(where)) if is_file else _imported(where)
    except RavineError:
        raise
    except Exception as error:
        lacking = isinstance(error, ModuleNotFoundError) and error.name in EXTRAS
        way = f": {install(str(error.name))}" if lacking else ""  # type: ignore[attr-defined]  # it has
        raise InvalidArgument(
            f"'{where}' cannot be imported: {type(error).__name__}: {error}{way}"
        ) from error
    if not hasattr(module, name):
        names = [n for n, value in vars(module).items() if _may_be(value, module)]
        raise unknown(f"name in {where}", name, names)
    return getattr(module, name)


def called(make: Any) -> Task:
    """The task that a function gives."""
    if not callable(make):
        raise InvalidArgument(f"what was named is a {type(make).__name__}, not a task: {HOW}")
    try:
        made = make()
    except TypeError as error:
        raise InvalidArgument(
            f"'{make.__name__}' cannot be called without arguments: {error}"
        ) from error
    if not isinstance(made, Task):
        raise InvalidArgument(
            f"'{make.__name__}' gives a {type(made).__name__}, not a task: end it with "
            "return ravine.Task(…)"
        )
    return made


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise InvalidArgument(f"there is no file '{path}'")
    # Last: what lies next to the file is not imported in the place of what is installed.
    sys.path.append(str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InvalidArgument(f"'{path}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # by that name workers import it too
    spec.loader.exec_module(module)
    return module


def _imported(name: str) -> Any:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    return importlib.import_module(name)


def _may_be(value: Any, module: Any) -> bool:
    return isinstance(value, Task) or getattr(value, "__module__", None) == module.__name__
