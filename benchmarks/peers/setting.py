"""What everyone trains: the same network, weights, batches, evaluations and Adam, in float32."""

import dataclasses
import os
from functools import partial
from typing import Any, NamedTuple

from ravine.tasks import find
from ravine.tasks.task import Task

RATE, EPSILON = 1e-3, 1e-8
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


class Setting(NamedTuple):
    """Everything that decides a run's result, drawn once by the engine's own workers."""

    width: int
    period: int  # steps between evaluations
    train: tuple[Any, Any]
    held_out: list[tuple[Any, Any]]  # validation, test: each evaluated every period
    weights: dict[int, list[Any]]  # by seed: kernel, bias, kernel, bias, kernel, bias
    rows: dict[int, Any]  # by seed: (steps, batch) rows of the training data


class Curve(NamedTuple):
    """What a run gives."""

    losses: Any  # (steps,) of the training batches, or None where ``fit`` does not tell them
    measures: Any  # (evaluations, 2): loss on validation and on test


def make_model(width: int) -> Any:
    """The network of digits-mlp, its hidden layers this wide."""
    import keras

    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(width, activation="relu"),
            keras.layers.Dense(width, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


def task(width: int) -> Task:
    """digits-mlp at a width. Its loss alone is measured: that is what all the others measure."""
    made = partial(make_model, width)
    return dataclasses.replace(find("digits-mlp"), make_model=made, metrics={})
