"""Advice on what a race is asked for, on surfaces and on levers. See ``frameworks.py``."""

from typing import Any

import numpy as np
import pandas as pd
import torch

import ravine
from ravine.analysis.performance import performance_profile
from ravine.execution.crosscheck import check_target
from ravine.execution.session import check_workers
from ravine.experiment.config import choose, scheduled
from ravine.experiment.durations import read_seconds
from ravine.experiment.grids import log_grid, own_grid, read_rates, read_search, scattered
from ravine.experiment.target import check_not_met
from ravine.explain.surfaces import find
from ravine.reporting.explorer.entries import Entry
from ravine.rules import SGD, Adam, AdamW
from ravine.rules.update_rule import Array, Rule, State, hyper, rule
from ravine.rules.wrappers import Scheduled
from ravine.tasks import TASKS
from ravine.tasks.levers import check_vary, read_vary
from ravine.tasks.names import check

TASK = TASKS["digits-mlp"]
X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X[:, 0]


def chosen(rule: Rule, **changes: Any) -> Any:
    given: dict[str, Any] = {"learning_rates": None, "tuning_seeds": 3, "eval_seeds": 12}
    given |= {"epochs": None, "batch_size": None} | changes
    return choose(TASK, [rule], **given)


def built(activation: str = "relu") -> Any:
    import keras

    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, activation), keras.layers.Dense(1)]
    )


def needing(width: int) -> Any:
    return built()


def with_default(width: int = 3) -> Any:
    return built()


def model(make: Any) -> Any:
    return ravine.Task.from_model(make, (X, Y), loss="mse")


def module(pretraining: Any = None) -> Any:
    return torch.nn.Linear(3, 1)


def loading(weights: str = "none") -> Any:
    return torch.nn.Linear(3, 1)


def of_torch(make: Any) -> Any:
    return ravine.Task.from_torch(make, (X, Y[:, None]), torch.nn.MSELoss())


def of_jax() -> Any:
    return ravine.Task.from_jax(
        lambda key: {"w": np.zeros(3, np.float32)}, lambda p, x, y: (x @ p["w"] - y) ** 2, (X, Y)
    )


@rule
class Unranged(Rule):
    """A user's own without ranges."""

    learning_rate: float = hyper(0.1, "length of a step", valid="> 0")
    share: float = hyper(0.5, "of a step", valid="[0, 1)")

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        return w - self.learning_rate * g, state


@rule
class Ranged(Unranged):
    """The same with one."""

    learning_rate: float = hyper(0.1, "length of a step", valid="> 0", search=(1e-3, 10.0))


def spread(**search: Any) -> Any:
    return scattered({"unranged": Unranged()}, {"unranged": (0.1, 0.2)}, search)


