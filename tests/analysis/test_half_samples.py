"""What the choice of test rows contributes to an interval, by half-samples of them."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import hadamard
from scipy.stats import t as student

from ravine.analysis.comparing import TOLERANCE, Tuned, compare
from ravine.analysis.endings import final_loss, ratio
from ravine.analysis.half_samples import halves, on_half
from ravine.analysis.protocol import protocol
from ravine.analysis.repetitions import repeated
from ravine.analysis.statistics import half_sample_variance
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.target import TEST
from ravine.storage.splits import blocks_of

X = Configuration(1.0)
TUNED = Tuned({"a": X, "b": X}, {"a": (X,), "b": (X,)})
ROWS = 67  # in 16 blocks of four; three rows are in none
HALVES = hadamard(16)[1:] > 0


@given(st.lists(st.floats(-1e3, 1e3), min_size=16, max_size=16))
def test_of_a_mean_it_is_the_variance_of_the_mean(values: list[float]) -> None:
    x = np.array(values)
    found = half_sample_variance([x.mean(), *(x[half].mean() for half in HALVES)])
    assert found == pytest.approx(x.var(ddof=1) / 16, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("at_random", [False, True])
def test_blocks_have_each_row_once_and_neighbours_are_apart_only_at_random(at_random: bool) -> None:
    blocks = blocks_of(ROWS, at_random)
    assert blocks.shape == (16, 4)
    assert sorted(blocks.ravel()) == list(range(64))
    assert (np.diff(blocks[0]) == 1).all() != at_random


def test_too_few_rows_have_no_blocks() -> None:
    assert [len(blocks_of(rows, at_random=False)) for rows in (0, 1, 15, 16)] == [0, 0, 0, 16]


def blocked(curve: Curve, losses: NDArray[Any]) -> Curve:
    """The curve of a run of which the loss of every test row is known, (evaluations + 1, rows)."""
    blocks = blocks_of(losses.shape[1], at_random=False)
    measures = curve.measures.astype(np.float64)
    measures[:, TEST, 0] = losses.mean(axis=1)
    parts = np.zeros((len(losses), len(blocks), measures.shape[2]))
    parts[:, :, 0] = losses[:, blocks].mean(axis=2)
    return replace(curve, measures=measures, blocks=parts)


def test_on_a_half_a_curve_is_the_mean_of_its_rows(made: Any) -> None:
    plan = made.planned("sgd")
    plan = replace(plan, facts=plan.facts._replace(rows=(3200, 10, ROWS), blocks=16))
    (curve, *_) = made.timed(plan, {"sgd": [50] * 12})
    losses = np.random.default_rng(0).uniform(0.1, 2, (101, ROWS))
    np.testing.assert_array_equal(halves(plan), HALVES)
    changed = on_half(blocked(curve, losses), HALVES[4])
    rows = [row for row in range(64) if HALVES[4][row // 4]]
    assert len(rows) == 32
    np.testing.assert_allclose(changed.measures[:, TEST, 0], losses[:, rows].mean(axis=1))
    np.testing.assert_array_equal(changed.measures[:, 0], curve.measures[:, 0])


def test_the_interval_is_students_for_seeds_and_for_rows() -> None:
    every = np.random.default_rng(1).normal(0.3, 0.1, (16, 6))
    found = compare({X: every}, {X: np.zeros_like(every)}, TUNED, ("a", "b"), 0.05)
    of_seeds = student.ppf(0.975, 5) ** 2 * every[0].var(ddof=1) / 6
    of_rows = student.ppf(0.975, 15) ** 2 * half_sample_variance(every.mean(axis=1))
    half = math.sqrt(of_seeds + of_rows) + TOLERANCE
    assert found.middle == pytest.approx(every[0].mean())
    assert found.low == pytest.approx(every[0].mean() - half)
    assert found.high == pytest.approx(every[0].mean() + half)


def test_it_covers_the_truth_about_all_rows_where_seeds_alone_do_not() -> None:
    """Of 64 rows drawn anew in each of 1,000 races, whose luck all 12 seeds of a race share."""
    draw = np.random.default_rng(2)
    covered = {"seeds alone": 0, "rows too": 0}
    for _ in range(1000):
        luck = draw.normal(0, 0.6, 64)
        seeds = draw.normal(0, 0.1, 12)
        blocks = luck.reshape(16, 4).mean(axis=1)
        every = np.array([luck.mean() + seeds, *(blocks[half].mean() + seeds for half in HALVES)])
        for name, logs in {"seeds alone": every[:1], "rows too": every}.items():
            found = compare({X: logs}, {X: np.zeros_like(logs)}, TUNED, ("a", "b"), 0.05)
            covered[name] += found.low + TOLERANCE < 0 < found.high - TOLERANCE
    assert covered["seeds alone"] < 700
    assert covered["rows too"] >= 945


def test_a_race_is_judged_by_rows_too_where_its_split_is_given(made: Any) -> None:
    """Whose rows have each a pace of their own, the same in every run."""
    plan = made.planned("sgd", "adam")
    plan = replace(plan, facts=plan.facts._replace(rows=(3200, 10, ROWS), blocks=16))
    narrow = plan.facts._replace(blocks=0)
    times = {"sgd": [50 + i % 3 for i in range(12)], "adam": [30 + i % 2 for i in range(12)]}
    pace = np.exp(np.random.default_rng(3).normal(0, 0.6, (2, ROWS)))

    def of_rows(curve: Curve) -> Curve:
        own = pace[int(curve.run.rule == "adam")]
        middle = curve.measures[:, TEST, 0].astype(np.float64)
        # A row that is faster is where the mean row is later.
        at = np.minimum(np.arange(101)[:, None] * own, 100)
        return blocked(curve, np.interp(at, np.arange(101), middle))

    curves = [of_rows(curve) for curve in made.timed(replace(plan, facts=narrow), times)]
    wide = made.standing(made.judged(plan, curves), "adam").speedup
    alone = made.standing(made.judged(replace(plan, facts=narrow), curves), "adam").speedup
    assert wide.median == pytest.approx(alone.median)
    assert wide.low < alone.low * 0.95
    assert wide.high > alone.high * 1.05
    ends = [ratio(repeated(p, curves), ("sgd", "adam"), 1, (final_loss, final_loss))
            for p in (plan, replace(plan, facts=narrow))]  # fmt: skip
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[0].median == pytest.approx(ends[1].median)
    assert ends[0].high / ends[0].low > ends[1].high / ends[1].low


@pytest.mark.parametrize(
    ("facts", "target", "said"),
    [
        ({"anew": True, "blocks": 0}, "", "anew for each seed, in parts of one size: .* all rows"),
        ({"blocks": 16}, "", "same for all seeds; .* half-samples of 16 blocks"),
        ({"blocks": 0}, "", "same for all seeds: .* about the rows that were held out"),
        ({"blocks": 16}, "validation loss<=0.1", "same for all seeds: .* that were held out"),
    ],
    ids=["anew", "given", "few", "another split's target"],
)
def test_the_protocol_says_how_rows_were_split(
    made: Any, facts: dict[str, Any], target: str, said: str
) -> None:
    plan = made.planned("sgd", "adam")
    told = plan.facts._replace(split="split off by group, at random", **facts)
    plan = replace(plan, facts=told, choices=replace(plan.choices, target=target))
    words = protocol(plan)["split"]
    assert re.search(f"^split off by group, at random; (the )?{said}", words)
