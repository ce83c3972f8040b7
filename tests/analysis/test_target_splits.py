"""A target may be of the test data, of the validation data, or of the training loss."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravine
from ravine import analysis
from ravine.analysis.curves import series
from ravine.errors import InvalidArgument
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan, Run
from ravine.experiment.target import TRAINING, read_target
from ravine.storage.validation import read_plan

# Evaluations until 0.5, by rule and what is measured: another rule is first on each.
LATE = {
    "test": {"sgd": 40.0, "adam": 20.0, "rmsprop": 80.0},
    "validation": {"sgd": 40.0, "adam": 80.0, "rmsprop": 20.0},
    "training": {"sgd": 40.0, "adam": 40.0, "rmsprop": 20.0},
}


def raced(made, plan: Plan) -> list[Curve]:
    curves: list[Curve] = []
    while runs := analysis.due(plan, curves):
        there = {curve.run.id for curve in curves}
        curves += [curve_of(made, plan, run) for run in runs if run.id not in there]
    return curves


def curve_of(made, plan: Plan, run: Run) -> Curve:
    worse = 1.0 if run.learning_rate == 0.1 else 3.0
    loss = {split: made.reaching(worse * late[run.rule]) for split, late in LATE.items()}
    both = np.stack([loss["validation"], loss["test"]], axis=-1)
    measures = np.stack([both, 1 / (1 + both)], axis=-1).astype("f4")
    measures[0] = made.start
    # Within a period steps differ, and their mean is what counts.
    steps = np.repeat(loss["training"][1:], plan.period) * np.tile([0.5, 1.5], plan.steps // 2)
    return Curve(run, "w", "b", steps.astype("f4"), measures)


@pytest.mark.parametrize(
    ("target", "metric", "first", "speedup"),
    [
        (0.5, "test loss", "adam", 2.0),
        ("test loss<=0.5", "test loss", "adam", 2.0),
        ("validation loss<=0.5", "validation loss", "rmsprop", 2.0),
        ("validation accuracy>=0.67", "validation accuracy", "rmsprop", 2.0),
        ("train loss<=0.5", "training loss", "rmsprop", 2.0),
    ],
)
def test_the_first_is_first_to_what_was_asked_for(
    made, target: Any, metric: str, first: str, speedup: float
) -> None:
    plan = made.planned("sgd", "adam", "rmsprop", target=target)
    assert read_plan(plan.to_json()) == plan
    found = made.judged(plan, raced(made, plan))
    assert found.metric == metric
    assert found.leader.rule == first
    assert found.leader.speedup.median == pytest.approx(speedup, rel=0.1)
    assert f"a {metric} of" in found.sentence
    assert metric in analysis.protocol(plan)["target"]
    assert found.goal(plan.facts.measures).value == found.target


def test_where_learning_rates_are_tuned_by_the_training_loss_none_is_stopped_early(made) -> None:
    """Workers tell what they evaluate while a run goes on; that is on held-out data."""
    assert made.planned("sgd", target="validation loss<=0.5").rungs
    assert not made.planned("sgd", target="training loss<=0.5").rungs


def test_the_training_loss_at_an_evaluation_is_the_mean_of_the_steps_before_it(made) -> None:
    plan = made.planned("sgd")
    (curve,) = made.curves(plan.tuning()[:1], plan, lambda *_: made.reaching(40))
    curve.losses[:] = np.arange(plan.steps)
    found = series(curve, TRAINING)
    assert found.shape == (101,)
    assert found[0] == 0.0
    np.testing.assert_allclose(found[1:], np.arange(plan.steps).reshape(100, 10).mean(axis=1))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("held-out loss<=0.1", "cannot read the target"),
        ("valid loss<=0.1", "unknown data of a target 'valid': did you mean 'validation'?"),
        ("train accuracy>=0.9", "write 'training loss<=…' or 'validation accuracy>=0.9'"),
        ("test recall>=0.9", "unknown measure of digits-mlp 'recall'"),
    ],
)
def test_what_cannot_be_a_target_is_told(made, target: str, said: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        made.planned("sgd", target=target)
    assert said in str(error.value)


def test_a_target_that_is_met_before_step_one_ends_the_race(tiny_task: Any, tmp_path: Path) -> None:
    wrong: Any = {"rules": "sgd", "out": tmp_path / "race", "workers": 0, "progress": False}
    with pytest.raises(
        InvalidArgument, match=r"'loss<=10.0' is met before step one, where the test"
    ):
        ravine.race(tiny_task, target=10, **wrong)


def test_the_advice_is_a_target() -> None:
    assert read_target("validation accuracy>=0.9") == "validation accuracy>=0.9"
    assert read_target("training loss<=0.1") == "training loss<=0.1"
