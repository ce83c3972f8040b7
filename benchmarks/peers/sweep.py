"""A race's runs as the trials of a tool that searches hyperparameters, over Keras's ``fit``."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from peers.keras_fit import compiled, fit
from peers.search import keras_tuner_grid, optuna_grid
from peers.setting import Setting, Trial, make_model

OPTIMIZERS: dict[str, Callable[[float], Any]] = {
    "sgd": keras.optimizers.SGD,
    # ravine's velocity is a mean of gradients: Keras's at a tenth of the learning rate.
    "momentum": lambda rate: keras.optimizers.SGD(rate / 10, momentum=0.9),
    "nesterov": lambda rate: keras.optimizers.SGD(rate / 10, momentum=0.9, nesterov=True),
    "adagrad": lambda rate: keras.optimizers.Adagrad(rate, initial_accumulator_value=0.0),
    "rmsprop": keras.optimizers.RMSprop,
    "adam": keras.optimizers.Adam,
    "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.01),
    "nadam": keras.optimizers.Nadam,
}


class Took(NamedTuple):
    """What became of a trial."""

    seconds: float  # since the one before it ended: with what the tool itself does
    first: bool  # of its rule in its process
    loss: float  # on the validation data, at the end


def prepare(
    setting: Setting, tool: str, steps_per_execution: int, jit: bool | str
) -> Callable[[list[Trial]], list[Took]]:
    """Trials in this process. A rule's first is its own matter: something is compiled then."""

    def build(trial: Trial) -> Any:
        keras.utils.set_random_seed(trial.seed)
        optimizer = OPTIMIZERS[trial.rule](trial.learning_rate)
        return compiled(make_model(setting.subject), optimizer, steps_per_execution, jit)

    def train(trial: Trial, model: Any) -> float:
        return float(fit(model, setting, setting.rows[trial.seed]).measures[-1, 0])

    def search(trials: list[Trial]) -> list[Took]:
        took: dict[int, Took] = {}
        seen: set[str] = set()
        ended = time.perf_counter()

        def note(i: int, loss: float) -> float:
            nonlocal ended
            now, rule = time.perf_counter(), trials[i].rule
            took[i] = Took(now - ended, rule not in seen, loss)
            seen.add(rule)
            ended = now
            return loss

        run = {"optuna": _optuna, "keras-tuner": _keras_tuner}[tool]
        run(trials, build, lambda i, model: note(i, train(trials[i], model)))
        return [took[i] for i in range(len(trials))]

    # What a process does once, whatever its trials, is not to count as some rule's.
    warm = Trial("sgd", 0.1, min(setting.rows))
    fit(build(warm), setting, setting.rows[warm.seed][: setting.period])
    return search


def _optuna(trials: list[Trial], build: Any, train: Any) -> None:
    """The objective is the user's: one who knows how keeps each rule's compiled model."""
    kept: dict[str, Any] = {}

    def objective(i: int) -> float:
        trial = trials[i]
        if trial.rule not in kept:
            model = build(trial)
            model.optimizer.build(model.trainable_variables)
            kept[trial.rule] = model, [np.asarray(v) for v in model.optimizer.variables]
        model, fresh = kept[trial.rule]
        keras.utils.set_random_seed(trial.seed)
        model.set_weights(keras.models.clone_model(model).get_weights())
        for variable, value in zip(model.optimizer.variables, fresh, strict=True):
            variable.assign(value)
        rate = OPTIMIZERS[trial.rule](trial.learning_rate).learning_rate
        model.optimizer.learning_rate = float(rate)  # assigned: a variable would be added
        return float(train(i, model))

    optuna_grid(objective, range(len(trials)))


def _keras_tuner(trials: list[Trial], build: Any, train: Any) -> None:
    """The tool has a model built for every trial."""

    def trial(i: int) -> float:
        return float(train(i, build(trials[i])))

    keras_tuner_grid(trial, range(len(trials)))
