"""One race after the other, from tuning to conclusions, on resampled seeds.

Seeds are drawn with replacement, so that the population, and with it the truth, is all of them. The
truth about a race is what its own band of targets gives when every learning rate is run on all
seeds: the best rate of the rule against the best of the reference.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from benchmarks.calibration.curves import Curves
from numpy.typing import NDArray

from ravine.racing.choices import LOOKS
from ravine.racing.endpoint import band, mean_log_time, times_to
from ravine.verdict.comparing import (
    EQUAL,
    FASTER,
    MARGIN,
    SLOWER,
    UNDECIDED,
    Difference,
    best,
    compare,
    contenders,
    spread,
)
from ravine.verdict.looks import nominal_levels

VALIDATION, TEST = 0, 1
REFERENCES = 10  # runs that the target is taken from
RELIABLY = 7  # the 8th lowest of ten
FINER = (-2, -1, 1, 2)  # eighths of a decade around the best of the coarse grid


@dataclass(frozen=True)
class Settings:
    """What can be varied of the protocol."""

    tuning_seeds: int = 2
    looks: tuple[int, ...] = LOOKS
    alpha: float = 0.05
    factor: float = 2.0  # of contenders
    finer: tuple[int, ...] = FINER


@dataclass(frozen=True)
class Outcome:
    """One race: what it said of each rule, what is true, and what it cost."""

    said: Mapping[str, Difference]
    true: Mapping[str, float]
    runs: int

    @property
    def false(self) -> list[str]:
        """The rules about which the conclusion is wrong."""
        wrong = {
            FASTER: lambda true: true <= 0,
            SLOWER: lambda true: true >= 0,
            EQUAL: lambda true: abs(true) > MARGIN,
            UNDECIDED: lambda true: False,
        }
        return [r for r, d in self.said.items() if wrong[d.conclusion](self.true[r])]

    @property
    def holds(self) -> bool:
        """Whether all intervals contain the truth."""
        return all(d.low <= self.true[r] <= d.high for r, d in self.said.items())


@dataclass
class Sampler:
    """Races over the curves of a task."""

    curves: Curves
    equal: bool = False  # whether all rules are made equal at their best learning rates
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.rules = list(self.curves.rates)
        self.reference, *self.others = self.rules
        self.lowest, self.ends = self.curves.lowest(), self.curves.ends()
        losses = self.curves.losses[self.reference]
        self.seeds, self.horizon = losses.shape[1], losses.shape[2] - 1

    def race(self, draw: np.random.Generator) -> Outcome | None:
        """One race; None where the reference reaches nothing that could be a target."""
        tuning = draw.integers(self.seeds, size=self.settings.tuning_seeds)
        references = draw.integers(self.seeds, size=REFERENCES)
        judged = draw.integers(self.seeds, size=self.settings.looks[-1])
        tuned = self._tuned(tuning)
        if tuned is None:
            return None
        scores, runs = tuned
        chosen = {rule: best(own) for rule, own in scores.items()}
        within = spread([*scores.values()])
        going = {r: contenders(own, within, self.settings.factor) for r, own in scores.items()}
        target = float(np.sort(self._end(TEST, chosen[self.reference], references))[RELIABLY])
        place = int(chosen[self.reference])
        reference = self.lowest[self.reference][TEST, place, references]
        targets = band(reference, target) if math.isfinite(target) else None
        if targets is None:
            return None
        true = self._truths(targets, TEST)
        shift = true if self.equal else dict.fromkeys(self.others, 0.0)
        times = {
            rule: {
                rate: self._times(rule, int(rate), judged, targets, TEST) + shift.get(rule, 0.0)
                for rate in going[rule]
            }
            for rule in self.rules
        }
        said, seeds = self._said(times, chosen)
        runs += REFERENCES + sum(seeds[r] * len(going[r]) for r in self.others)
        runs += max(seeds.values()) * len(going[self.reference])
        return Outcome(said, dict.fromkeys(self.others, 0.0) if self.equal else true, runs)

    def _tuned(self, seeds: NDArray[np.int64]) -> tuple[dict[str, dict[float, Any]], int] | None:
        """Each rule's tuning times, by the place of its learning rate, and the runs they took."""
        coarse = self.curves.coarse[self.reference]
        ends = {int(k): float(self._end(VALIDATION, k, seeds).mean()) for k in coarse}
        first = min(ends, key=lambda k: (ends[k], k))
        if math.isinf(ends[first]):
            return None
        reference = self.lowest[self.reference][VALIDATION, first, seeds]
        targets = band(reference, float(np.median(reference, axis=0)[-1]))
        assert targets is not None  # its own end is reached
        shift = self._truths(targets, VALIDATION) if self.equal else {}
        scores, runs = {}, 0
        for rule in self.rules:

            def time(place: int, rule: str = rule, targets: Any = targets) -> Any:
                own = self._times(rule, place, seeds, targets, VALIDATION)
                return own + shift.get(rule, 0.0)

            own: dict[float, Any] = {int(k): time(int(k)) for k in self.curves.coarse[rule]}
            own |= {k: time(k) for k in self._finer(rule, int(best(own))) if k not in own}
            scores[rule], runs = own, runs + len(own) * len(seeds)
        return scores, runs

    def _finer(self, rule: str, place: int) -> list[int]:
        rates = np.log10(self.curves.rates[rule])
        wanted = [rates[place] + k / 8 for k in self.settings.finer]
        near = [int(np.abs(rates - x).argmin()) for x in wanted]
        return [k for k, x in zip(near, wanted, strict=True) if abs(rates[k] - x) < 0.03]

    def _said(
        self, times: Mapping[str, Any], chosen: Mapping[str, float]
    ) -> tuple[dict[str, Difference], dict[str, int]]:
        """What is concluded of each rule, and on how many seeds."""
        looks = self.settings.looks
        levels = nominal_levels(looks, self.settings.alpha / len(self.others))
        tuned = {**chosen, "": chosen[self.reference]}
        said: dict[str, Difference] = {}
        seeds: dict[str, int] = {}
        for look, level in zip(looks, levels, strict=True):
            open_ = [r for r in self.others if r not in said or said[r].conclusion == UNDECIDED]
            cut = {r: {k: t[:look] for k, t in times[r].items()} for r in [self.reference, *open_]}
            reference = cut.pop(self.reference)
            if not cut:
                break
            said |= compare(reference, cut, tuned, level)
            seeds |= dict.fromkeys(open_, look)
        return said, seeds

    def _times(self, rule: str, place: int, seeds: Any, targets: Any, split: int) -> Any:
        times = times_to(self.lowest[rule][split, place, seeds], targets)
        return mean_log_time(times, self.horizon)

    def _end(self, split: int, place: float, seeds: Any) -> Any:
        return self.ends[self.reference][split, int(place), seeds]

    def _truths(self, targets: Any, split: int) -> dict[str, float]:
        """The logarithm of each rule's speed-up on all seeds, best rate against best."""
        means = {
            rule: mean_log_time(times_to(low[split], targets), self.horizon).mean(axis=-1).min()
            for rule, low in self.lowest.items()
        }
        return {rule: float(means[self.reference] - means[rule]) for rule in self.others}


