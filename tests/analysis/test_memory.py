"""What a rule remembers, found from the rule itself."""

import pytest

from ravine.analysis.memory import state_bytes, state_bytes_of
from ravine.frameworks.spelling import read_rule

FLOATS = {
    "sgd": 0,
    "momentum": 1,
    "nesterov": 1,
    "adagrad": 1,
    "rmsprop": 1,
    "adam": 2,
    "adamw": 2,
    "nadam": 2,  # and a number a matrix
    "amsgrad": 3,
    "clip(adam, clipnorm=1)": 2,
    "decay(momentum)": 1,
    "partition(momentum)": 1,  # of the biases none
}


@pytest.mark.parametrize(("spelling", "floats"), FLOATS.items())
def test_a_float_is_four_bytes(spelling: str, floats: int) -> None:
    assert state_bytes_of(spelling) == state_bytes(read_rule(spelling)) == 4 * floats


def test_a_rule_of_a_user_is_not_known_by_its_name() -> None:
    assert state_bytes_of("mine") is None
