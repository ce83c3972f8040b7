"""Train each network with Keras's own ``train_on_batch`` on TensorFlow, and write what happened.

A program of its own, because a process has one Keras backend: ``python keras_oracle.py IN OUT``
with KERAS_BACKEND=tensorflow. IN holds of each case its initial variables, ``NAME/0`` …, and
``NAME/rows``, the rows of each step; OUT the loss of each step, and in the end loss and metrics of
all rows.
"""

import sys

if __name__ == "__main__":
    # Keras imports them where they are installed, and nothing here needs them: seconds.
    sys.modules |= dict.fromkeys(("sklearn", "pandas"))  # type: ignore[arg-type]

import keras
import numpy as np
from networks import CASES, SAME


def picked(nest, rows):
    if isinstance(nest, dict):
        return {key: picked(value, rows) for key, value in nest.items()}
    return [picked(one, rows) for one in nest] if isinstance(nest, list) else nest[rows]


def main(source: str, target: str) -> None:
    assert keras.backend.backend() == "tensorflow"
    given, found = np.load(source), {}
    for name, case in CASES.items():
        model = case.make()
        model(case.data[0])
        variables = model.trainable_variables + model.non_trainable_variables
        variables = [v for v in variables if not v.path.endswith("seed_generator_state")]
        for i, variable in enumerate(variables):
            variable.assign(given[f"{name}/{i}"])
        assert f"{name}/{len(variables)}" not in given
        # Tracing takes longer than these few steps.
        model.compile(optimizer=SAME[case.by][1](), run_eagerly=True, **case.told)
        losses = [
            model.train_on_batch(
                *(picked(part, rows) for part in case.data),
                class_weight=case.class_weight,
                return_dict=True,
            )["loss"]
            for rows in given[f"{name}/rows"]
        ]
        model.reset_metrics()
        told = model.test_on_batch(*case.data, return_dict=True)
        found[f"{name}/losses"] = np.array(losses)
        found[f"{name}/end"] = np.array(list(told.values()))
        found[f"{name}/measures"] = np.array(list(told))
    np.savez(target, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
