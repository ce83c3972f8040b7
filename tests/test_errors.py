"""Names that nobody knows: what is suggested means the same, or is one slip of the pen away."""

import inspect
from typing import Any

import keras
import optax
import pytest
import torch

from ravine.errors import ELSEWHERE, nearest, unknown
from ravine.frameworks.keras import KERAS_ARGUMENTS
from ravine.frameworks.spelling import KNOWN
from ravine.frameworks.translate import READERS
from ravine.rules import RULES

ADAM = list(RULES["adam"].hyperparameters())
ADAMW = list(RULES["adamw"].hyperparameters())
RMSPROP = list(RULES["rmsprop"].hyperparameters())


@pytest.mark.parametrize(
    ("given", "known", "meant"),
    [
        ("lr", ADAM, "learning_rate"),
        ("learning_rate", ["lr", "momentum"], "lr"),
        ("betas", ADAM, "beta_1"),
        ("b2", ADAM, "beta_2"),
        ("beta_2", ["lr", "betas", "eps"], "betas"),
        ("eps", ADAM, "epsilon"),
        ("alpha", RMSPROP, "rho"),
        ("rho", ["decay", "eps"], "decay"),
        ("decay", ADAMW, "weight_decay"),
        ("wd", ADAMW, "weight_decay"),
        ("max_grad_norm", KERAS_ARGUMENTS, "global_clipnorm"),
        ("clip_value", KERAS_ARGUMENTS, "clipvalue"),
        ("schedule_decay", list(RULES["nadam"].hyperparameters()), "momentum_decay"),
        ("ADAM", KNOWN, "adam"),
        ("adm", KNOWN, "adam"),
        ("sdg", KNOWN, "sgd"),
        ("nesterow", KNOWN, "nesterov"),
        ("rms-prop", KNOWN, "rmsprop"),
        ("adamwe", KNOWN, "adamw"),
        ("weigth_decay", ADAMW, "weight_decay"),
        # A meaning that no name has: what is near in letters means something else.
        ("decay", RMSPROP, None),
        ("decay", list(RULES["nadam"].hyperparameters()), None),
        ("alpha", ADAM, None),
        ("momentum", list(RULES["nadam"].hyperparameters()), None),
        ("lr_decay", ADAMW, None),
        ("frobnicate", KNOWN, None),
        ("xy", KNOWN, None),
        ("", KNOWN, None),
        ("x" * 10_000, KNOWN, None),
    ],
)
def test_a_name_means_what_it_means_elsewhere(given: str, known: Any, meant: str | None) -> None:
    assert nearest(given, known) == meant


def test_a_rate_that_decays_is_told_from_weights_that_do() -> None:
    said = str(unknown("hyperparameter of adamw", "decay", ADAMW))
    assert said.endswith("did you mean 'weight_decay'? A learning rate that decays is a schedule")


def others() -> set[str]:
    """All optimizers of the three frameworks that ravine has not."""
    found = set()
    for module, readers in ((keras.optimizers, "keras"), (torch.optim, "torch"), (optax, "optax")):
        for name, value in vars(module).items():
            if name[0] == "_" or name in READERS[readers] or name == "Optimizer":
                continue
            if inspect.isclass(value) and module is not optax:
                found.add(name)
            elif (
                inspect.isfunction(value) and "learning_rate" in inspect.signature(value).parameters
            ):
                found |= set() if name.startswith("scale_by") else {name}
    return found


@pytest.mark.parametrize("name", sorted(others() | {"lion", "Adamax", "AdamP", "SOAP", "Sophia"}))
def test_another_algorithm_is_none_of_ours(name: str) -> None:
    """However near its letters are: Adamax is not Adam, and lion does not clip."""
    for known in (KNOWN, *READERS.values()):
        said = str(unknown("rule", name, known))
        assert "did you mean" not in said
        assert "none of ravine's; known: " in said


def test_of_other_kinds_such_words_are_words() -> None:
    assert "lion" in ELSEWHERE
    said = str(unknown("task", "lions", ["lion", "cat"]))
    assert "did you mean 'lion'?" in said
    assert "none of ravine's" not in str(unknown("task", "lion", ["cat"]))
