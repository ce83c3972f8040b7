"""Every argument of every native is honoured: the real optimizer and the rule read from its text.

300 steps in float64 at a learning rate that changes with each, on gradients of noise and on those
of a small network, and the rule as an optimizer of the same framework. TensorFlow 1 has no such
adapter: there the rule walks in NumPy.
"""

import runpy
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TEXTS = runpy.run_path(str(Path(__file__).with_name("texts.py")))
FELT: dict[str, list[str]] = TEXTS["FELT"]
WHERE = {"torch": "torch", "optax": "jax", "tf1": "tensorflow"}

CASES = [(backend, text) for backend in ("jax", "torch", "tensorflow") for text in FELT["keras"]]
CASES += [(WHERE[framework], text) for framework in WHERE for text in FELT[framework]]
CASES += [("torch", text) for text in TEXTS["HOW"]]


def tolerance(backend: str, text: str) -> float:
    if backend == "tensorflow" and "Nadam(" in text and "keras" in text:
        return 5e-8  # its 0.96 goes through float32; measured 1.5e-8
    if backend == "torch" and "keras" in text and ("clipnorm" in text):
        # keras.ops.maximum and minimum of a float64 tensor and a number are float32 on PyTorch,
        # and so are the native's norms; on JAX and TensorFlow they agree to 7e-15.
        return 2e-7
    if text.startswith("tf.train.Adam") and "0.875" in text:
        return 5e-9  # TensorFlow 1 multiplies β₁ᵗ up in float32; measured 9e-10
    # Weights are of order one, each step rounds off some 1e-16; measured 2.5e-14.
    return 2e-13


@pytest.mark.parametrize(("backend", "text"), CASES)
def test_a_native_walks_as_the_rule_that_is_read(
    found: Callable[[str], Any], backend: str, text: str
) -> None:
    assert found(backend).said["felt"][text] <= tolerance(backend, text)


@pytest.mark.parametrize("framework", FELT)
def test_each_of_these_texts_is_another_optimizer(
    found: Callable[[str], Any], framework: str
) -> None:
    ends = {
        text: found(WHERE.get(framework, "jax")).arrays[f"felt {text}"] for text in FELT[framework]
    }
    for one, other in combinations(ends, 2):
        assert np.abs(ends[one] - ends[other]).max() > 1e-3, (one, other)
