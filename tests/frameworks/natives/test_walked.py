"""What the real optimizers walk, against rules and translations: see oracle.py.

One file, as tests of one file share what three processes take minutes to walk.

Every argument of every native is honoured: the real optimizer and the rule read from its text,
150 steps in float64 at a learning rate that changes with each, on gradients of noise and on those
of a small network, and the rule as an optimizer of the same framework. TensorFlow 1 has no such
adapter: there the rule walks in NumPy.

Every ordered pair of frameworks: the real source and the real translation, on one gradient. What
``translation`` says of itself (exact, by how much not, under schedules) is held against both
natives, walked for 100 steps in float64 on gradients of five sizes.
"""

import runpy
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravine
from ravine.frameworks.natives import read
from ravine.frameworks.translation import code, translation
from ravine.update_rule import Rule
from ravine.wrapping.wrapper import inside

HERE = Path(__file__).parent
TEXTS = runpy.run_path(str(HERE / "texts.py"))
FELT: dict[str, list[str]] = TEXTS["FELT"]
SOURCES: dict[str, list[str]] = TEXTS["SOURCES"]
WALKING: dict[str, Any] = runpy.run_path(str(HERE / "walking.py"))
KINDS: dict[str, Any] = WALKING["PAIR_FACTORS"]
WHERE = {"keras": "torch", "torch": "torch", "optax": "jax", "tf1": "tensorflow"}
HOME = {"torch": "torch", "optax": "jax", "tf1": "tensorflow"}  # Keras has them all
CASES = [(backend, text) for backend in ("jax", "torch", "tensorflow") for text in FELT["keras"]]
CASES += [(HOME[framework], text) for framework in HOME for text in FELT[framework]]
CASES += [("torch", text) for text in TEXTS["HOW"]]
EVERY = [(framework, text) for framework, texts in SOURCES.items() for text in texts]
# Of the way walked. Differences of squares cancel digits; measured without them 2e-14.
AGREE = 1e-11
DIFFER = 1e-10


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
        text: found(HOME.get(framework, "jax")).arrays[f"felt {text}"] for text in FELT[framework]
    }
    for one, other in combinations(ends, 2):
        assert np.abs(ends[one] - ends[other]).max() > 1e-3, (one, other)


def gaps(path: Any, expected: Any) -> Any:
    """For gradients of each size, by which share of the way walked two paths part."""
    sizes = len(WALKING["SIZES"])
    path, expected = (x[:, : 3 * sizes].reshape(len(x), sizes, 3) for x in (path, expected))
    found = np.abs(path - expected).max((0, 2)) / np.abs(expected).max((0, 2))
    return np.where(np.isfinite(found), found, np.inf)


def agreement(text: str) -> float:
    if text.startswith("tf.train.Adam") and "0.875" in text:
        return 5e-9  # TensorFlow 1 multiplies β₁ᵗ up in float32
    if "keras" in text and "clipnorm" in text:
        return 2e-7  # Keras on PyTorch has its norms in float32: see tolerance
    return AGREE


def assert_same(one: Rule, other: Rule) -> None:
    """One rule, to the fifteen digits in which numbers are written."""
    assert [type(x) for x in inside(one)] == [type(x) for x in inside(other)]
    for name, value in one.values().items():
        expected = other.values()[name]
        assert value == (None if expected is None else pytest.approx(expected, rel=2e-15))


@pytest.mark.parametrize("target", ["keras", "torch", "optax"])
@pytest.mark.parametrize(("framework", "text"), EVERY)
def test_a_translation_keeps_what_it_says(
    found: Callable[[str], Any], framework: str, text: str, target: str
) -> None:
    source, there = found(WHERE[framework]), found(WHERE[target])
    said = there.said["translations"][f"{target} {text}"]
    for kind in KINDS:
        expected = source.arrays[f"{kind} {text}"]
        exact = said["exact" if kind == "constant" else "under_schedules"]
        if said["native"]:
            real = gaps(there.arrays[f"{kind} {said['native']}"], expected)
            limit = max(agreement(text), agreement(said["native"]))
            if exact:
                assert real.max() <= limit, (kind, said["native"])
            else:
                assert real.max() > DIFFER, (kind, said["native"])
                if "clip" not in text and np.isfinite(real).all():
                    # What is reported is what happens. Norms span sizes here, and not there.
                    np.testing.assert_allclose(real, said[kind], rtol=1e-4, atol=limit)
        follows = kind == "constant" or "add_decayed_weights(-" not in text  # the learning rate
        if said["text"] != said["native"] and follows:
            assert said["text"].startswith(f"ravine.to_{target}(")
            real = gaps(there.arrays[f"{kind} {said['text']}"], expected)
            assert real.max() <= agreement(text), (kind, said["text"])
    assert (said["text"] == said["native"]) == (said["exact"] or said["settles"])


@pytest.mark.parametrize(("framework", "text"), EVERY)
def test_the_rule_walks_as_its_source(
    found: Callable[[str], Any], framework: str, text: str
) -> None:
    rule = read(text)[1]
    assert ravine.translate(text, to="ravine") == rule
    assert_same(eval(code(rule), {"ravine": ravine}), rule)
    for kind, factors in KINDS.items():
        if kind == "changing" and "add_decayed_weights(-" in text:
            continue  # a decay that stays is no rule
        path = WALKING["by_rule"](rule, factors, WALKING["pairs"](text))
        expected = found(WHERE[framework]).arrays[f"{kind} {text}"]
        assert gaps(path, expected).max() <= agreement(text)


@pytest.mark.parametrize(("framework", "text"), [pair for pair in EVERY if pair[0] != "tf1"])
def test_a_round_trip_ends_where_it_began(framework: str, text: str) -> None:
    rule = read(text)[1]
    again = translation(rule, framework)
    assert again.exact
    assert again.native is not None
    assert_same(read(again.native)[1], rule)
