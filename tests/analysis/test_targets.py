"""The winner as a function of the target, against trying targets one by one."""

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import EXAMPLES

from ravine import analysis
from ravine.analysis.targets import leads_by_target
from ravine.experiment.configuration import Configuration


def test_a_quick_starter_is_overtaken(made) -> None:
    plan = made.planned("sgd", "adam")
    paces = {"sgd": (9.0, 0.8), "adam": (4.0, 0.1)}  # (pace, floor)
    curves = made.raced(plan, lambda rule, *_: made.falling(*paces[rule]))
    easy, hard = made.judged(plan, curves).leads_by_target
    assert (easy.rule, hard.rule) == ("sgd", "adam")
    assert easy.high == np.float32(made.start)
    assert easy.low == hard.high
    adam = next(c for c in curves if (c.run.rule, c.run.stage) == ("adam", "evaluation"))
    assert hard.low == analysis.final(adam, analysis.TEST)
    # They cross where 0.8 + 1.5 exp(-9 t) = 0.1 + 2.2 exp(-4 t), an evaluation later for smoothing.
    t = np.linspace(0.05, 1, 10_000)
    gap = 0.7 + 1.5 * np.exp(-9 * t) - 2.2 * np.exp(-4 * t)
    crossing = 0.1 + 2.2 * math.exp(-4 * t[np.argmax(gap > 0)])
    assert abs(easy.low - crossing) < 0.05


@given(st.integers(0, 10_000), st.integers(1, 5))
@settings(max_examples=EXAMPLES // 5)
def test_it_is_what_each_target_alone_would_give(made, seed: int, runs: int) -> None:
    """Random walks that rise and fall, some lost on their way; ties are between whoever ties."""
    rng = np.random.default_rng(seed)
    plan = made.planned("sgd", "adam", "nadam", fresh=runs)
    walks = {}
    for run in plan.fresh(dict.fromkeys(plan.choices.rules, Configuration(0.1)), runs, 0):
        walk = (2 + np.cumsum(rng.normal(-0.01, 0.1, 101))).clip(0.1).round(1)
        walk[rng.integers(20, 200) :] = np.nan
        walks[run.rule, run.seed] = np.append(2.0, walk[1:])
    fresh = {}
    for run in plan.fresh(dict.fromkeys(plan.choices.rules, Configuration(0.1)), runs, 0):
        curve = made.curves([run], plan, lambda r, a, seed, s: walks[r, seed])
        fresh.setdefault(run.rule, []).extend(curve)
    found = leads_by_target(fresh, plan.period, 2.0)
    ends = [x for stretch in found for x in (stretch.high, stretch.low)]
    assert ends == sorted(ends, reverse=True)
    assert ends[2::2] == ends[1:-1:2]
    assert all(a.rule != b.rule for a, b in pairwise(found))

    def median(rule: str, target: float) -> float:
        return np.median([analysis.steps_to(c, target, plan.period) for c in fresh[rule]])

    for rule, high, low in found:
        for target in (low, (low + high) / 2):
            assert median(rule, target) == min(median(r, target) for r in fresh)
            assert math.isfinite(median(rule, target))
    if found:
        assert all(median(r, np.nextafter(found[-1].low, -9)) == math.inf for r in fresh)


def test_contenders_and_tuning_runs_lead_nowhere(made) -> None:
    """Only evaluation runs at the chosen rates count, though others are quicker."""
    plan = made.planned("sgd", "adam")

    def losses(rule: str, rate: float, seed: int, stage: str) -> np.ndarray:
        if stage == "tuning":
            at = {0.1: 40, 1.0: (36, 40, 48)[seed % 3]}.get(rate, 1e4)
            return made.reaching(at / (2 if rule == "adam" else 1))
        return made.reaching({"evaluation": {"sgd": 50, "adam": 60}[rule]}.get(stage, 1))

    curves = made.raced(plan, losses)
    assert "contender" in {curve.run.stage for curve in curves}
    assert {stretch.rule for stretch in made.judged(plan, curves).leads_by_target} == {"sgd"}
