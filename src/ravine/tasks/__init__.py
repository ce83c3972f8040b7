"""The tasks that ravine ships: a file each, a line each."""

from ravine.errors import unknown
from ravine.tasks.digits_cnn import task as digits_cnn
from ravine.tasks.digits_mlp import task as digits_mlp
from ravine.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (digits_mlp, digits_cnn)}


def find(name: str) -> Task:
    """The task of that name."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]
