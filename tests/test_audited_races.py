"""Races that are really wrong: the verdict says so, and ranks nobody where it must not."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import pages_unwritten

import ravine
from ravine.tasks import find
from ravine.tasks.task import Data, Task

pytestmark = pytest.mark.usefixtures("compiled_quickly", "no_charts")
TINY: dict[str, Any] = {
    "learning_rates": "1e-5,1e-4",
    "epochs": 2,
    "tuning_seeds": 1,
    "eval_seeds": 7,
}
TINY |= {"progress": False, "workers": 0}


def leaking(rows: int, frozen: bool = False) -> Task:
    """A task that ships, of which so many test rows are also trained on."""
    honest = find("breast-cancer-logistic")

    def load() -> Data:
        import numpy as np

        data = honest.load()
        both = zip(data.train, data.test, strict=True)
        train = data.train._make(np.concatenate([part, more[:rows]]) for part, more in both)
        return data._replace(train=train)

    return replace(honest, name="leaking", load=load, frozen_order=frozen)


@pytest.fixture(scope="module")
def warned(compiled_quickly: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race whose batches are the same in every epoch, and that was trained on some test rows."""
    out = tmp_path_factory.mktemp("audited") / "out"
    with pages_unwritten():
        ravine.race(leaking(4, frozen=True), rules=["sgd", "adam"], out=out, **TINY)
    return out


def results(race: ravine.Race) -> dict[str, str]:
    """Of each audit, as another program reads them."""
    content = json.loads(race.results.to_json())
    return {audit["what"]: audit["result"] for audit in content["audits"]}


def test_what_is_doubtful_is_said(warned: Path, tmp_path: Path) -> None:
    race = ravine.Race.open(warned)
    assert results(race) == {
        "initial weights": "passed",
        "batch order": "passed",
        "loss before step one": "passed",
        "repeated batches": "warning",
        "rows shared between splits": "warning",
    }
    assert race.plan.facts.shared == (0, 4 / 114, 0)
    assert race.plan.facts.repeats == 345 // 32
    assert race.winner.rule in ("sgd", "adam")
    frozen, shared = race.verdict.warnings[:2]
    assert "the batch order is frozen, as the task declares" in frozen
    assert shared == "3.5% of the test rows are in the training data"
    page = race.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "Not a fair race" not in page
    assert shared in page


@pytest.mark.parametrize(
    ("column", "what"), [("weights_digest", "initial weights"), ("batches_digest", "batch order")]
)
def test_a_store_that_was_tampered_with_ranks_nobody(
    warned: Path, tmp_path: Path, column: str, what: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(warned, out)
    with sqlite3.connect(out / "race.sqlite") as db:
        db.execute(
            f"UPDATE runs SET {column} = 'others' WHERE rule = 'adam' AND stage = 'evaluation'"
        )
    db.close()
    race = ravine.Race.open(out)
    assert {k for k, v in results(race).items() if v == "refused"} == {what}
    assert f"not all rules had the same {what} on equal seeds" in str(race.verdict)


def test_who_starts_elsewhere_or_knows_the_answers_is_not_ranked(
    tmp_path: Path, no_pages: None
) -> None:
    @ravine.rule
    class HeadStart(ravine.Rule):
        """Gradient descent whose weights are read a step further than they are."""

        learning_rate: float = ravine.hyper(0.1, "length of a step", unit="w/g", valid="> 0")

        def update(self, w: Any, g: Any, state: Any, t: Any) -> Any:
            return w - self.learning_rate * g, state

        def read(self, w: Any, state: Any, t: Any) -> Any:
            return w + 1e-3

    race = ravine.race(leaking(100), rules=[HeadStart], out=tmp_path / "out", **TINY)
    refused = {k for k, v in results(race).items() if v == "refused"}
    assert refused == {"loss before step one", "rows shared between splits"}
    assert str(race.verdict).startswith("No ranking")
    assert "87.7% of the test rows are in the training data" in str(race.verdict)
    assert {s.finding for s in race.verdict.standings} == {"reference", "no ranking"}
    page = race.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.index("Not a fair race") < page.index("Leaderboard")
    assert '<tr class="leads">' not in page
