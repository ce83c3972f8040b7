"""Schedules as functions of progress, on every kind of array; their two ends."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch

from ravine.rules import SGD
from ravine.rules.ops import dtype_name
from ravine.rules.schedules import SCHEDULES
from ravine.rules.wrappers import Scheduled

every_schedule = pytest.mark.parametrize("name", SCHEDULES)


@every_schedule
def test_from_the_whole_rate_to_its_end_and_never_up(name: str) -> None:
    schedule, own = SCHEDULES[name], {"linear": 0.0, "cosine": 0.0, "constant": 1.0}
    values = [schedule(k / 64) for k in range(65)]
    assert values[0] == 1
    assert values[-1] == pytest.approx(own.get(name, 0.01), abs=1e-16)
    assert values == sorted(values, reverse=True)
    assert all(type(value) is float for value in values)
    if name != "constant":
        assert schedule(1.0, end=0.25) == 0.25


@every_schedule
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_keep_their_type(name: str, dtype: str) -> None:
    made: list[Any] = [np.array(0.6, dtype), tf.constant(0.6, dtype)]
    made.append(torch.tensor(0.6, dtype=getattr(torch, dtype)))
    if dtype == "float32":
        made.append(jnp.float32(0.6))
    for progress in made:
        found = SCHEDULES[name](progress)
        if name != "constant":
            assert dtype_name(found) == dtype
        tolerance = {"float32": 1e-6, "float64": 1e-15}[dtype]
        assert float(found) == pytest.approx(SCHEDULES[name](0.6), rel=tolerance)


def end_of(name: str) -> float:
    return {"linear": 1e-30, "cosine": 1e-30, "constant": 1.0}.get(name, 0.01)


@every_schedule
@pytest.mark.parametrize("warmup", [0.0, 0.25, 0.99])
@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
def test_no_step_is_taken_at_no_rate(name: str, warmup: float, steps: int) -> None:
    rule = Scheduled(SGD(learning_rate=1.0), schedule=name, steps=steps, warmup=warmup)
    rates = [rule.rate(0.0, t) for t in range(1, steps + 3)]
    assert all(0 < rate <= 1 for rate in rates)
    # Past the end it stays there.
    assert rates[-1] == rates[-2] == pytest.approx(rule.rule.learning_rate * end_of(name))
    if not warmup:
        assert rates[0] == 1
    assert rule.read(1.0, (), 0) == 1.0


def test_warm_up_climbs_in_a_line_and_arrives() -> None:
    rule = Scheduled(SGD(learning_rate=1.0), schedule="constant", steps=100, warmup=0.05)
    rates = [rule.rate(0.0, t) for t in range(1, 8)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0], rel=1e-15)
