"""The tasks that ravine ships: a file each, a line each."""

from ravine.errors import unknown
from ravine.tasks.builtin.breast_cancer_logistic import task as breast_cancer_logistic
from ravine.tasks.builtin.cifar10 import task as cifar10
from ravine.tasks.builtin.diabetes_linear import task as diabetes_linear
from ravine.tasks.builtin.digits_autoencoder import task as digits_autoencoder
from ravine.tasks.builtin.digits_cnn import task as digits_cnn
from ravine.tasks.builtin.digits_deep import task as digits_deep
from ravine.tasks.builtin.digits_mlp import task as digits_mlp
from ravine.tasks.builtin.fashion_mnist import task as fashion_mnist
from ravine.tasks.builtin.quadratic_deep import task as quadratic_deep
from ravine.tasks.builtin.text_transformer import task as text_transformer
from ravine.tasks.task import Task

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        digits_mlp,
        digits_cnn,
        digits_deep,
        digits_autoencoder,
        breast_cancer_logistic,
        diabetes_linear,
        quadratic_deep,
        text_transformer,
        fashion_mnist,
        cifar10,
    )
}


# What a machine without a network has.
AT_HAND = tuple(name for name, task in TASKS.items() if not task.download)


def find(name: str) -> Task:
    """The task of that name."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]
