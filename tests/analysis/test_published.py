"""What counts as agreeing with what was published, and that nothing else does."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind

from ravine.analysis.published import (
    ADAM,
    CONVERGES,
    DESCENT,
    DIVERGES,
    MOMENTUM,
    PUBLISHED,
    Found,
    _said,
    checks,
    welch,
)

LIMIT = 0.0376


def spread(mean: float, sd: float) -> list[float]:
    values = np.linspace(-1, 1, 10)
    return list(mean + sd * values / values.std(ddof=1))


@pytest.fixture
def found() -> Found:
    as_published = {name: spread(mean, sd) for name, (_, mean, sd) in PUBLISHED.items()}
    tie = as_published | {MOMENTUM: spread(87.2, 0.1), ADAM: spread(87.22, 0.1)}
    return Found(
        start=353.44677,
        threshold=LIMIT,
        descent={CONVERGES: 87.3, DIVERGES: np.nan, LIMIT * 0.98: 88.0, LIMIT * 1.02: 1e9},
        frozen=as_published,
        reshuffled=as_published | {MOMENTUM: spread(88.8, 1)},
        retuned=tie,
        rates=dict.fromkeys(PUBLISHED, 0.01),
    )


def test_what_was_published_agrees_with_itself(found: Found) -> None:
    assert all(check.holds for check in checks(found))
    assert len(checks(found)) == 12
    assert len(checks(replace(found, retuned={}, rates={}))) == 11


@pytest.mark.parametrize(
    ("change", "at_fault"),
    [
        ({"start": 353.4478}, "test loss before step one"),
        ({"threshold": 0.0399, "descent": {}}, "2 / λmax"),
        ({"descent": {CONVERGES: 400.0}}, f"gradient descent at {CONVERGES:.5f}"),
        ({"descent": {DIVERGES: 90.0}}, f"gradient descent at {DIVERGES:.5f}"),
        ({"descent": {LIMIT * 1.02: 90.0}}, f"gradient descent at {LIMIT * 1.02:.5f}"),
        ({"frozen": {DESCENT: spread(87.75, 0.17)}}, f"{DESCENT} at 0.0158489: final loss"),
        ({"frozen": {ADAM: spread(np.nan, 0)}}, f"{ADAM} at 0.0398107: final loss"),
        ({"frozen": {MOMENTUM: spread(87.09, 0.1)}}, "momentum − Adam"),
        ({"reshuffled": {MOMENTUM: spread(87.0, 0.03)}}, "momentum − Adam, same rates"),
        ({"retuned": {MOMENTUM: spread(87.0, 0.03)}}, "momentum − Adam, tuned anew"),
    ],
)
def test_each_check_can_fail(found: Found, change: dict, at_fault: str) -> None:
    changed = {
        key: getattr(found, key) | value if isinstance(value, dict) else value
        for key, value in change.items()
    }
    if changed.get("threshold"):
        changed["descent"] = found.descent | {0.0399 * 0.98: 88.0, 0.0399 * 1.02: 1e9}
    failed = [check.what for check in checks(replace(found, **changed)) if not check.holds]
    assert any(at_fault in what for what in failed)
    assert len(failed) == (2 if "nan" in str(change) and ADAM in str(change) else 1)


def test_the_interval_is_welchs() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, 10), rng.normal(0.3, 3, 10)
    sides = [f(x) for x in (one, other) for f in (np.mean, lambda x: np.std(x, ddof=1))]
    theirs = ttest_ind(one, other, equal_var=False).confidence_interval()
    _, low, high = welch(*map(float, sides))
    assert (low, high) == pytest.approx((theirs.low, theirs.high))


def test_an_interval_that_ends_at_no_difference_is_a_tie() -> None:
    assert _said((-1.0, -2.0, 0.0)).endswith("a tie")
    assert _said((1.0, 0.0, 2.0)).endswith("a tie")
    assert _said((-1.0, -2.0, -0.1)).endswith("lower")
    assert _said((1.0, 0.1, 2.0)).endswith("higher")


def test_means_without_spread_differ_by_what_they_differ() -> None:
    assert welch(1.0, 0.0, 3.0, 0.0) == (-2.0, -2.0, -2.0)
    _, low, high = welch(1.0, 1.0, 3.0, 0.0, runs=1_000_000)
    assert (low, high) == pytest.approx((-2.00196, -1.99804), abs=1e-5)
