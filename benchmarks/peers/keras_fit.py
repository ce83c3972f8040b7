"""Keras: ``fit``, on the backend that KERAS_BACKEND names."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from peers.setting import EPSILON, RATE, Curve, Setting, make_model

BETAS = {"beta_1": 0.9, "beta_2": 0.999}


class Evaluate(keras.callbacks.Callback):  # type: ignore[misc]
    """Both splits, a batch each, once a period: the cheapest way that Keras offers.

    ``validation_data`` would take one split, once an epoch, through a data adapter.
    """

    def __init__(self, period: int, held_out: Any) -> None:
        super().__init__()
        self._period = period
        self._held_out = held_out
        self.measures: list[list[float]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """``batch`` is the last of an execution."""
        if (batch + 1) % self._period == 0:
            # On JAX the model's variables are behind while fit runs.
            if keras.backend.backend() == "jax":
                self.model.jax_state_sync()
            self.measures.append([float(self.model.test_on_batch(*s)) for s in self._held_out])
            if keras.backend.backend() == "jax":
                self.model._jax_state_synced = True


def compiled(model: Any, optimizer: Any, steps_per_execution: int, jit: bool | str = "auto") -> Any:
    """The model, ready to fit."""
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=steps_per_execution,
        jit_compile=jit,
    )
    return model


def fit(model: Any, setting: Setting, rows: Any) -> Curve:
    """One run on those rows, (steps, batch), of the training data: one long epoch."""
    evaluate = Evaluate(setting.period, setting.held_out)
    x, y = setting.train
    flat = rows.reshape(-1)
    model.fit(
        x[flat],
        y[flat],
        batch_size=rows.shape[1],
        shuffle=False,
        callbacks=[evaluate],
        verbose=0,
    )
    return Curve(None, np.array(evaluate.measures))


def prepare(
    setting: Setting, steps_per_execution: int = 1, jit: bool | str = "auto"
) -> Callable[[list[int]], list[Curve]]:
    """One compiled model for all runs; each starts from its own weights and a fresh Adam."""
    adam = keras.optimizers.Adam(RATE, epsilon=EPSILON, **BETAS)
    model = compiled(make_model(setting.subject), adam, steps_per_execution, jit)
    adam.build(model.trainable_variables)
    fresh = [np.asarray(v) for v in adam.variables]
    variables = [*model.trainable_variables, *model.non_trainable_variables, *adam.variables]

    def one(seed: int, steps: int | None = None) -> Curve:
        start = [*setting.weights[seed], *setting.states[seed], *fresh]
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value.astype(variable.dtype))
        return fit(model, setting, setting.rows[seed][:steps])

    one(0, 2 * setting.period)
    return lambda seeds: [one(seed) for seed in seeds]
