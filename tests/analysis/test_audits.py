"""The audits over curves that were made, tampered with one by one."""

from dataclasses import replace

import numpy as np
import pytest

from ravine.analysis.audits import audit
from ravine.errors import RavineError

PACES = {"sgd": 3.0, "adam": 6.0, "nadam": 5.0}


@pytest.fixture(scope="module")
def raced(made):
    plan = made.planned(*PACES)
    return plan, made.raced(plan, made.noisy(PACES))


def tampered(curves, **change):
    return [
        replace(c, **change) if (c.run.rule, c.run.seed) == ("adam", 2_000_002) else c
        for c in curves
    ]


def test_a_fair_race_is_ranked(made, raced):
    plan, curves = raced
    found = made.judged(plan, curves)
    assert {a.result for a in found.audits} == {"passed"}
    assert not found.refused
    assert found.leader.rule == "adam"
    assert "adam" not in {line for a in found.audits for line in a.wrong}


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("initial weights", {"weights_digest": "others"}),
        ("batch order", {"batches_digest": "others"}),
        ("loss before step one", {"measures": None}),
    ],
)
def test_an_unlike_start_ends_the_ranking(made, raced, what, change):
    plan, curves = raced
    if "measures" in change:
        measures = next(c for c in curves if c.run.seed == 2_000_002).measures
        change = {"measures": measures * np.float32(1 + 1e-3)}
    found = made.judged(plan, tampered(curves, **change))
    (wrong,) = [a for a in found.audits if a.result != "passed"]
    assert (wrong.what, wrong.result) == (what, "refused")
    assert wrong.wrong == (f"Adam at 0.1, evaluation seed 2000002: not the {what} of SGD",)
    assert found.sentence == (
        "No ranking, since this was not a fair race: not all rules had the same "
        f"{what} on equal seeds."
    )
    assert {s.finding for s in found.standings} == {"reference", "no ranking"}
    assert [s.rule for s in found.standings] == sorted(PACES)
    assert not any(s.tied_for_first for s in found.standings)
    assert found.leads_by_tries == found.leads_by_target == found.suspects == ()
    with pytest.raises(RavineError, match="nobody leads: No ranking"):
        _ = found.leader


def test_rounding_and_runs_that_never_began_are_no_foul(made, raced):
    plan, curves = raced
    rounded = [replace(c, measures=c.measures * np.float32(1 + 1e-6)) for c in curves[:1]]
    nothing = tampered(
        curves[1:],
        weights_digest="",
        batches_digest="",
        measures=np.full_like(curves[-1].measures, np.nan),
        failure="no memory",
    )
    assert not made.judged(plan, [*rounded, *nothing]).refused


@pytest.mark.parametrize(
    ("shared", "result", "said"),
    [
        ((0.0, 0.0, 0.0), "passed", "none"),
        ((0.0, 0.004, 0.0), "passed", "0.4% of the test rows are in the training data"),
        ((0.0, 0.0, 0.06), "warning", "6.0% of the test rows are in the validation data"),
        ((0.7, 0.02, 0.0), "refused", "70.0% of the validation rows are in the training data"),
    ],
)
def test_shared_rows_count_by_their_share(made, raced, shared, result, said):
    plan, curves = raced
    plan = replace(plan, facts=plan.facts._replace(shared=shared))
    found = made.judged(plan, curves)
    rows = audit(plan, curves)[-1]
    assert rows.what == "rows shared between splits"
    assert rows.result == result
    assert rows.found.startswith(said)
    assert found.refused == (result == "refused")
    assert (said in found.warnings) == (result == "warning")
    assert (said in found.sentence) == (result == "refused")


@pytest.mark.parametrize(
    ("frozen", "repeats", "said"),
    [
        (True, 7, "as the task declares"),
        (True, 0, "as the task declares"),
        (False, 7, "which the task does not declare"),
    ],
)
def test_a_frozen_order_is_a_warning(made, frozen, repeats, said):
    plan = made.planned(*PACES)
    plan = replace(plan, facts=plan.facts._replace(frozen_order=frozen, repeats=repeats))
    found = made.judged(plan, made.raced(plan, made.noisy(PACES)))
    assert said in found.warnings[0]
    assert found.leader.rule == "adam"