def summary(sampler: Sampler, count: int, seed: int = 0) -> dict[str, Any]:
    """What so many races came to."""
    draw = np.random.default_rng(seed)
    races = [race for _ in range(count) if (race := sampler.race(draw)) is not None]
    by_rule = {r: Counter(race.said[r].conclusion for race in races) for r in sampler.others}
    true = {r: float(np.median([race.true[r] for race in races])) for r in sampler.others}
    middle = {r: [race.said[r].middle for race in races] for r in sampler.others}
    decided = [sum(by_rule[r][what] for r in by_rule) / len(races) for what in (FASTER, SLOWER)]
    return {
        "races": len(races),
        "without_target": count - len(races),
        "comparisons": len(sampler.others),
        "decided": round(sum(decided), 2),
        "equal": round(sum(c[EQUAL] for c in by_rule.values()) / len(races), 2),
        "any_false": round(float(np.mean([bool(race.false) for race in races])), 4),
        "false": dict(Counter(rule for race in races for rule in race.false)),
        "all_intervals_hold": round(float(np.mean([race.holds for race in races])), 4),
        "runs": round(float(np.mean([race.runs for race in races]))),
        "rules": {
            r: {
                "true": round(math.exp(true[r]), 3),
                "estimate": round(math.exp(float(np.median(middle[r]))), 3),
                **{what: round(n / len(races), 3) for what, n in sorted(by_rule[r].items())},
            }
            for r in sampler.others
        },
    }
