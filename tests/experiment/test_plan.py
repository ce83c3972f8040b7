"""What a race will run is settled and checked before anything runs."""

import dataclasses
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.errors import InvalidArgument
from ravine.experiment.config import choose, scheduled
from ravine.experiment.configuration import Configuration
from ravine.experiment.fingerprints import source_digest
from ravine.experiment.grids import log_grid
from ravine.experiment.plan import LANES, SEGMENT_ROWS, Plan, TaskInfo, make_plan
from ravine.rules import RULES, SGD, Adam
from ravine.rules.update_rule import Rule, hyper, rule
from ravine.rules.wrappers import Clip, Decay, Scheduled
from ravine.storage.validation import read_plan
from ravine.tasks import TASKS

TASK = TASKS["digits-mlp"]
AT = Configuration(0.1)
FACTS = TaskInfo(8970, (1078, 359, 360), ("loss", "accuracy"), "0")


def planned(*rules: Rule, **changes: Any) -> Plan:
    given = {"learning_rates": None, "tuning_seeds": 3, "eval_seeds": 12}
    given |= {"epochs": None, "batch_size": None} | changes
    choices, by_name = choose(TASK, rules or [r() for r in RULES.values()], **given)
    return make_plan(choices, by_name, FACTS)


def test_the_default_race() -> None:
    plan = planned()
    judged = [*plan.reference_runs(AT), *plan.fresh(dict.fromkeys(RULES, AT), 12, 0)]
    finer = []
    for name in RULES:
        middle = plan.choices.trials(name)[4]
        around = *plan.finer(name, middle), *plan.finest(name, middle)
        finer += plan.tried(name, around, 0, range(3))
    runs = [*plan.tuning(), *finer, *judged]
    # At the most: of the grids' rates only those near the best are tried on the other seeds.
    assert plan.count == len(runs) == len(RULES) * ((9 + 4) * 3 + 12) + 10
    assert len({run.id for run in runs}) == len(runs)
    assert plan.steps == 30 * (1078 // 32)
    assert plan.evaluations * plan.period == plan.steps
    assert {plan.cuts(run) for run in runs if run.stage == "tuning"} == {(12, 25, 50, 99)}
    assert {plan.cuts(run) for run in judged} == {(99,)}
    by_stage = {
        s: {r.seed for r in runs if r.stage == s} for s in ("tuning", "reference", "evaluation")
    }
    assert [len(seeds) for seeds in by_stage.values()] == [3, 10, 12]
    assert len(set.union(*by_stage.values())) == 25


def test_evaluation_looks_while_seeds_remain() -> None:
    assert planned(eval_seeds=24).choices.looks == (6, 9, 12, 18, 24)
    assert planned(eval_seeds=3).choices.looks == (3,)
    assert planned(eval_seeds=40).choices.looks == (6, 9, 12, 18, 24, 40)
    assert planned(looks=False).choices.looks == planned(repetitions=2).choices.looks == (12,)


def test_a_run_is_one_whatever_it_is_for() -> None:
    """What a contender ran is there when it becomes the best."""
    plan = planned(Adam())
    (fresh,) = plan.fresh({"adam": AT}, 1, 0)
    contender = plan.run("contender", "adam", AT, 0)
    assert contender.id == fresh.id
    assert plan.cuts(contender) == plan.cuts(fresh)


def test_segments_end_at_rungs_and_where_a_crash_would_cost_too_much() -> None:
    plan = dataclasses.replace(planned(), segment=20)
    fresh, tuning = (plan.run(stage, "adam", AT, 0) for stage in ("evaluation", "tuning"))
    assert plan.cuts(fresh) == (20, 40, 60, 80, 99)
    assert plan.cuts(tuning) == (12, 25, 45, 50, 70, 90, 99)
    whole = dataclasses.replace(planned(early_stopping=False), segment=50)
    assert whole.cuts(tuning) == (50, 99)
    # What bounds a worker's memory: the rows of one segment's batches.
    long = planned(epochs=10**4)
    rows = LANES * long.segment * long.period * long.choices.batch_size
    assert rows <= SEGMENT_ROWS
    # A step that is large by its operations, not by its parameters, is for one lane at a time.
    facts = FACTS._replace(operations=1e6)
    assert make_plan(planned().choices, {r().name: r() for r in RULES.values()}, facts).width == 1


def test_every_rule_gets_equally_many_points_per_decade() -> None:
    for rates in planned().choices.learning_rates.values():
        assert len(rates) >= 9
        assert [b / a for a, b in itertools.pairwise(rates)] == pytest.approx(
            [10**0.5] * 8, rel=1e-5
        )


def test_a_run_is_known_by_all_that_decides_it() -> None:
    plan = planned()
    base = plan.run("tuning", "adam", AT, 0)
    assert plan.run("tuning", "adam", AT, 0).id == base.id
    others = [
        plan.run("tuning", "adam", Configuration(0.2), 0),
        plan.run("tuning", "adam", AT, 1),
        plan.run("tuning", "nadam", AT, 0),
        planned(Adam(beta_1=0.8)).run("tuning", "adam(beta_1=0.8)", AT, 0),
        planned(batch_size=16).run("tuning", "adam", AT, 0),
        planned(schedule="cosine").run("tuning", "adam", AT, 0),
        planned(schedule="cosine(warmup=0.1)").run("tuning", "adam", AT, 0),
        planned(schedule="linear").run("tuning", "adam", AT, 0),
        planned(Decay(Adam())).run("tuning", "decay(adam)", AT, 0),
        planned(epochs=29).run("tuning", "adam", AT, 0),
        dataclasses.replace(plan, width=1).run("tuning", "adam", AT, 0),
        dataclasses.replace(plan, facts=FACTS._replace(digest="1")).run("tuning", "adam", AT, 0),
    ]
    assert len({base.id, *(run.id for run in others)}) == 1 + len(others)
    # What others do beside it does not decide it.
    assert planned(Adam(), eval_seeds=6, tuning_seeds=5).run("tuning", "adam", AT, 0).id == base.id


def test_a_rule_of_the_same_name_and_other_arithmetic_is_another_run() -> None:
    def adam(factor: float) -> Rule:
        namespace: dict[str, Any] = {"Rule": Rule, "hyper": hyper, "rule": rule}
        exec(
            "class Typed(Rule):\n"
            "    learning_rate: float = hyper(0.1, 'step')\n"
            f"    def update(self, w, g, state, t): return w - {factor} * g, state\n"
            "Typed = rule(Typed)",
            namespace,
        )
        return namespace["Typed"]()  # type: ignore[no-any-return]

    assert source_digest(adam(1.0)) == source_digest(adam(1.0)) != source_digest(adam(2.0))


def test_a_plan_survives_as_text() -> None:
    plan = planned(Adam(beta_1=0.8), learning_rates=[0.3, 0.1])
    assert read_plan(plan.to_json()) == plan


def test_a_plan_of_before_there_were_schedules_is_of_constant_rates() -> None:
    plan = planned(Adam())
    text = json.loads(plan.to_json())
    assert text["choices"].pop("schedule") == "constant"
    assert read_plan(json.dumps(text)) == plan


def test_a_schedule_is_of_every_rule_and_over_the_steps_of_the_race() -> None:
    plan = planned(Adam(), schedule="cosine(warmup=0.1)")
    assert read_plan(plan.to_json()) == plan
    assert plan.choices.rules == ("sgd", "adam")  # as they were listed
    for listed in (SGD(), Adam()):
        raced = Scheduled(listed, schedule="cosine", steps=plan.steps, warmup=0.1)
        assert scheduled(listed, plan.choices.schedule, plan.steps) == raced
        assert plan.sources[listed.name] == source_digest(raced)
    assert scheduled(Adam(), "constant", 10) == Adam()
    with pytest.raises(
        InvalidArgument, match="has a schedule of its own: race it without schedule=co"
    ):
        planned(Decay(Scheduled(Adam())), schedule="cosine")


def test_a_wrapped_rule_searches_the_range_of_what_it_holds() -> None:
    grids = planned(Adam(), Clip(Decay(Adam()), clipnorm=1)).choices.learning_rates
    assert grids["clip(decay(adam), clipnorm=1)"] == grids["adam"]


def test_the_reference_always_takes_part() -> None:
    assert planned(Adam()).choices.rules == ("sgd", "adam")
    other = planned(Adam(), reference="nadam")
    assert other.choices.rules == ("nadam", "adam")
    assert {run.rule for run in other.reference_runs(AT)} == {"nadam"}
    assert planned(Adam(), reference="adam").choices.rules == ("adam",)
    assert read_plan(other.to_json()) == other


@given(st.floats(1e-12, 1e6), st.floats(1.001, 1e9), st.integers(2, 60))
def test_a_grid_runs_from_end_to_end(low: float, factor: float, count: int) -> None:
    grid = log_grid(low, low * factor, count)
    assert len(grid) == count
    assert grid[0] == pytest.approx(low, rel=1e-5)
    assert grid[-1] == pytest.approx(low * factor, rel=1e-5)
    assert list(grid) == sorted(grid)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rates": "0:1:9"}, "must be > 0"),
        ({"learning_rates": "1:0.1:9"}, "run backwards: write 0.1:1"),
        ({"learning_rates": "1e-3:1"}, "write LO:HI:N"),
        ({"learning_rates": "1e-3:1:one"}, "write LO:HI:N"),
        ({"learning_rates": "1e-3:1:1"}, "at least 2"),
        ({"learning_rates": [0.1, -0.1]}, "learning rate -0.1 is not allowed"),
        ({"learning_rates": [float("nan")]}, "learning rate nan is not allowed"),
        ({"learning_rates": []}, "no learning rates"),
        ({"learning_rates": {"adm": [1.0]}}, "did you mean 'adam'?"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin': did you mean 'cosine'?"),
        ({"schedule": "cosine(warmup=1)"}, "warmup=1 is not allowed"),
        ({"tuning_seeds": 0}, "tuning_seeds=0 is not allowed: give a whole number of at least 1"),
        ({"eval_seeds": 0}, "eval_seeds=0"),
        ({"tuning_seeds": 2.5}, "tuning_seeds=2.5"),
        ({"epochs": -1}, "epochs=-1"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        planned(**changes)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_batch_has_at_most_all_rows() -> None:
    plan = planned(batch_size=1079)
    assert plan.choices.batch_size == 1078
    assert plan.facts.notes[-1].startswith("batch_size=1079 is larger than the training data")


def test_rules_that_cannot_race_together() -> None:
    with pytest.raises(InvalidArgument, match="listed twice"):
        planned(Adam(), Adam())
    with pytest.raises(InvalidArgument, match="searches the learning rate itself"):
        planned(Adam(learning_rate=0.5))
