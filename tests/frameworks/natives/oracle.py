"""The real optimizers of one framework, built from text and walked, in a process of its own.

``python oracle.py DIGITS.npz RESULTS`` with KERAS_BACKEND set: Keras on that backend, and beside it
PyTorch with torch, Optax with jax, TensorFlow 1 with tensorflow. RESULTS.json and RESULTS.npz then
hold what ``test_walked.py`` looks at.
"""

import importlib
import json
import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from texts import FELT, HOW, SOURCES
from walking import (
    FACTORS,
    PAIR_FACTORS,
    STEPS,
    Floats,
    by_rule,
    network,
    pairs,
)

import ravine
from ravine.frameworks.natives import read
from ravine.frameworks.translation import translation

BACKEND = keras.backend.backend()
# What else is walked in this process; it says how.
OTHER = {"torch": "torch", "jax": "optax", "tensorflow": "tf1"}[BACKEND]


def main(digits: str, results: str) -> None:
    keras.config.set_floatx("float64")
    walker = importlib.import_module(f"by_{BACKEND}")
    given = np.load(digits)
    problem = network(given["inputs"], given["targets"])
    found: dict[str, Any] = {"felt": {}}
    arrays: dict[str, Floats] = {}
    both: Sequence[Any]
    for text in FELT["keras"]:
        both = (keras_of(text), ravine.to_keras(read(text)[1]))
        compare(found, arrays, text, [walker.by_keras(x, FACTORS, problem) for x in both])
    for text in [*FELT[OTHER], *(HOW if OTHER == "torch" else [])]:
        rule = read(text)[1]
        if OTHER == "tf1":
            native, gradients = walker.by_tf1(text, FACTORS, problem)
            both = (native, by_rule(rule, FACTORS, problem, gradients))
        else:
            makers = (text, walker.ravines(rule))
            both = [walker.walked(make, [FACTORS], problem)[0] for make in makers]
        compare(found, arrays, text, both)
    found["translations"] = translate_all(walker, arrays)
    save: Any = np.savez
    save(f"{results}.npz", **arrays)
    with open(f"{results}.json", "w", encoding="utf-8") as file:
        json.dump(found, file)


def keras_of(text: str) -> Any:
    return eval(text, {"keras": keras, "ravine": ravine})


def compare(
    found: dict[str, Any], arrays: dict[str, Floats], text: str, two: Sequence[Any]
) -> None:
    native, ours = two
    assert native.shape == ours.shape == (STEPS, native.shape[1])
    found["felt"][text] = float(np.abs(native - ours).max())
    arrays[f"felt {text}"] = native[-1]


def translate_all(walker: Any, arrays: dict[str, Floats]) -> dict[str, Any]:
    """Every source in the frameworks that are walked here, and the sources' own paths."""
    kinds = list(PAIR_FACTORS.values())
    every = [text for texts in SOURCES.values() for text in texts]
    found: dict[str, Any] = {}
    for target in {"torch": ["torch", "keras"], "optax": ["optax"], "tf1": []}[OTHER]:
        lines = set(SOURCES[target])
        for text in every:
            made = translation(text, target)
            found[f"{target} {text}"] = {
                "native": made.native,
                "text": made.text,
                "exact": made.exact,
                "under_schedules": made.under_schedules,
                "settles": made.exact or made.settles,
                "constant": list(made.differences.values()),
                "changing": list(made.scheduled.values()),
            }
            lines |= {line for line in (made.native, made.text) if line}
        for line in sorted(lines):
            if target == "keras":
                paths = [walker.by_keras(keras_of(line), x, pairs(line)) for x in kinds]
            else:
                paths = walker.walked(line, kinds, pairs(line))
            keep(arrays, line, paths)
    for text in SOURCES["tf1"] if OTHER == "tf1" else []:
        keep(arrays, text, [walker.by_tf1(text, factors, pairs(text))[0] for factors in kinds])
    return found


def keep(arrays: dict[str, Floats], line: str, paths: Sequence[Floats]) -> None:
    for kind, path in zip(PAIR_FACTORS, paths, strict=True):
        arrays[f"{kind} {line}"] = path


if __name__ == "__main__":
    main(*sys.argv[1:])
