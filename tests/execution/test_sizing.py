"""How large a race may be: absurd ones are refused with what they would take."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ravine.analysis.statistics import fewest_seeds
from ravine.errors import InvalidArgument, RavineError
from ravine.execution import memory, sizing
from ravine.execution.sizing import check, sized
from ravine.execution.worker_backend import Place
from ravine.experiment.config import choose
from ravine.experiment.cost import Cost, estimate, estimate_text, share_done
from ravine.experiment.engines import GPU, JAX
from ravine.experiment.plan import Plan, TaskInfo, make_plan
from ravine.rules import SGD, Adam
from ravine.tasks import TASKS
from ravine.training.profile import Profile

COST = Cost(2, 1e-4, 0, 0, 0, 0, 0, 3e8, 1e8, 4e8, 2e8)


def planned(epochs: int = 30, parameters: int = 1000, engine: str = JAX, **options: Any) -> Plan:
    given: dict[str, Any] = {"learning_rates": None, "tuning_seeds": 3, "eval_seeds": 12} | options
    choices, rules = choose(
        TASKS["digits-mlp"], [SGD(), Adam()], epochs=epochs, batch_size=32, **given
    )
    facts = TaskInfo(parameters, (1078, 359, 360), ("loss",), "0", 6.0 * parameters, engine=engine)
    return make_plan(choices, rules, facts)


class Machine:
    """A driver that knows what everything costs; one that is told nothing must not be asked."""

    def __init__(self, cost: Cost | None = None) -> None:
        self.workers = 2
        self.place = Place("this machine", {}, memory.total())
        self.profile = Profile(2, clock=lambda: 0.0)
        self._cost = cost

    def fitted(self, plan: Plan) -> Plan:
        return plan

    def rehearse(self, plan: Plan) -> Cost:
        assert self._cost is not None, "it was tried"
        return self._cost


def size(plan: Plan, folder: Path, cost: Cost | None = None, seconds: float | None = None) -> Any:
    driver: Any = Machine(cost)
    rules = {"sgd": SGD(), "adam": Adam()}
    return sized(plan, rules, driver, folder, seconds, fewest_seeds)


@pytest.mark.parametrize("seconds", [None, 300.0])
def test_what_was_not_meant_is_refused_before_anything_is_tried(
    tmp_path: Path, seconds: float | None
) -> None:
    with pytest.raises(InvalidArgument, match=r"(?i)lower epochs"):
        size(planned(epochs=10**9), tmp_path, seconds=seconds)


def test_more_curves_than_memory_are_refused_before_anything_is_tried(tmp_path: Path) -> None:
    plan = planned(learning_rates="1e-4:1:1000", tuning_seeds=10000, eval_seeds=10, repetitions=100)
    with pytest.raises(InvalidArgument, match=r"at least .* of memory, of which .*budget"):
        size(plan, tmp_path)


def test_a_model_that_does_not_fit_is_refused_before_it_is_tried(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidArgument, match=r"of memory.* 2 workers .* parameters. Lower workers"
    ):
        size(planned(parameters=10**10), tmp_path)


def test_a_program_that_proved_too_large_is_refused(tmp_path: Path) -> None:
    huge = COST._replace(step=0.0, grown_bytes=1e15, worker_bytes=1e15)
    with pytest.raises(InvalidArgument, match=r"batch_size or the size of the model"):
        size(planned(), tmp_path, huge)


def test_what_would_take_cores_months_is_tried_on_a_gpu(tmp_path: Path) -> None:
    large: Any = {"epochs": 60_000, "parameters": 10**8}
    with pytest.raises(InvalidArgument, match=r"at least \d+ (h|days)"):
        size(planned(**large), tmp_path)
    plan = planned(**large, engine=GPU)
    assert size(plan, tmp_path, COST) == (plan, COST)


def test_months_are_refused_hours_are_not(tmp_path: Path) -> None:
    plan = planned()
    month = COST._replace(step=COST.step * 40 * 86400 / estimate(plan, COST).seconds)
    with pytest.raises(InvalidArgument, match=r"would take about \d\d days.*epochs.*budget"):
        size(plan, tmp_path, month)
    hours = COST._replace(step=month.step / 200)
    assert size(plan, tmp_path, hours) == (plan, hours)
    assert "h" in estimate_text(estimate(plan, hours), 2)


def test_a_budget_for_months_is_fitted(tmp_path: Path) -> None:
    plan = planned(tuning_seeds=9_000)
    found, _ = size(plan, tmp_path, COST, seconds=20.0)
    assert found.choices.fitted
    assert estimate(found, COST).longest <= 20.0


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "_free", lambda folder: 10.0)
    with pytest.raises(InvalidArgument, match="left where"):
        check(planned(), COST, tmp_path, Place("this machine", {}, memory.total()))


def test_what_cannot_be_rehearsed_runs_without_an_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Machine, plan: Plan) -> None:
        """Its worker died."""

    monkeypatch.setattr(Machine, "rehearse", fails)
    plan = planned()
    assert size(plan, tmp_path) == (plan, None)
    with pytest.raises(RavineError, match="ended a worker"):
        size(plan, tmp_path, seconds=300.0)


def test_estimates_follow_the_work() -> None:
    plan = planned()
    one, two = (estimate(p, COST) for p in (plan, replace(plan, steps=2 * plan.steps)))
    assert 1.8 < two.seconds / one.seconds < 2.2
    assert one.seconds < one.longest
    assert one.memory > COST.worker_bytes + COST.keras_bytes + COST.driver_bytes
    alone = estimate(plan, COST._replace(workers=1))
    assert 1.6 < alone.seconds / one.seconds < 2.1
    late = replace(plan, choices=replace(plan.choices, early_stopping=False))
    assert (
        estimate(late, COST).seconds == estimate(late, COST).longest == pytest.approx(one.longest)
    )


def test_all_that_is_planned_is_all_that_is_done() -> None:
    plan = planned()
    steps = {
        "tuning": 2 * (9 + 4) * 3.0 * plan.steps,  # the grids and four finer rates of each
        "reference": 10.0 * plan.steps,
        "evaluation": 24.0 * plan.steps,
    }
    assert plan.count == 78 + 10 + 24
    assert share_done(plan, steps) == pytest.approx(1.0)
    assert share_done(plan, {}) == 0.0


def test_memory_is_known_here() -> None:
    assert 1e6 < memory.peak() < memory.total()
    assert 0 < memory.available() <= memory.total()
