"""A schedule in a framework's own words gives the rule's learning rate at every step."""

import math
from typing import Any

import numpy as np
import pytest

import ravine
from ravine.frameworks.translate.parts import Unwritable
from ravine.frameworks.translate.translation import translation
from ravine.frameworks.translate.write_schedule import scheduled
from ravine.rules.wrappers import Scheduled

STEPS, RATE = 101, 0.03  # an odd number, so that halves and quarters lie between steps
CURVES = [
    {"schedule": name, **end}
    for name in ("cosine", "linear", "exponential", "inverse", "step")
    for end in ({}, {"end": 0.2})
]
WARM = [{**curve, "warmup": 0.1} for curve in (*CURVES, {"schedule": "constant"})]


def ours(schedule: Scheduled) -> list[float]:
    """The learning rate of every step, as the rule itself has it."""
    return [float(schedule.at(float(t)).learning_rate) for t in range(1, STEPS + 1)]


def keras_rates(line: str) -> list[float]:
    import keras

    optimizer = eval(line, {"keras": keras})
    rate = optimizer._learning_rate
    return [float(rate(step)) for step in range(STEPS)]


def optax_rates(line: str) -> list[float]:
    """From the steps that plain gradient descent takes down a slope of 1."""
    import optax

    optimizer = eval(line, {"optax": optax})
    state, found = optimizer.init(0.0), []
    for _ in range(STEPS):
        step, state = optimizer.update(np.float32(1.0), state)
        found.append(-float(step))
    return found


def torch_rates(line: str) -> list[float]:
    import torch

    there: dict[str, Any] = {"torch": torch, "math": math}
    there["params"] = [torch.nn.Parameter(torch.zeros(1))]
    exec(line, there)
    found = []
    for _ in range(STEPS):
        found.append(float(there["optimizer"].param_groups[0]["lr"]))
        there["optimizer"].step()
        there["scheduler"].step()
    return found


RATES = {"keras": keras_rates, "optax": optax_rates, "torch": torch_rates}


@pytest.mark.parametrize("curve", CURVES, ids=str)
@pytest.mark.parametrize("to", RATES)
def test_every_step_has_the_rate_that_the_rule_has(to: str, curve: dict[str, Any]) -> None:
    rule = Scheduled(ravine.SGD(learning_rate=RATE), steps=float(STEPS), **curve)
    line = translation(rule, to).text
    if (to, rule.schedule) == ("optax", "inverse"):  # which has none such
        assert line.startswith("ravine.to_optax(ravine.Scheduled(")
        return
    assert not line.startswith("ravine.")
    # Keras and Optax compute a schedule in 32 bits.
    exact = 1e-12 if to == "torch" else 3e-6
    np.testing.assert_allclose(RATES[to](line), ours(rule), rtol=exact, atol=exact * RATE)


@pytest.mark.parametrize("curve", WARM, ids=str)
def test_with_a_warm_up_pytorch_has_a_function_of_the_step(curve: dict[str, Any]) -> None:
    rule = Scheduled(ravine.SGD(learning_rate=RATE), steps=float(STEPS), **curve)
    line = translation(rule, "torch").text
    np.testing.assert_allclose(torch_rates(line), ours(rule), rtol=1e-12, atol=1e-14)
    for other in ("keras", "optax"):  # which warm up otherwise
        assert translation(rule, other).text.startswith(f"ravine.to_{other}(ravine.Scheduled(")


def test_what_walks_otherwise_at_a_changing_rate_is_ravines_own() -> None:
    """Keras has the rate of each step in the velocity, so that an earlier one lives on."""
    rule = Scheduled(ravine.Momentum(learning_rate=RATE), steps=float(STEPS))
    for to in ("keras", "torch"):
        made = translation(rule, to)
        assert (made.native is None) == made.text.startswith("ravine.")
    assert {to: translation(rule, to).native is None for to in ("keras", "torch")} == {
        to: not translation(rule.rule, to).follows for to in ("keras", "torch")
    }


def test_the_line_of_adamw_is_what_people_write() -> None:
    rule = Scheduled(ravine.AdamW(learning_rate=0.001, weight_decay=0.1), steps=264.0)
    assert translation(rule, "torch").text == (
        "optimizer = torch.optim.AdamW(params, lr=0.001, weight_decay=0.1); "
        "scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 264)"
        "  # scheduler.step() after every optimizer.step()"
    )
    assert translation(rule, "optax").text == (
        "optax.adamw(optax.cosine_decay_schedule(0.001, 264), weight_decay=0.1)"
    )


def test_two_learning_rates_are_not_guessed_at() -> None:
    schedule = Scheduled(ravine.SGD(), steps=10.0)
    with pytest.raises(Unwritable, match="more than one learning rate"):
        scheduled("optax.chain(optax.sgd(0.1), optax.sgd(0.2))", schedule, "optax")
