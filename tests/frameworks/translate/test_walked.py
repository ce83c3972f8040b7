"""What the real optimizers walk, against rules and translations.

One file, as its tests share what three processes walk: see oracle.py. All walks are of 100 steps in
float64, on gradients of five sizes, at a constant learning rate and at one that changes.

Every argument of every native is honoured: the real optimizer against the rule that is read from
its text, in NumPy, and for Keras against that rule's optimizer on the same backend.

Translations between all frameworks: the real source against the real translation. What
``translation`` says of itself (exact, by how much not, under schedules) is held against both.
"""

import functools
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import QUICKLY

import ravine
from ravine.errors import RavineError
from ravine.frameworks.translate import read
from ravine.frameworks.translate.translation import (
    WRITERS,
    Translation,
    code,
    native_of,
    translation,
)
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers.wrapper import innermost, inside

HERE = Path(__file__).parent
TEXTS = runpy.run_path(str(HERE / "texts.py"))
FELT: dict[str, list[str]] = TEXTS["FELT"]
SOURCES: dict[str, list[str]] = TEXTS["SOURCES"]
BACKENDS: dict[str, str] = TEXTS["BACKENDS"]
WALKING: dict[str, Any] = runpy.run_path(str(HERE / "walking.py"))
pairwise: Any = runpy.run_path(str(HERE.parents[1] / "pairwise.py"))["pairwise"]
KINDS: dict[str, Any] = WALKING["FACTORS"]
TARGETS = {"keras": "torch", "torch": "torch", "optax": "jax"}  # and where they are walked
# Of the way walked. Differences of squares cancel digits; measured without them 2e-14.
AGREE = 1e-11
DIFFER = 1e-10
# A decay that stays when the learning rate changes is no rule's.
STAYS = "add_decayed_weights(-"


def aspects(case: tuple[str, str]) -> tuple[Any, ...]:
    """What decides how a text is translated."""
    text, target = case
    rule = read(text)[1]
    try:
        native = WRITERS[target].write(rule).split("(")[0]
    except RavineError:  # there is none
        native = ""
    wrappers = " ".join(held.name for held in inside(rule) if held is not innermost(rule))
    usual = any(text in texts for texts in TEXTS["USUAL"].values())
    return target, innermost(rule).name, wrappers, usual, native, STAYS in text


EVERY = [text for texts in SOURCES.values() for text in texts]
TRANSLATED = pairwise([(text, target) for text in EVERY for target in TARGETS], aspects)

translated = functools.cache(translation)


def ours(text: str) -> str:
    """Keras's text as ravine's optimizer for Keras."""
    return native_of(read(text)[1], "keras")


def kind_of(text: str) -> str:
    """The kind of learning rates at which a rule walks as the text."""
    return "constant" if STAYS in text else "changing"


def lines(backend: str) -> dict[str, list[str]]:
    """What is walked in one process, and at which kinds of learning rates."""
    found = {x: [kind_of(x)] for x in [*EVERY, *TEXTS["HOW"]] if BACKENDS[x] == backend}
    found |= {ours(x): ["changing"] for x in FELT["keras"] if BACKENDS[x] == backend}
    for text, target in TRANSLATED:
        made = translated(text, target)
        there = [line for line in (made.native, made.ours) if line and TARGETS[target] == backend]
        here = [text] if BACKENDS[text] == backend else []
        found |= {line: list(KINDS) for line in [*here, *there]}
    return found


Paths = Callable[[str, str, str], Any]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    """The path of a line on a backend, at a kind of learning rate."""
    folder, running = tmp_path_factory.mktemp("natives"), {}
    # Three processes on few cores: threads of their own would only wait for each other; and
    # compiling takes longer than walking.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"} | QUICKLY
    for backend in ("torch", "jax", "tensorflow"):
        given, results = folder / f"{backend}.json", folder / f"{backend}.npz"
        given.write_text(json.dumps(lines(backend)), encoding="utf-8")
        with (folder / f"{backend}.log").open("w") as log:
            running[backend] = subprocess.Popen(
                [sys.executable, HERE / "oracle.py", given, results],
                env=environment | {"KERAS_BACKEND": backend},
                stdout=log,
                stderr=log,
            )

    @functools.cache
    def results_of(backend: str) -> dict[str, Any]:
        code = running[backend].wait()
        assert code == 0, (folder / f"{backend}.log").read_text(errors="replace")[-3000:]
        with np.load(folder / f"{backend}.npz") as arrays:
            return dict(arrays)

    yield lambda backend, kind, line: results_of(backend)[f"{kind} {line}"]
    for process in running.values():
        process.kill()
        process.wait()


