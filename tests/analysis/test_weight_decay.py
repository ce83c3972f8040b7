"""The weight decay of a rule is tuned, within as many trials as every rule has."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ravine import analysis
from ravine.analysis.comparing import spread
from ravine.analysis.tuning import AGAIN, DONE, FINER, FINEST, FIRST, OTHERS, tuning
from ravine.errors import InvalidArgument
from ravine.experiment.config import choose, joined
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan, Run, TaskInfo, make_plan
from ravine.rules import SGD, Adam, AdamW
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import L2, Decay
from ravine.storage.validation import read_plan
from ravine.tasks import TASKS

FACTS = TaskInfo(100, (3200, 10, 10), ("loss", "accuracy"), "0")
TASK = TASKS["digits-mlp"]
STEP = 10**0.5


def planned(*rules: Rule, **changes: Any) -> Plan:
    asked = {
        "learning_rates": None,
        "tuning_seeds": 2,
        "eval_seeds": 4,
        "epochs": 10,
        "batch_size": 32,
    }
    return make_plan(*choose(TASK, rules, **(asked | changes)), FACTS)


def decay_of(run: Run) -> float:
    return dict(run.configuration.others).get("weight_decay", 0.01)


def late(best: float, run: Run) -> float:
    """Evaluations to 0.5: 20 at a rate of 0.001 (of SGD 0.1) and the best decay."""
    rate = 0.1 if run.rule == "sgd" else 0.001
    steps = abs(math.log(run.learning_rate / rate, STEP))
    decades = abs(math.log10(decay_of(run) / best)) if run.rule != "sgd" else 0.0
    return 20 * 1.3**steps * 1.2**decades


def stepped(made, plan: Plan, late: Callable[[Run], float]) -> tuple[list[Any], list[Curve]]:
    """Phase by phase, what is run anew; and the curves of all of it."""
    phases, curves = [], []
    while (now := tuning(plan, curves)).phase < DONE:
        there = {curve.run.id for curve in curves}
        new = [run for run in now.wanted if run.id not in there]
        phases.append((now.phase, new))
        for run in new:
            curves += made.curves([run], plan, lambda *_, run=run: made.reaching(late(run)))
    return phases, curves


def test_two_decays_are_tried_at_the_best_rate_then_two_rates_at_the_best_decay(made) -> None:
    plan = planned(SGD(), AdamW())
    phases, curves = stepped(made, plan, lambda run: late(0.1, run))
    assert [phase for phase, _ in phases] == [FIRST, OTHERS, AGAIN, FINER, FINEST]
    finer, finest = (new for _, new in phases[-2:])
    adamw = {run.configuration for run in finer if run.rule == "adamw"}
    assert {one.learning_rate for one in adamw} == {0.001}
    assert {one.others for one in adamw} == {(("weight_decay", d),) for d in (0.001, 0.1)}
    assert {run.rule for run in finest} == {"adamw"}
    assert {run.configuration.others for run in finest} == {(("weight_decay", 0.1),)}
    rates = sorted({run.learning_rate for run in finest})
    assert rates == pytest.approx([0.001 * STEP**-0.5, 0.001 * STEP**0.5], rel=1e-4)
    found = tuning(plan, curves).tuned
    assert found is not None
    assert found.chosen["adamw"] == Configuration(0.001, (("weight_decay", 0.1),))
    tried = {rule: {c.run.configuration for c in curves if c.run.rule == rule} for rule in found[0]}
    assert len(tried["sgd"]) == len(tried["adamw"]) == 9 + 4
    assert len(curves) <= plan.count


def test_the_decay_of_its_own_stays_where_no_other_is_better(made) -> None:
    plan = planned(SGD(), AdamW())
    _, curves = stepped(made, plan, lambda run: late(0.01, run))
    found = tuning(plan, curves).tuned
    assert found is not None
    assert found.chosen["adamw"] == Configuration(0.001)


def test_what_was_tuned_is_what_is_judged_shown_and_pasted(made) -> None:
    plan = planned(SGD(), AdamW())
    curves = made.raced(plan, lambda *_: made.reaching(20))  # replaced below, run by run
    curves = []
    while runs := analysis.due(plan, curves):
        there = {curve.run.id for curve in curves}
        for run in (run for run in runs if run.id not in there):
            curves += made.curves([run], plan, lambda *_, run=run: made.reaching(late(0.1, run)))
    rules = {"sgd": SGD().values(), "adamw": AdamW().values()}
    adamw = made.standing(analysis.judge(plan, rules, curves), "adamw")
    assert adamw.hyperparameters["weight_decay"] == 0.1
    fresh = next(c.run for c in curves if (c.run.rule, c.run.stage) == ("adamw", "evaluation"))
    assert plan.settings(fresh) == {"learning_rate": 0.001, "weight_decay": 0.1}


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (AdamW(), (0.001, 0.1)),
        (Decay(Adam()), (0.001, 0.1)),
        (L2(SGD()), (1e-5, 1e-3)),
        (AdamW(weight_decay=0.05), ()),  # as it was given
        (Adam(), ()),
    ],
)
def test_a_decay_is_tuned_unless_somebody_gave_it(rule: Rule, values: tuple[float, ...]) -> None:
    assert planned(rule).choices.decays.get(str(rule), ()) == values


def test_nothing_but_the_learning_rate_is_tuned_where_that_was_asked_for() -> None:
    for asked in ({"tune": "lr"}, {"learning_rates": [0.1, 1.0]}, {"search": "beta_2"}):
        plan = planned(AdamW(), **asked)
        assert not plan.choices.decays
    plan = planned(AdamW(), tune="lr")
    assert len(plan.finer("adamw", plan.choices.trials("adamw")[4])) == 4


def test_a_rule_that_joins_has_its_decay_tuned_as_well() -> None:
    choices, rules = choose(TASK, [SGD()], None, 2, 4, 10, 32)
    grown = joined(choices, TASK, {**rules, "adamw": AdamW()})
    assert grown.decays == {"adamw": (0.001, 0.1)}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tune": "rate"}, "unknown way to tune 'rate'"),
        ({"tune": "full", "learning_rates": [0.1]}, "learning_rates says what is tried"),
        ({"tune": "full", "search": "beta_2"}, "search='weight_decay' tunes the decay"),
    ],
)
def test_what_to_tune_cannot_be_said_twice(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match="tune") as error:
        planned(AdamW(), **asked)
    assert said in str(error.value)


def test_decays_that_change_nothing_do_not_narrow_the_spread_between_rates() -> None:
    near, far = np.array([1.0, 1.0]), np.array([1.1, 1.3])
    rates = {Configuration(0.1): near, Configuration(0.2): far}
    decays = {Configuration(0.1, (("weight_decay", d),)): near + 1e-6 for d in (0.001, 0.1)}
    assert spread([rates | decays]) == spread([rates]) > 0


def test_a_plan_with_decays_survives_as_text() -> None:
    plan = planned(AdamW())
    assert read_plan(plan.to_json()) == plan
