"""The same training on one device and on four, divided by Keras, in one process of its own.

``python keras_devices.py RESULTS`` where XLA makes four devices of the CPU. RESULTS, a JSON file,
then has for each way and rule the losses of the epochs; on how many devices the first weights are;
and how much of them, and of what the rule remembers of them, is on each.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Keras would import them where they are installed, for what is not tested here: seconds.
    sys.modules |= dict.fromkeys(("sklearn", "pandas", "tensorflow"))  # type: ignore[arg-type]

import keras
import numpy as np
from keras import distribution, layers

import ravine

INPUTS, UNITS, CLASSES = 20, 16, 4
RULES = ("nesterov", "nadam")  # what they remember: another point; two arrays and a scalar


def ways() -> Iterator[tuple[str, Any]]:
    """How Keras may divide it; ``None``: not at all."""
    devices = distribution.list_devices()
    assert len(devices) == 4
    yield "one device", None
    yield "batches", distribution.DataParallel(devices=devices)
    layout = distribution.LayoutMap(distribution.DeviceMesh((2, 2), ("batch", "model"), devices))
    layout[".*kernel"], layout[".*bias"] = (None, "model"), ("model",)
    yield (
        "batches and weights",
        distribution.ModelParallel(layout_map=layout, batch_dim_name="batch"),
    )


def trained(rule: str) -> dict[str, Any]:
    """A small network after three epochs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, INPUTS)).astype(np.float32)
    y = (x @ rng.normal(size=(INPUTS, CLASSES))).argmax(1)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((INPUTS,)), layers.Dense(UNITS, activation="tanh"), layers.Dense(CLASSES)]
    )
    optimizer = ravine.to_keras(f"{rule}(learning_rate=0.05)")
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(x, y, batch_size=32, epochs=3, shuffle=False, verbose=0).history["loss"]
    weights = model.trainable_variables[0]
    remembered = [v for v in optimizer.variables if tuple(v.shape) == tuple(weights.shape)]
    parts = [v.value.addressable_shards[0].data.shape for v in (weights, *remembered)]
    return {"losses": losses, "devices": len(weights.value.devices()), "parts": parts}


def main(results: str) -> None:
    """All of it."""
    found: dict[str, dict[str, Any]] = {}
    for way, divided in ways():
        distribution.set_distribution(divided)
        found[way] = {rule: trained(rule) for rule in RULES}
    Path(results).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
