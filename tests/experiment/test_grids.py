"""Which settings are tried: as many for every rule, evenly spread."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import qmc

from ravine.errors import InvalidArgument
from ravine.experiment.config import choose
from ravine.experiment.grids import (
    LARGEST,
    MOST,
    SMALLEST,
    finer,
    log_grid,
    read_rates,
    scattered,
    widened,
)
from ravine.rules import RULES, Adam, AdamW, Momentum
from ravine.tasks import TASKS

TASK = TASKS["digits-mlp"]


def chosen(*names: str, **changes: Any) -> Any:
    given: dict[str, Any] = {"learning_rates": None, "tuning_seeds": 3, "eval_seeds": 12}
    given |= {"epochs": None, "batch_size": None} | changes
    return choose(TASK, [RULES[name]() for name in names], **given)[0]


@given(st.floats(1e-6, 1.0), st.integers(2, 40), st.booleans())
def test_a_wider_grid_goes_on_as_it_was(low: float, points: int, upwards: bool) -> None:
    grid = log_grid(low, 1e4 * low, points)
    wide = widened(grid, points, upwards)
    assert set(grid) < set(wide)
    assert list(wide) == sorted(wide)
    ratios = np.array(wide[1:]) / np.array(wide[:-1])
    assert ratios == pytest.approx(ratios[0], rel=2e-5)
    grown = wide[-1] / grid[-1] if upwards else grid[0] / wide[0]
    assert grown == pytest.approx(10, rel=1e-4) or points not in (5, 9, 13, 17)


@given(st.floats(1e-6, 1.0), st.integers(2, 40), st.data())
def test_finer_rates_lie_evenly_around_the_best_within_the_grid(
    low: float, points: int, data: st.DataObject
) -> None:
    grid = log_grid(low, 1e4 * low, points)
    place = data.draw(st.integers(0, points - 1))
    found = finer(grid, grid[place])
    assert set(found).isdisjoint(grid)
    beside = 2 * ((place > 0) + (place < points - 1))  # nothing beyond an end
    assert len(found) == beside
    step = math.log(1e4) / (points - 1)
    shares = [math.log(rate / grid[place]) / step for rate in found]
    assert shares == pytest.approx([s for s in (-0.5, -0.25, 0.25, 0.5) if s * (place == 0) >= 0
                                    and s * (place == points - 1) <= 0], abs=1e-3)  # fmt: skip


def test_every_rule_tries_equally_many_settings() -> None:
    choices = chosen("sgd", "momentum", "adamw", search="beta_2,weight_decay,momentum", trials=13)
    assert {len(rates) for rates in choices.learning_rates.values()} == {13}
    assert {rule: set(columns) for rule, columns in choices.others.items()} == {
        "momentum": {"momentum"},
        "adamw": {"beta_2", "weight_decay"},
    }
    assert all(len(v) == 13 for columns in choices.others.values() for v in columns.values())
    assert not choices.may_widen
    settings = dict(choices.trials("adamw")[4].others)
    assert settings == {name: v[4] for name, v in choices.others["adamw"].items()}
    assert not any(trial.others for trial in choices.trials("sgd"))
    # 27 where nothing is said, 9 where nothing else is searched.
    assert len(chosen("adam", search="beta_2").learning_rates["adam"]) == 27
    assert len(chosen("adam").learning_rates["adam"]) == 9


def test_settings_are_spread_more_evenly_than_by_chance() -> None:
    rates = {"adamw": log_grid(1e-5, 1e-1, 64)}
    others = scattered({"adamw": AdamW()}, rates, {"beta_2": None, "weight_decay": None})
    memory, decay = (np.array(others["adamw"][name]) for name in ("beta_2", "weight_decay"))
    unit = np.column_stack(
        [
            (np.arange(64) + 0.5) / 64,
            np.log((1 - memory) / 0.1) / np.log(1e-4 / 0.1),
            np.log10(decay / 1e-5) / 5,
        ]
    )
    assert unit.min() > 0
    assert unit.max() < 1
    by_chance = np.random.default_rng(0).random((20, 64, 3))
    assert qmc.discrepancy(unit) < 0.5 * min(qmc.discrepancy(one) for one in by_chance)


def test_a_range_of_the_users_own() -> None:
    others = scattered({"adam": Adam()}, {"adam": (0.1, 0.2, 0.3)}, {"epsilon": (0.0, 0.5)})
    assert others == {"adam": {"epsilon": (0.25, 0.125, 0.375)}}  # van der Corput, base 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search": "beta_3"}, "unknown hyperparameter to search 'beta_3': did you mean 'beta_"),
        ({"search": "learning_rate"}, "always searched"),
        ({"search": "beta_2=0.999:0.9"}, "write a hyperparameter, such as beta_2"),
        ({"search": "beta_2=0.9:1"}, "beta_2=1 is not allowed: it must be in [0, 1)"),
        ({"search": "momentum_decay"}, "write momentum_decay=LO:HI"),
        ({"trials": 1}, "trials=1"),
        ({"trials": 5, "learning_rates": [0.1]}, "give one of them"),
        ({"repetitions": 0}, "repetitions=0"),
        ({"repetitions": 101}, "at most 100"),
        ({"tuning_seeds": 10_001}, "at most 10000"),
        ({"target": "accuracy>"}, "write a test loss, such as 0.3"),
        ({"target": float("nan")}, "cannot read the target"),
    ],
)
def test_what_cannot_be_searched_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        chosen("nadam", **changes)
    assert said in str(error.value)


def test_a_rule_that_joins_gets_what_the_others_got() -> None:
    from ravine.experiment.config import joined

    both = {"sgd": RULES["sgd"](), "momentum": Momentum()}
    own = joined(chosen("sgd"), TASK, both)
    assert own.rules == ("sgd", "momentum")
    assert own.learning_rates["momentum"] == chosen("momentum").learning_rates["momentum"]
    listed = joined(chosen("sgd", learning_rates=[0.1, 0.2]), TASK, both)
    assert listed.learning_rates["momentum"] == (0.1, 0.2)
    one = joined(
        chosen("sgd", "adam", learning_rates={"sgd": [0.1], "adam": [0.01]}),
        TASK,
        {**both, "adam": RULES["adam"]()},
    )
    assert len(one.learning_rates["momentum"]) == 1
    searched = joined(chosen("sgd", "adam", search="beta_2"), TASK, {**both, "adamw": AdamW()})
    assert set(searched.others) == {"adam", "adamw"}
    assert {len(rates) for rates in searched.learning_rates.values()} == {27}


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ("1e308:1.7e308:3", "from 1e-37 to 1e+38"),
        ("1e-320:1:3", "from 1e-37 to 1e+38"),  # a subnormal number
        ([1e-40, 0.1], "32-bit numbers"),
        ("0.1:1:1000000000", "1000000000 learning rates are not allowed: give at most 1000"),
        ([0.1 + i for i in range(MOST + 1)], "give at most 1000"),
        ("0:1:3", "must be > 0 and finite"),
        ("0.1:inf:3", "must be > 0 and finite"),
    ],
)
def test_rates_that_no_run_could_have_are_refused_before_they_are_built(
    rates: Any, said: str
) -> None:
    with pytest.raises(InvalidArgument) as error:
        read_rates(rates)
    assert said in str(error.value)


def test_a_rate_that_is_written_in_two_ways_is_one() -> None:
    assert read_rates("0.1,1e-1,.1") == (0.1,)


def test_a_grid_grows_as_far_as_numbers_go() -> None:
    low, high = log_grid(SMALLEST, 1e-33, 5), log_grid(1e34, LARGEST, 5)
    assert widened(low, 5, upwards=False) == low
    assert widened(high, 5, upwards=True) == high
