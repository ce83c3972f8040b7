"""The readers know every public optimizer of our families, all its parameters and defaults."""

import functools
import importlib
import inspect
from typing import Any

import keras
import optax
import pytest
import torch

from ravine.frameworks.translate import READERS

# Other families. What is neither here nor read is new: decide.
OTHERS = {
    "keras": """Adadelta Adafactor Adamax Ftrl Lamb Lion LossScaleOptimizer MultiOptimizer Muon
        Optimizer OptimizerMap ScheduleFreeAdamW""",
    "torch": """ASGD Adadelta Adafactor Adamax LBFGS Muon Optimizer RAdam Rprop SparseAdam""",
    "optax": """adabelief adadelta adafactor adamax adamaxw adan dpsgd fromage lamb lars lbfgs lion
        noisy_sgd novograd optimistic_adam optimistic_adam_v2 optimistic_gradient_descent
        polyak_sgd radam rprop scale_by_learning_rate scale_by_rprop sign_sgd signum sm3 yogi""",
    "tf1": """AdadeltaOptimizer AdagradDAOptimizer FtrlOptimizer ProximalAdagradOptimizer
        ProximalGradientDescentOptimizer SyncReplicasOptimizer NadamOptimizer""",
}
MODULES = {"keras": keras.optimizers, "torch": torch.optim, "optax": optax}
# What all readers of a framework take, as most of its optimizers do.
SHARED: dict[str, set[str]] = {
    "keras": set(),
    "torch": {"capturable", "fused"},
    "optax": {"accumulator_dtype", "mask", "mu_dtype"},
}
UNSEEN = {"self", "params", "kwargs"}
NAMES = [(framework, name) for framework in MODULES for name in READERS[framework]]


def taken(native: Any) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(native).parameters
    return {name: p for name, p in parameters.items() if name not in UNSEEN}


@pytest.mark.parametrize(("framework", "name"), NAMES)
def test_parameters_and_defaults_are_the_native_s(framework: str, name: str) -> None:
    ours = taken(READERS[framework][name])
    theirs = taken(getattr(MODULES[framework], name))
    assert set(theirs) <= set(ours)
    assert set(ours) - set(theirs) <= SHARED[framework]
    for parameter, native in theirs.items():
        if parameter != "name":  # Keras's is the class's
            assert ours[parameter].default == native.default, parameter


@pytest.mark.parametrize(("framework", "name"), NAMES)
def test_what_is_given_by_place_means_the_same(framework: str, name: str) -> None:
    def placed(function: Any) -> list[str]:
        found = taken(function).values()
        return [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]

    ours, theirs = placed(READERS[framework][name]), placed(getattr(MODULES[framework], name))
    # PyTorch takes some by name alone that are read either way.
    assert ours[: len(theirs)] == theirs[: len(ours)]


def test_tensorflow_1() -> None:
    train = importlib.import_module("tensorflow").compat.v1.train
    natives = {name: getattr(train, name) for name in dir(train) if name.endswith("Optimizer")}
    del natives["Optimizer"]
    assert set(natives) - set(READERS["tf1"]) <= set(OTHERS["tf1"].split())
    assert set(READERS["tf1"]) - set(natives) == {"NadamOptimizer"}  # it was in contrib
    for name in set(READERS["tf1"]) & set(natives):
        ours, theirs = (
            {k: p.default for k, p in taken(kind).items() if k != "name"}
            for kind in (READERS["tf1"][name], natives[name])
        )
        assert ours == theirs


@pytest.mark.parametrize("framework", MODULES)
def test_every_optimizer_of_our_families_is_read(framework: str) -> None:
    public = set()
    for name, value in vars(MODULES[framework]).items():
        if name.startswith("_") or not callable(value):
            continue
        if framework != "optax":
            public |= {name} if inspect.isclass(value) else set()
        # Types are callable too, and have no signature.
        elif inspect.isfunction(value) or isinstance(value, functools.partial):
            public |= {name} if "learning_rate" in inspect.signature(value).parameters else set()
    assert public - set(OTHERS[framework].split()) == set(READERS[framework])