def gaps(path: Any, expected: Any) -> Any:
    """For gradients of each size, by which share of the way walked two paths part."""
    sizes = len(WALKING["SIZES"])
    path, expected = (x[:, : 3 * sizes].reshape(len(x), sizes, 3) for x in (path, expected))
    found = np.abs(path - expected).max((0, 2)) / np.abs(expected).max((0, 2))
    return np.where(np.isfinite(found), found, np.inf)


def agreement(backend: str, line: str) -> float:
    if backend == "tensorflow" and "keras.optimizers.Nadam(" in line:
        return 5e-8  # its 0.96 goes through float32
    if backend == "tensorflow" and line.startswith("tf.train.Adam") and "0.875" in line:
        return 5e-9  # TensorFlow 1 multiplies β₁ᵗ up in float32
    if backend == "torch" and "keras" in line and "clipnorm" in line:
        # keras.ops.maximum and minimum of a float64 tensor and a number are float32 on PyTorch,
        # and so are the native's norms.
        return 2e-7
    return AGREE


def assert_same(one: Rule, other: Rule) -> None:
    """One rule, to the fifteen digits in which numbers are written."""
    assert [type(x) for x in inside(one)] == [type(x) for x in inside(other)]
    for name, value in one.values().items():
        expected = other.values()[name]
        assert value == (None if expected is None else pytest.approx(expected, rel=2e-15))


@pytest.mark.parametrize("text", [*EVERY, *TEXTS["HOW"]])
def test_a_native_walks_as_the_rule_that_is_read(walked: Paths, text: str) -> None:
    rule, backend, kind = read(text)[1], BACKENDS[text], kind_of(text)
    path = WALKING["by_rule"](rule, KINDS[kind], WALKING["problem_of"](text))
    assert gaps(path, walked(backend, kind, text)).max() <= agreement(backend, text)


@pytest.mark.parametrize("text", FELT["keras"])
def test_the_rule_as_an_optimizer_of_keras_walks_as_the_native(walked: Paths, text: str) -> None:
    backend = BACKENDS[text]
    path, expected = (walked(backend, "changing", line) for line in (ours(text), text))
    assert gaps(path, expected).max() <= agreement(backend, text)


@pytest.mark.parametrize("text", EVERY)
def test_the_code_of_a_rule_is_that_rule(text: str) -> None:
    rule = read(text)[1]
    assert ravine.translate(text, to="ravine") == rule
    assert_same(eval(code(rule), {"ravine": ravine}), rule)


@pytest.mark.parametrize("framework", FELT)
def test_each_of_these_texts_is_another_optimizer(walked: Paths, framework: str) -> None:
    ends = {
        text: walked(BACKENDS[text], kind_of(text), text)[-1, : 3 * len(WALKING["SIZES"])]
        for text in FELT[framework]
    }
    for one, other in combinations(ends, 2):
        assert np.abs(ends[one] - ends[other]).max() > 1e-3, (one, other)


@pytest.mark.parametrize(("text", "target"), TRANSLATED)
def test_a_translation_keeps_what_it_says(walked: Paths, text: str, target: str) -> None:
    made, there = translated(text, target), TARGETS[target]
    assert made.ours.startswith(f"ravine.to_{target}(")
    assert (made.text == made.native) == (made.exact or made.settles)
    assert made.text in (made.native, made.ours)
    for kind in KINDS:
        expected = walked(BACKENDS[text], kind, text)
        limit = agreement(BACKENDS[text], text)
        if made.native:
            assert_parts_as_said(
                made, kind, gaps(walked(there, kind, made.native), expected), limit
            )
        if kind == "constant" or STAYS not in text:
            real = gaps(walked(there, kind, made.ours), expected)
            assert real.max() <= max(limit, agreement(there, made.ours)), kind


def assert_parts_as_said(made: Translation, kind: str, real: Any, limit: float) -> None:
    """The native of a translation is as far from its source as that says."""
    assert made.native is not None
    exact = made.exact if kind == "constant" else made.under_schedules
    said = made.differences if kind == "constant" else made.scheduled
    limit = max(limit, agreement(TARGETS[made.framework], made.native))
    if exact:
        assert real.max() <= limit, (kind, made.native)
        return
    assert real.max() > DIFFER, (kind, made.native)
    # Norms span sizes here, and not there.
    if "clip" not in made.native and np.isfinite(real).all():
        np.testing.assert_allclose(real, list(said.values()), rtol=1e-4, atol=limit)


@pytest.mark.parametrize("text", [text for text in EVERY if text not in SOURCES["tf1"]])
def test_a_round_trip_ends_where_it_began(text: str) -> None:
    framework, rule = read(text)
    assert_same(read(WRITERS[framework].write(rule))[1], rule)
