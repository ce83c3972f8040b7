"""What the curves of a race say: pure functions over what the store returns.

The protocol, in its simplest honest form: learning rates are chosen on validation data and tuning
seeds; the target is what tuned gradient descent reliably reaches; rules are judged on test data,
with seeds that nothing was tuned on, in pairs of the same initial weights and batches.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binom, binomtest

from ravine.racing import stopping
from ravine.racing.plan import BASELINE, REFERENCE_SEEDS, Plan
from ravine.racing.store import Curve
from ravine.rules import RULES

VALIDATION, TEST = 0, 1
SMOOTHING = stopping.SMOOTHING
TARGET_QUANTILE = 0.8
CONFIDENCE = 0.95
UNTRAINED = 0.9  # of the loss before step one: a target this high was not learned
NO_TARGET = (
    "No verdict: gradient descent {} in more than a fifth of its reference runs, so there is "
    "nothing that it reliably reaches."
)
PROTOCOL = {
    "tuning": "lowest median final validation loss; equal grids; ties to the smaller rate",
    "target": f"the {REFERENCE_SEEDS * TARGET_QUANTILE:.0f}th lowest final test loss of "
    f"{REFERENCE_SEEDS} reference runs of tuned gradient descent, on other seeds",
    "time": f"first evaluation whose trailing mean of {SMOOTHING} test losses is at most the "
    "target",
    "speedup": "T of gradient descent / T of the rule, paired by seed, median; where only the rule "
    "arrives, the whole run / T, a lower bound; where only gradient descent does, 0; neither, 1",
    "interval": f"order statistics of the median, at least {CONFIDENCE:.0%}, not adjusted for "
    "several rules",
    "test": f"exact sign test, Holm over the rules, {1 - CONFIDENCE:.0%}",
    "diverged": "not finite, or ending above the loss before step one",
    "early_stopping": "of a learning rate's tuning runs, at "
    + ", ".join(f"1/{1 / share:.0f}" for share in stopping.RUNGS)
    + f" of their steps: where the rule's best rate was in 1/{stopping.MARGIN} of the steps, and "
    "each of them is now worse than each run of the best rate",
}


class Spread(NamedTuple):
    """A median, and where it or the values around it may lie."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """How a rule did at its chosen learning rate, on the fresh seeds."""

    rule: str
    learning_rate: float
    hyperparameters: Mapping[str, Any]
    at_edge: bool  # the chosen rate is the smallest or largest tried: a wider grid may do better
    runs: int
    reached: int
    diverged: int
    failed: int  # could not be done: counted as not reaching the target, not as diverged
    steps_to_target: Spread  # quartiles; infinite for a run that missed
    speedup: Spread  # over gradient descent, with its interval
    p_value: float  # of being no faster or slower than gradient descent, Holm-adjusted
    final_losses: tuple[float, ...]
    final_metrics: Mapping[str, float]  # medians over the runs that stayed finite

    @property
    def final_loss(self) -> float:
        """The median of the final test losses, one that is not finite being the highest."""
        return float(np.median([e if math.isfinite(e) else math.inf for e in self.final_losses]))


@dataclass(frozen=True)
class Verdict:
    """Who is faster than gradient descent, by how much, and how sure that is."""

    task: str
    target: float
    standings: tuple[Standing, ...]  # best first
    sentence: str
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        return self.sentence

    @property
    def leader(self) -> Standing:
        """The rule with the largest median speed-up."""
        return self.standings[0]


def final(curve: Curve, split: int, measure: int = 0) -> float:
    """Where a run ended: the mean of its last three evaluations. NaN if one is not finite."""
    return float(np.mean(curve.measures[-SMOOTHING:, split, measure]))


def diverged_at(curve: Curve, split: int) -> int | None:
    """The step at which a run stopped being finite, its last if it ended above its start.

    None also for a run that could not be done: that says nothing about its rule.
    """
    if curve.failure:
        return None
    lost = np.flatnonzero(~np.isfinite(curve.losses))
    if lost.size:
        return int(lost[0]) + 1
    end = final(curve, split)
    if not np.isfinite(end) or end > curve.measures[0, split, 0]:
        return len(curve.losses)
    return None


def choose(plan: Plan, curves: Sequence[Curve]) -> dict[str, float]:
    """Each rule's learning rate, from tuning runs alone.

    A rate that was stopped early comes behind all that went on, but before one that diverged.
    """
    stopped = {(c.run.rule, c.run.learning_rate) for c in curves if c.stopped}
    chosen = {}
    for rule in plan.choices.rules:
        scores = tuning_scores(rule, curves)
        chosen[rule] = min(
            scores, key=lambda r: (math.isinf(scores[r]), (rule, r) in stopped, scores[r], r)
        )
    return chosen


def tuning_scores(rule: str, curves: Sequence[Curve]) -> dict[float, float]:
    """The median final validation loss at each learning rate; a diverged run counts as infinite.

    Of a run that was stopped early, the loss where it was stopped.
    """
    by_rate: dict[float, list[float]] = {}
    for curve in curves:
        if curve.run.stage == "tuning" and curve.run.rule == rule:
            lost = curve.failure or diverged_at(curve, VALIDATION) is not None
            score = math.inf if lost else final(curve, VALIDATION)
            by_rate.setdefault(curve.run.learning_rate, []).append(score)
    return {rate: float(np.median(scores)) for rate, scores in by_rate.items()}


def target_of(curves: Sequence[Curve]) -> float:
    """What tuned gradient descent reliably reaches: four of five reference runs end below it."""
    ends = [
        math.inf if curve.failure or diverged_at(curve, TEST) is not None else final(curve, TEST)
        for curve in curves
        if curve.run.stage == "reference"
    ]
    return float(np.quantile(ends, TARGET_QUANTILE, method="inverted_cdf"))


def steps_to(curve: Curve, target: float, period: int) -> float:
    """Steps until the trailing mean of three test losses is at most the target, or infinity."""
    losses = curve.measures[1:, TEST, 0].astype(np.float64)
    if math.isinf(target):
        return math.inf
    trailing = np.convolve(losses, np.full(SMOOTHING, 1 / SMOOTHING), "valid")
    reached = np.flatnonzero(trailing <= target)  # NaN is not
    return float((reached[0] + SMOOTHING) * period) if reached.size else math.inf


def speedup(baseline: float, rule: float, horizon: float) -> float:
    """How many times fewer steps the rule took. One that missed took infinitely many.

    Where only the rule arrives, gradient descent would have needed more than the horizon: a lower
    bound. Where neither does, a tie.
    """
    if math.isinf(baseline) and math.isinf(rule):
        return 1.0
    return min(baseline, horizon) / rule


def median_interval(values: Sequence[float]) -> Spread:
    """The median with its order-statistic interval of at least 95 %; else least and most."""
    ordered = np.sort(np.asarray(values, dtype=float))
    rank = int(binom.ppf((1 - CONFIDENCE) / 2, len(ordered), 0.5))
    low, high = ordered[max(rank, 1) - 1], ordered[len(ordered) - max(rank, 1)]
    return Spread(float(np.median(ordered)), float(low), float(high))


def quartiles(values: Sequence[float]) -> Spread:
    """Median and quartiles, linear between the values around them; infinite next to infinity."""
    ordered = sorted(values)

    def at(share: float) -> float:
        below, rest = divmod(share * (len(ordered) - 1), 1)
        low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
        return low if rest == 0 or low == high else low + rest * (high - low)

    return Spread(median=at(0.5), low=at(0.25), high=at(0.75))


def sign_test(speedups: Sequence[float]) -> float:
    """Exact two-sided p-value of the medians being equal; ties are left out."""
    wins = sum(s > 1 for s in speedups)
    losses = sum(s < 1 for s in speedups)
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjustment for having tested several rules. Scand. J. Statist. 6 (1979) 65-70."""
    adjusted, floor = {}, 0.0
    for i, (rule, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        floor = max(floor, min(1.0, p * (len(p_values) - i)))
        adjusted[rule] = floor
    return adjusted


def judge(plan: Plan, rules: Mapping[str, Mapping[str, Any]], curves: Sequence[Curve]) -> Verdict:
    """The verdict of a finished race. ``rules`` gives each rule's hyperparameters."""
    chosen, target = choose(plan, curves), target_of(curves)
    fresh = {
        rule: {c.run.seed: c for c in curves if c.run.stage == "fresh" and c.run.rule == rule}
        for rule in plan.choices.rules
    }
    times = {
        rule: {seed: steps_to(curve, target, plan.period) for seed, curve in runs.items()}
        for rule, runs in fresh.items()
    }
    # Where gradient descent could not be run, nobody was faster than it.
    unknown = {seed for seed, curve in fresh[BASELINE].items() if curve.failure}
    ratios = {
        rule: [
            1.0 if seed in unknown else speedup(times[BASELINE][seed], t, plan.steps)
            for seed, t in own.items()
        ]
        for rule, own in times.items()
    }
    p_values = holm({rule: sign_test(r) for rule, r in ratios.items() if rule != BASELINE})
    standings = []
    for rule, runs in fresh.items():
        grid = plan.choices.learning_rates[rule]
        standings.append(
            Standing(
                rule=rule,
                learning_rate=chosen[rule],
                hyperparameters=rules[rule],
                at_edge=len(grid) > 1 and chosen[rule] in (grid[0], grid[-1]),
                runs=len(runs),
                reached=sum(map(math.isfinite, times[rule].values())),
                diverged=sum(diverged_at(c, TEST) is not None for c in runs.values()),
                failed=sum(bool(c.failure) for c in runs.values()),
                steps_to_target=quartiles(list(times[rule].values())),
                speedup=median_interval(ratios[rule]),
                p_value=p_values.get(rule, 1.0),
                final_losses=tuple(final(c, TEST) for c in runs.values()),
                final_metrics={
                    name: _finite_median([final(c, TEST, i) for c in runs.values()])
                    for i, name in enumerate(plan.facts.measures)
                    if i > 0
                },
            )
        )
    # A stable order for equals: fewer steps, then lower loss, then as listed.
    standings.sort(key=lambda s: (-s.speedup.median, s.steps_to_target.median, s.final_loss))
    leader = standings[0].rule
    tied = [
        s.rule
        for s in standings[1:]
        if _ties([speedup(times[leader][i], t, plan.steps) for i, t in times[s.rule].items()])
    ]
    sentence = _sentence(standings, tied)
    if math.isinf(target):
        failed = any(c.failure for c in curves if c.run.stage == "reference")
        sentence = NO_TARGET.format("diverged or failed" if failed else "diverged")
    warnings = _warnings(standings) + _troubles(curves)
    start = float(np.median([c.measures[0, TEST, 0] for c in curves if not c.failure]))
    if UNTRAINED * start < target < math.inf:
        warnings.insert(
            0,
            f"gradient descent hardly learned: the target, {target:.4g}, is next to the loss "
            f"before step one, {start:.4g}; train longer or with larger learning rates",
        )
    return Verdict(plan.choices.task, target, tuple(standings), sentence, tuple(warnings))


def title(rule: str) -> str:
    """A rule's name in a sentence: its class's, with what departs from the defaults."""
    name, bracket, rest = rule.partition("(")
    return (RULES[name].__name__ if name in RULES else name) + bracket + rest


def said_ratio(speedup: Spread) -> tuple[str, str]:
    """A speed-up the other way round, in steps: ``0.31×`` and its interval, ``[0.27, 0.36]``."""
    low, median, high = sorted(1 / s if s else math.inf for s in speedup)
    return f"{_two(median)}×", f"[{_two(low)}, {_two(high)}]"


def times_the_steps(speedup: Spread) -> str:
    """The same in a sentence: ``0.31× the steps [0.27, 0.36]``."""
    return "{} the steps {}".format(*said_ratio(speedup))


def _two(ratio: float) -> str:
    return "∞" if math.isinf(ratio) else f"{ratio:.2f}"


def _finite_median(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan


def _ties(speedups: Sequence[float]) -> bool:
    interval = median_interval(speedups)
    return interval.low <= 1 <= interval.high


def fewest_seeds(comparisons: int) -> int:
    """How many seeds a clean sweep needs to pass the sign test, adjusted for so many rules."""
    return 1 + math.ceil(math.log2(comparisons / (1 - CONFIDENCE)))


def _sentence(standings: Sequence[Standing], tied: Sequence[str]) -> str:
    leader, comparisons = standings[0], len(standings) - 1
    if not comparisons:
        return "Only gradient descent was raced: there is nothing to compare."
    steps = times_the_steps(leader.speedup)
    needed = fewest_seeds(comparisons)
    if leader.runs < needed:
        return (
            f"Too few seeds to claim anything: {leader.runs} of the {needed} that a race of "
            f"{len(standings)} rules needs; on these {title(leader.rule)} took {steps} of "
            "gradient descent."
        )
    if leader.rule == BASELINE:
        return "No difference found: no rule is faster than gradient descent."
    if leader.p_value > 1 - CONFIDENCE:
        return (
            "No difference found: no rule is reliably faster than gradient descent (the best, "
            f"{title(leader.rule)}: {steps}, p = {leader.p_value:.2g} adjusted for "
            f"{comparisons} {'rules' if comparisons > 1 else 'rule'})."
        )
    said = f"{title(leader.rule)} reaches gradient descent's final loss in {steps}"
    if tied:
        said += f"; {_listed([title(rule) for rule in tied])} cannot be told apart from it"
    return said + "."


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _warnings(standings: Sequence[Standing]) -> list[str]:
    baseline = next(s for s in standings if s.rule == BASELINE)
    missed = baseline.runs - baseline.reached
    warnings = []
    if missed and len(standings) > 1:
        warnings.append(
            f"gradient descent missed the target in {missed} of {baseline.runs} fresh runs; there "
            "its time counts as the whole run, so that speed-ups are lower bounds"
        )
    for s in standings:
        if s.at_edge:
            warnings.append(
                f"{title(s.rule)}: the best learning rate, {s.learning_rate:g}, lies at the edge "
                "of the range tried; a wider range may do better"
            )
        if s.diverged:
            warnings.append(f"{title(s.rule)}: {s.diverged} of {s.runs} fresh runs diverged")
    return warnings


def _troubles(curves: Sequence[Curve]) -> list[str]:
    """What was not done as planned: it says something about the machine, not about a rule."""
    failed: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves:
        if curve.failure:
            failed.setdefault((curve.run.rule, curve.run.stage), []).append(curve)
    warnings = [
        f"{title(rule)}: {len(cases)} {stage} {'run' if len(cases) == 1 else 'runs'} failed and "
        f"count as not reaching the target ({cases[0].failure.splitlines()[0]})"
        for (rule, stage), cases in failed.items()
    ]
    narrowed = [curve for curve in curves if curve.narrowed]
    if narrowed:
        rules = list(dict.fromkeys(title(curve.run.rule) for curve in narrowed))
        warnings.append(
            f"{len(narrowed)} {'run' if len(narrowed) == 1 else 'runs'} of {_listed(rules)} had to "
            "be done with fewer lanes than planned after workers died; their last digits may "
            "differ from those of an undisturbed race"
        )
    return warnings
