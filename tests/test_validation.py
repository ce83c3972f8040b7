"""Outside truth, found again by the engine; and not found by an engine that is wrong."""

import json
import re

import pytest
from typer.testing import CliRunner

from ravine.analysis.published import ADAM, DESCENT, MOMENTUM
from ravine.cli.app import app
from ravine.execution import published_runs
from ravine.rules import Momentum


def test_what_was_published_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the grid, the rates that are best for one of the three, and one that is for none.
    some = [published_runs.TRIED[i] for i in (3, 5, 7, 8)]
    monkeypatch.setattr(published_runs, "TRIED", some)
    done = CliRunner().invoke(app, ["validate", "--json", "--workers", "0"])
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["holds"]
    assert len(found["checks"]) == 12
    (start, *_) = found["checks"]
    assert float(start["ours"]) == pytest.approx(353.446764, rel=1e-6)
    # What plain loops gave, in tasks/test_quadratic_deep.
    means = {
        order: {name: sum(ends) / len(ends) for name, ends in losses.items()}
        for order, losses in found["final_test_losses"].items()
    }
    assert means["frozen"][DESCENT] == pytest.approx(87.302, abs=2e-3)
    assert means["frozen"][MOMENTUM] == pytest.approx(87.069, abs=2e-3)
    assert means["frozen"][ADAM] == pytest.approx(87.121, abs=2e-3)
    assert means["frozen"][MOMENTUM] < means["frozen"][ADAM]
    assert means["reshuffled"][MOMENTUM] == pytest.approx(88.795, abs=2e-2)
    assert means["reshuffled"][MOMENTUM] > means["reshuffled"][ADAM] + 1
    assert found["learning_rates_tuned_anew"] == {  # as of the whole grid
        DESCENT: pytest.approx(0.0158489 * 10**-0.2),
        MOMENTUM: pytest.approx(0.00251189 / 10),
        ADAM: pytest.approx(0.0398107),
    }
    said = done.stderr.splitlines()
    assert all(re.match(r"ravine: .*: \d+ times 10 runs", line) for line in said)
    assert len(said) == 3


def test_another_rule_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    mean_form = {**published_runs.OPTIMIZERS, MOMENTUM: Momentum(momentum=0.99)}
    monkeypatch.setattr(published_runs, "OPTIMIZERS", mean_form)
    found = published_runs.validate(retune=False, workers=0, progress=False)
    assert not found.holds
    wrong = [check.what for check in found.checks if not check.holds]
    assert wrong == [f"{MOMENTUM} at 0.00251189: final loss", "momentum − Adam"]
