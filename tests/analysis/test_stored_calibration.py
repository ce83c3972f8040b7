"""What simulated races came to, as it is stored; and that the program that made it runs."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.calibration.curves import Curves, by_formula
from benchmarks.calibration.races import Sampler, summary

STORED = json.loads(
    (Path(__file__).parents[2] / "docs" / "results" / "calibration.json").read_text()
)
TASKS = ["digits-mlp", "digits-mlp:other", "breast-cancer-logistic", "synthetic"]


@pytest.mark.parametrize("task", TASKS)
def test_a_verdict_errs_as_seldom_as_it_says(task: str) -> None:
    assert STORED["races"] >= 1_000
    found = STORED["tasks"][task]
    assert found["all equal"]["any_false"] <= 0.05
    assert found["as they are"]["any_false"] <= 0.05
    assert found["as they are"]["all_intervals_hold"] >= 0.93
    assert found["all equal"]["all_intervals_hold"] >= 0.93


def test_most_comparisons_are_decided_by_few_runs() -> None:
    for task in ("digits-mlp", "digits-mlp:other"):
        found = STORED["tasks"][task]["as they are"]
        assert found["decided"] >= 5
        assert found["runs"]["mean"] <= 300


def test_early_stopping_changes_no_choice_on_rules_it_was_not_designed_on() -> None:
    stored = Path(__file__).parents[2] / "docs" / "results" / "early-stopping.json"
    for found in json.loads(stored.read_text()).values():
        assert found["races"] >= 500
        assert {"lion", "schedulefree", "rmsprop"} <= set(found["rules"])
        assert found["other_rates_chosen"] <= 0.01
        assert found["other_contenders"] <= 0.01


def test_a_speed_up_that_is_known_is_found(tmp_path: Path) -> None:
    curves = by_formula(20)
    curves.save(tmp_path / "curves.npz")
    sampler = Sampler(Curves.load(tmp_path / "curves.npz"))
    found = summary(sampler, 5)
    assert found["races"] == 5
    assert found["rules"]["g"]["faster"] == 1.0
    assert found["rules"]["g"]["true"] == pytest.approx(2.0, rel=0.1)
    assert found["rules"]["a"]["true"] == pytest.approx(1.0, rel=0.1)
    equal = Sampler(curves, equal=True).race(np.random.default_rng(0))
    assert equal is not None
    assert set(equal.true.values()) == {0.0}