FOLLOWED: list[tuple[str, Any, Any]] = [
    (
        "give a start: only a surface or a formula",
        lambda: ravine.descend("sgd", (lambda x: x * x, lambda x: 2 * x)),
        lambda: ravine.descend("sgd", (lambda x: x * x, lambda x: 2 * x), 1.0, steps=2),
    ),
    ("workers={} is not allowed", lambda: check_workers(-1), lambda: check_workers(0)),
    (
        "workers=0 is this process alone",
        lambda: check_workers(0, "local"),
        lambda: check_workers(None, "local"),
    ),
    (
        "{} {} is not allowed: give it a name",
        lambda: check("task", [""]),
        lambda: check("task", ["mine"]),
    ),
    (
        "trials and learning_rates both say",
        lambda: chosen(Adam(), trials=5, learning_rates="1e-3:1:5"),
        lambda: chosen(Adam(), learning_rates="1e-3:1:5"),
    ),
    (
        "trials={} is not allowed",
        lambda: chosen(Adam(), trials=1),
        lambda: chosen(Adam(), trials=2),
    ),
    (
        "cannot read the target",
        lambda: chosen(Adam(), target="accuracy"),
        lambda: [chosen(Adam(), target=x) for x in (0.3, "accuracy>=0.95")],
    ),
    (
        "on the training data the loss alone is measured",
        lambda: chosen(Adam(), target="training accuracy>=0.9"),
        lambda: [
            chosen(Adam(), target=x) for x in ("training loss<=0.1", "validation accuracy>=0.9")
        ],
    ),
    (
        "a loss falls in training; write",
        lambda: chosen(Adam(), target="loss>=0.5"),
        lambda: chosen(Adam(), target="loss<=0.5"),
    ),
    (
        "is met before step one, where the",
        lambda: check_not_met("accuracy<=0.9", ("loss", "accuracy"), [[2.3, 0.1]] * 2),
        lambda: [
            check_not_met(x, ("loss", "accuracy"), [[2.3, 0.1]] * 2)
            for x in ("accuracy>=0.9", "loss<=0.5", "training loss<=3.0", "")
        ],
    ),
    (
        "cannot be confirmed: runs in a framework are measured on the test data",
        lambda: check_target("validation accuracy>=0.9"),
        lambda: check_target("accuracy>=0.9"),
    ),
    (
        "tune='full' tries weight decays",
        lambda: chosen(AdamW(), tune="full", learning_rates=[0.1]),
        lambda: [
            chosen(AdamW(), tune="full"),
            chosen(AdamW(), learning_rates=[0.1]),
            chosen(AdamW(), search="weight_decay"),
        ],
    ),
    (
        "has a schedule of its own: race it without",
        lambda: scheduled(Scheduled(SGD()), "linear", 9),
        lambda: scheduled(Scheduled(SGD()), "constant", 9),
    ),
    (
        "{}={} is not allowed: give a whole number of at least 1",
        lambda: chosen(Adam(), tuning_seeds=0),
        lambda: chosen(Adam(), tuning_seeds=1),
    ),
    (
        "the race searches the learning rate itself",
        lambda: chosen(Adam(learning_rate=0.5)),
        lambda: chosen(Adam(), learning_rates="0.1,0.5"),
    ),
    (
        "cannot read the length of time",
        lambda: read_seconds("soon"),
        lambda: [read_seconds(x) for x in ("90s", "5min", "1h30m", "2h", 90)],
    ),
    ("run backwards: write", lambda: log_grid(1.0, 0.1, 3), lambda: log_grid(0.1, 1.0, 3)),
    (
        "{} learning rates from {} to {}: give at least 2",
        lambda: log_grid(0.1, 1.0, 1),
        lambda: log_grid(0.1, 1.0, 2),
    ),
    (
        "declares no range to search for its learning rate",
        lambda: own_grid(TASK, "unranged", Unranged(), 3),
        lambda: own_grid(TASK, "ranged", Ranged(), 3),
    ),
    (
        "declares no range to search for {}: write",
        lambda: spread(share=None),
        lambda: spread(share=(0.1, 0.5)),
    ),
    (
        "learning rates are not allowed: give at most",
        lambda: read_rates("1e-3:1:1001"),
        lambda: read_rates("1e-3:1:1000"),
    ),
    (
        "cannot read what to search in",
        lambda: read_search("beta_2=high"),
        lambda: [read_search(x) for x in ("beta_2", "beta_2=0.9:0.999")],
    ),
    (
        "the learning rate is always searched",
        lambda: read_search("learning_rate"),
        lambda: chosen(Adam(), learning_rates="0.01:0.1:3"),
    ),
    (
        "cannot read the learning rates",
        lambda: read_rates("small"),
        lambda: [read_rates(x) for x in ("1e-4:1:9", "0.1,0.3,1")],
    ),
    ("; write {}", lambda: find("xy"), lambda: find("x*y")),
    ("; write {}**{}", lambda: find("x2 + y"), lambda: find("x**2 + y")),
    ("; did you mean '{}'?", lambda: find("sn(x)"), lambda: find("sin(x)")),
    ("it is empty; write one such as", lambda: find(""), lambda: find("5*x**2 + 2*x*y")),
    ("write decimals with a point", lambda: find("0,5*x"), lambda: find("0.5*x")),
    ("is a function; write", lambda: find("sin*x"), lambda: find("sin(x)")),
    (
        "steps={} is not allowed",
        lambda: ravine.descend("sgd", "x**2 + y**2", (1, 1), steps=0),
        lambda: ravine.descend("sgd", "x**2 + y**2", (1, 1), steps=1),
    ),
    (
        "the explorer shows rules that wrap no other",
        lambda: Entry(Scheduled(SGD())),
        lambda: Entry(SGD()),
    ),
    (
        "vary: nothing is varied",
        lambda: read_vary({}),
        lambda: read_vary("activation=tanh,relu"),
    ),
    (
        "vary: '{}' has no values",
        lambda: read_vary("activation="),
        lambda: read_vary("activation=one,another"),
    ),
    (
        "cannot read vary",
        lambda: read_vary("activation"),
        lambda: [read_vary(x) for x in ("activation=tanh,relu", "batch_size=16,64")],
    ),
    (
        "is varied twice: list all",
        lambda: read_vary(["a=1,2", "a=3"]),
        lambda: read_vary(["a=1,2,3"]),
    ),
    (
        "vary: pretraining={}: give",
        lambda: read_vary("pretraining=mine"),
        lambda: read_vary("pretraining=none,other-half,my.keras"),
    ),
    (
        "among its values: give names and numbers",
        lambda: read_vary({"activation": [abs]}),
        lambda: read_vary({"activation": ["abs"]}),
    ),
    (
        "two JAX functions have no lever",
        lambda: check_vary(of_jax(), {"activation": ("relu",)}),
        lambda: check_vary(of_jax(), {"batch_size": (16,)}),
    ),
    (
        "a model that is built already has no lever",
        lambda: check_vary(model(built()), {"activation": ("tanh",)}),
        lambda: check_vary(model(built), {"activation": ("tanh",)}),
    ),
    (
        "vary: {} is of Keras models",
        lambda: check_vary(of_torch(lambda: torch.nn.Linear(3, 1)), {"pretraining": ("none",)}),
        lambda: check_vary(of_torch(loading), {"weights": ("none",)}),
    ),
    (
        "needs '{}' too: give it a default",
        lambda: check_vary(model(needing), {"batch_size": (16,)}),
        lambda: [
            check_vary(model(with_default), {"batch_size": (16,)}),
            check_vary(model(needing), {"width": (3,)}),
        ],
    ),
    (
        "vary: batch_size={}: give whole numbers",
        lambda: check_vary(model(built), {"batch_size": (0,)}),
        lambda: check_vary(model(built), {"batch_size": (1,)}),
    ),
    (
        "times is empty",
        lambda: performance_profile(pd.DataFrame()),
        lambda: performance_profile(
            pd.DataFrame({"digits": [1.0, 2.0], "iris": [2.0, 1.0]}, index=["sgd", "adam"])
        ),
    ),
]
