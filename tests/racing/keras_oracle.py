"""Train the digits network with the optimizers of Keras on TensorFlow, and write what happened.

A program of its own, because a process has one Keras backend:
``python keras_oracle.py INPUT.npz OUTPUT.npz`` with KERAS_BACKEND=tensorflow. Of ravine it uses the
task's model alone. INPUT holds ``cases`` (JSON: a name to an optimizer's class and arguments),
``train_x``, ``train_y``, ``test_x``, ``test_y``, and of each case the initial weights ``NAME/w0`` …
and ``NAME/rows``, the training rows of each step. OUTPUT holds each case's loss of every step,
before its update, and last the test loss.
"""

import json
import sys

import keras
import numpy as np

from ravine.tasks.digits_mlp import make_model


def main(source: str, target: str) -> None:
    assert keras.backend.backend() == "tensorflow"
    with np.load(source) as given:
        arrays = dict(given)
    losses = {}
    for name, (optimizer, arguments) in json.loads(str(arrays["cases"])).items():
        model = make_model()
        model.set_weights([arrays[f"{name}/w{i}"] for i in range(len(model.weights))])
        model.compile(
            optimizer=getattr(keras.optimizers, optimizer)(**arguments),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        # train_on_batch resets its metrics first, so this is the loss of the batch alone.
        curve = [
            float(model.train_on_batch(arrays["train_x"][rows], arrays["train_y"][rows]))
            for rows in arrays[f"{name}/rows"]
        ]
        model.reset_metrics()  # test_on_batch does not
        curve.append(float(model.test_on_batch(arrays["test_x"], arrays["test_y"])))
        losses[name] = np.array(curve)
    np.savez(target, **losses)


if __name__ == "__main__":
    main(*sys.argv[1:])
