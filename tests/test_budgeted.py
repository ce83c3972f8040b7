"""A race with a budget: what was settled stays settled."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import ravine
from ravine.execution.scheduler import Scheduler
from ravine.experiment.cost import Cost
from ravine.experiment.plan import Plan
from ravine.reporting import report

pytestmark = pytest.mark.usefixtures("compiled_quickly")

# So slow that the time this test takes does not matter: always the same is given up.
SLOW = Cost(1, 100.0, 0, 0, 0, 0, 0, 3e8, 1e8, 4e8, 2e8)


def test_a_budget_settles_the_plan_for_good(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    no_pages: None,
) -> None:
    def rehearse(self: Scheduler, plan: Plan) -> Cost:
        return SLOW

    def stop(self: Scheduler, *arguments: object) -> None:
        raise KeyboardInterrupt

    def never(self: Scheduler, plan: Plan) -> Cost:
        raise AssertionError("a settled race is not fitted again")

    folder = tmp_path / "race"
    options: dict[str, Any] = {
        "rules": ["adam"],
        "learning_rates": "1e-4:1e-2:7",
        "epochs": 1,
        "tuning_seeds": 3,
        "workers": 0,
    }
    with monkeypatch.context() as patched:
        patched.setattr(Scheduler, "rehearse", rehearse)
        patched.setattr(Scheduler, "run", stop)
        with pytest.raises(KeyboardInterrupt):
            ravine.race("breast-cancer-logistic", budget="2h 30min", out=folder, **options)
    settled = ravine.Race.open(folder).plan
    said = capsys.readouterr().err
    assert settled.choices.fitted in said
    assert "an estimate: about" in said
    assert settled.choices.fitted.startswith(
        "to fit 2 h 30 min: 2 tuning seeds instead of 3, 8 evaluation seeds instead of 12; all"
    )
    monkeypatch.setattr(Scheduler, "rehearse", never)
    monkeypatch.setattr(report, "FIRST", ("curves",))  # of the page the words are looked at
    race = ravine.resume(folder, workers=0, progress=False)
    assert capsys.readouterr().err == ""
    assert race.plan == settled
    # As many runs as that at most, and of each rule no more fresh ones than were left to it.
    stages = Counter((c.run.rule, c.run.stage) for c in race.stored)
    assert stages["sgd", "reference"] == 10
    for rule in ("sgd", "adam"):
        assert 7 <= stages[rule, "tuning"] <= 7 * 2
        assert stages[rule, "evaluation"] in (4, 6, 8)  # looks
    assert {c.run.seed for c in race.stored if c.run.stage == "tuning"} == {0, 1}
    content = json.loads(race.results.to_json())
    assert content["protocol"]["budget"] == settled.choices.fitted
    assert content["protocol"]["eval_seeds"] == 8
    assert settled.choices.fitted in race.report().read_text(encoding="utf-8")


@pytest.mark.parametrize("given", ["soon", "5 parsecs", "-3min", 0, "1h1h", True])
def test_what_is_no_length_of_time_is_said_before_anything_runs(
    given: object, tmp_path: Path
) -> None:
    with pytest.raises(ravine.errors.InvalidArgument, match="write such as 90s, 5min"):
        ravine.race(budget=given, out=tmp_path / "race")  # type: ignore[arg-type]
    assert not (tmp_path / "race").exists()
