"""What rules begin with, against those who published or ship them; and what is searched."""

import inspect
import math

import keras
import pytest
import torch

from ravine.rules import RULES, VARIANTS
from ravine.rules.update_rule import Rule

# Where a rule follows its paper and Keras does not. Each says why in its own file.
OTHERWISE = {
    ("adagrad", "learning_rate"): 0.01,
    ("adagrad", "initial_accumulator_value"): 0.0,
    ("adagrad", "epsilon"): 1e-9,
    ("momentum", "momentum"): 0.9,
    ("nesterov", "momentum"): 0.9,
    ("rmsprop", "epsilon"): 1e-9,
    ("adam", "epsilon"): 1e-8,
    ("adamw", "epsilon"): 1e-8,
    ("adamw", "weight_decay"): 0.01,
    ("nadam", "epsilon"): 1e-8,
    ("nadam", "learning_rate"): 2e-3,
}
NATIVES = {"momentum": "SGD", "nesterov": "SGD", "sgd": "SGD"}


@pytest.mark.parametrize("name", RULES)
def test_defaults_are_those_of_keras_or_of_the_paper(name: str) -> None:
    native = getattr(keras.optimizers, NATIVES.get(name, RULES[name].__name__))
    theirs = {k: p.default for k, p in inspect.signature(native).parameters.items()}
    for key, value in RULES[name].defaults().items():
        if key in ("epsilon_outside", "epsilon_hat", "epsilon_root"):
            assert value == 0, "a floor that only other frameworks have"
        elif (name, key) in OTHERWISE:
            assert value == OTHERWISE[name, key]
        elif key == "momentum_decay":
            assert value == inspect.signature(torch.optim.NAdam).parameters[key].default
        else:
            assert value == theirs.get(key, 0.0 if key.startswith("initial") else None), key


@pytest.mark.parametrize("made", [*RULES.values(), *VARIANTS.values()])
def test_learning_rates_are_searched_over_four_decades_around_the_default(made: type[Rule]) -> None:
    low, high = made.hyperparameters()["learning_rate"].search or (0, 0)
    assert math.log10(high / low) == pytest.approx(4)
    assert low <= made.defaults()["learning_rate"] <= high
