"""What everyone trains: the same network, weights, batches, evaluations and Adam, in float32."""

import dataclasses
import os
from functools import partial
from typing import Any, NamedTuple

from ravine.tasks import find
from ravine.tasks.task import Task

RATE, EPSILON = 1e-3, 1e-8
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


class Subject(NamedTuple):
    """Which network: a task's own, its hidden layers as wide as said, with or without dropout."""

    task: str
    width: int = 0  # of digits-mlp; 0: the task's own
    dropout: bool = True

    def __str__(self) -> str:
        said = self.task + (f", width {self.width}" if self.width else "")
        return said if self.dropout else f"{said}, no dropout"


class Setting(NamedTuple):
    """Everything that decides a run's result, drawn once by the engine's own workers."""

    subject: Subject
    period: int  # steps between evaluations
    train: tuple[Any, Any]
    held_out: list[tuple[Any, Any]]  # validation, test: each evaluated every period
    weights: dict[int, list[Any]]  # by seed: what is trained, in Keras's order
    states: dict[int, list[Any]]  # by seed: what is not: running means, the seeds of masks
    rows: dict[int, Any]  # by seed: (steps, batch) rows of the training data


class Curve(NamedTuple):
    """What a run gives."""

    losses: Any  # (steps,) of the training batches, or None where ``fit`` does not tell them
    measures: Any  # (evaluations, 2): loss on validation and on test


class Trial(NamedTuple):
    """One training run of a race."""

    rule: str
    learning_rate: float
    seed: int


def make_model(subject: Subject) -> Any:
    """A fresh Keras model: the layers of the task's own, but for what the subject says."""
    import keras

    own = find(subject.task).make_model()
    layers = []
    for layer in own.layers:
        config = layer.get_config()
        if subject.width and config.get("activation") == "relu":
            config["units"] = subject.width
        if not subject.dropout and "rate" in config:
            config["rate"] = 0.0
        layers.append(type(layer).from_config(config))
    return keras.Sequential([keras.Input(own.input_shape[1:]), *layers])


def task(subject: Subject) -> Task:
    """The task. Its loss alone is measured: that is what all the others measure."""
    made = partial(make_model, subject)
    return dataclasses.replace(find(subject.task), make_model=made, metrics={})
