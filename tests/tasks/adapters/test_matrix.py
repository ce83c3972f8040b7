"""Every kind of network, and every rule, trains in the race as in Keras itself on TensorFlow."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from ravine.rules import RULES
from ravine.tasks.adapters.keras_network import Network
from ravine.tasks.adapters.model import OwnModel, own_model
from ravine.training.batches import batch_rows
from ravine.training.engine import numeric, programs

sys.path.insert(0, str(Path(__file__).parent))
from networks import BATCH, CASES, ROWS, SAME, STEPS

sys.path.pop(0)


pytestmark = pytest.mark.usefixtures("compiled_quickly")


@cache
def task_of(name: str) -> OwnModel:
    case = CASES[name]
    given = {"validation_data": case.data, "test_data": case.data}
    return own_model(case.make, case.data, class_weight=case.class_weight, **given, **case.told)


def split(part: Any) -> tuple[Any, Any]:
    return part.x, part.y


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    return {name: task_of(name).network() for name in CASES}


@pytest.fixture(scope="module")
def expected(
    networks: dict[str, Network], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What Keras on TensorFlow found, in one process for all."""
    folder = tmp_path_factory.mktemp("oracle")
    arrays: dict[str, Any] = {}
    for name, network in networks.items():
        drawn = network.draw(0)
        state = [s for s in drawn.state if s.dtype != np.uint32]
        arrays |= {f"{name}/{i}": w for i, w in enumerate([*drawn.trainable, *state])}
        arrays[f"{name}/rows"] = batch_rows(0, ROWS, BATCH, STEPS)
    np.savez(folder / "given.npz", **arrays)
    subprocess.run(
        [sys.executable, Path(__file__).with_name("keras_oracle.py"), "given.npz", "found.npz"],
        cwd=folder,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        check=True,
        capture_output=True,
    )
    with np.load(folder / "found.npz") as found:
        return dict(found)


@pytest.mark.parametrize("name", CASES)
def test_it_trains_as_keras_on_tensorflow(
    networks: dict[str, Network], expected: dict[str, Any], name: str
) -> None:
    network, data, (rule, _) = networks[name], task_of(name).load(), SAME[CASES[name].by]
    drawn = jax.tree.map(lambda array: np.asarray(array)[None], tuple(network.draw(0)))
    hyper = {key: np.float32([value]) for key, value in numeric(rule).items()}
    begin, advance = map(jax.jit, programs(network, rule))
    lanes, _ = begin(hyper, *drawn, [split(data.test)])
    rows = batch_rows(0, ROWS, BATCH, STEPS)[None, None]
    span = np.float32(0), np.int32(1)
    _, losses, measures = advance(hyper, lanes, span, rows, split(data.train), [split(data.test)])
    losses = np.asarray(losses[0])
    assert losses[-6:].mean() < losses[:6].mean()  # it did train
    # Losses of order one in float32, through 12 steps.
    np.testing.assert_allclose(losses, expected[f"{name}/losses"], rtol=1e-5, atol=2e-6)
    if rule.looks_ahead:
        return  # Keras evaluates the point ahead
    told = zip(expected[f"{name}/measures"], expected[f"{name}/end"], strict=True)
    told = dict(told)
    if "mse" in told:  # Keras adds what regularises to the loss that it evaluates
        told["loss"] = told["mse"]
    end = dict(zip(network.measures, measures[0, 0, 0], strict=True))
    assert end.keys() == {*expected[f"{name}/measures"]}
    for measure, value in told.items():
        np.testing.assert_allclose(end[measure], value, rtol=1e-5, atol=2e-6, err_msg=measure)


def test_every_rule_is_compared_with_keras() -> None:
    assert {type(SAME[case.by][0]) for case in CASES.values()} == set(RULES.values())
