"""One race after the other, from tuning to conclusions, on resampled seeds.

Seeds are drawn with replacement, so that the population, and with it the truth, is all of them. The
truth about a race is what its own band of targets gives when every learning rate is run on all
seeds: the best rate of the rule against the best of the reference.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks.calibration.curves import Curves
from numpy.typing import NDArray

from ravine.analysis.comparing import (
    EQUAL,
    FASTER,
    MARGIN,
    SLOWER,
    UNDECIDED,
    Difference,
    Looked,
    Tuned,
    best,
    contenders,
    look,
    margin,
    spread,
)
from ravine.analysis.looks import nominal_levels
from ravine.experiment.configuration import Configuration
from ravine.experiment.endpoint import HALVINGS, HOPELESS, band, mean_log_time, times_to

VALIDATION, TEST = 0, 1
TUNING_SEEDS = 2
LOOKS = (6, 9, 12)
ALPHA = 0.05
REFERENCES = 10  # runs that the target is taken from
RELIABLY = 7  # the 8th lowest of ten
FINER = (-2, -1, 1, 2)  # eighths of a decade around the best of the coarse grid
HALVES = (-2, 2)  # around the best decay, where that is tuned
Seeds = NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """One race: what it found of each rule, what is true, and what it cost."""

    differences: Mapping[str, Difference]
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
        return [r for r, d in self.differences.items() if wrong[d.conclusion](self.true[r])]

    @property
    def holds(self) -> bool:
        """Whether all intervals contain the truth."""
        return all(d.low <= self.true[r] <= d.high for r, d in self.differences.items())


class Sampler:
    """Races over the curves of a task; ``equal``: all rules are made equal at their best rates."""

    def __init__(self, curves: Curves, equal: bool = False) -> None:
        self.curves, self.equal = curves, equal
        self.reference, *self.others = curves.rates
        self.lowest, self.ends = curves.lowest(), curves.ends()
        self.seeds, self.horizon = curves.losses[self.reference].shape[1], curves.evaluations
        self.halvings = 1 if curves.lengths else HALVINGS
        self.lengths = len(curves.lengths) or 1  # runs for each that is tried

    def race(self, draw: np.random.Generator) -> Outcome | None:
        """One race; None where the reference reaches nothing that could be a target."""
        tuning, references, judged = (
            draw.integers(self.seeds, size=n) for n in (TUNING_SEEDS, REFERENCES, LOOKS[-1])
        )
        found = self._tuned(tuning)
        if found is None:
            return None
        tuned, runs = found
        place = _place(tuned.chosen[self.reference])
        lowest = self.lowest[self.reference][TEST, place, references]
        whole = np.isfinite(self.ends[self.reference][TEST, place, references])
        target = float(np.sort(np.where(whole, lowest[:, -1], np.inf))[RELIABLY])
        targets = band(lowest, target, self.halvings) if math.isfinite(target) else None
        if targets is None:
            return None
        true = self._truths(targets, TEST)
        shift = true if self.equal else {}

        def times(rule: str, one: Configuration, seeds: int) -> Any:
            return self._times(rule, _place(one), judged[:seeds], targets, TEST, shift)

        looked = self._looked(tuned, times)
        runs += self.lengths * (REFERENCES + sum(looked.asked.values()))
        return Outcome(
            looked.differences, dict.fromkeys(self.others, 0.0) if self.equal else true, runs
        )

    def _looked(self, tuned: Tuned, times: Any) -> Looked:
        levels = dict(zip(LOOKS, nominal_levels(LOOKS, ALPHA / len(self.others)), strict=True))
        return look(self.reference, self.others, tuned, levels, times)

    def _tuned(self, seeds: Seeds) -> tuple[Tuned, int] | None:
        """What tuning gives, by the places of learning rates, and how many runs it takes."""
        ends = self.ends[self.reference][VALIDATION][:, seeds[:1]].mean(axis=1)
        first = min(map(int, self.curves.coarse[self.reference]), key=lambda k: (ends[k], k))
        if math.isinf(ends[first]):
            return None
        lowest = self.lowest[self.reference][VALIDATION, first, seeds]
        targets = band(lowest, float(np.median(lowest, axis=0)[-1]), self.halvings)
        shift = self._truths(targets, VALIDATION) if self.equal else {}
        scores, every, runs = {}, {}, 0
        for rule in self.curves.rates:

            def times(
                places: Any, count: int, rule: str = rule, lost: bool = False
            ) -> dict[Configuration, Any]:
                """``lost``: also those with which a run diverges."""
                own = seeds[:count]
                found = {
                    self._configuration(rule, k): self._times(
                        rule, k, own, targets, VALIDATION, shift
                    )
                    for k in places
                }
                ends = self.ends[rule][VALIDATION]
                well = {k: t for k, t in found.items() if np.isfinite(ends[_place(k), own]).all()}
                return found if lost else well or found

            coarse = [*map(int, self.curves.coarse[rule])]
            least = min(t.mean() for t in times(coarse, 1).values())
            once = times(coarse, 1, lost=True)
            near = {_place(k) for k, t in once.items() if t.mean() <= least + HOPELESS}
            near |= {first} if rule == self.reference else set()
            tried = near | set(self._finer(rule, _place(best(times(sorted(near), len(seeds))))))
            if self._decays(rule) is not None:
                middle = _place(best(times(sorted(tried), len(seeds))))
                tried |= set(self._at(rule, middle, HALVES))
            scores[rule] = times(sorted(tried), len(seeds))
            ends = self.ends[rule][VALIDATION][:, seeds]
            every[rule] = {
                k: t
                for k, t in times(sorted(tried), len(seeds), lost=True).items()
                if np.isfinite(ends[_place(k)]).any()
            } or scores[rule]
            # Of the coarse grid, the first seed was there.
            tuned = len(self.curves.coarse[rule]) + len(tried) * len(seeds) - len(near)
            runs += self.lengths * tuned
        within = margin(spread([*scores.values()]), len(seeds))
        chosen = {rule: best(own) for rule, own in scores.items()}
        found = {r: contenders(own, within, own[chosen[r]].mean()) for r, own in every.items()}
        return Tuned(chosen, found, within), runs

    def _configuration(self, rule: str, place: int) -> Configuration:
        """What stands at a place of the curves."""
        rate = float(self.curves.rates[rule][place])
        return Configuration(rate, (("place", float(place)),))

    def _decays(self, rule: str) -> Any:
        """The weight decays of each place; nothing where they are not tuned."""
        found = self.curves.decays.get(rule)
        return None if found is None or np.isnan(found).all() else found

    def _finer(self, rule: str, place: int) -> list[int]:
        """What is tried around the best of the coarse grid: rates, or decays at its own rate."""
        if (decays := self._decays(rule)) is None:
            return self._at(rule, place, FINER)
        rates = self.curves.rates[rule]
        return [int(k) for k in np.flatnonzero((rates == rates[place]) & ~np.isnan(decays))]

    def _at(self, rule: str, place: int, eighths: Sequence[int]) -> list[int]:
        """Rates so many eighths of a decade away, of the same decay; those that are there."""
        decays = self.curves.decays.get(rule, np.full(len(self.curves.rates[rule]), np.nan))
        same = np.equal(decays, decays[place]) | (np.isnan(decays) & np.isnan(decays[place]))
        rates = np.where(same, np.log10(self.curves.rates[rule]), np.inf)
        wanted = [rates[place] + k / 8 for k in eighths]
        near = [int(np.abs(rates - x).argmin()) for x in wanted]
        return [k for k, x in zip(near, wanted, strict=True) if abs(rates[k] - x) < 0.03]

    def _times(
        self,
        rule: str,
        place: int,
        seeds: Seeds,
        targets: Any,
        split: int,
        shift: Mapping[str, float],
    ) -> Any:
        times = times_to(self.lowest[rule][split, place, seeds], targets)
        return mean_log_time(times, self.horizon) + shift.get(rule, 0.0)

    def _truths(self, targets: Any, split: int) -> dict[str, float]:
        """The logarithm of each rule's speed-up on all seeds, best rate against best."""
        means = {
            rule: mean_log_time(times_to(low[split], targets), self.horizon).mean(axis=-1).min()
            for rule, low in self.lowest.items()
        }
        return {rule: float(means[self.reference] - means[rule]) for rule in self.others}


def _place(one: Configuration) -> int:
    """Where its curves are."""
    return int(dict(one.others)["place"])


def summary(sampler: Sampler, count: int, seed: int = 0) -> dict[str, Any]:
    """What so many races came to."""
    draw = np.random.default_rng(seed)
    races = [race for _ in range(count) if (race := sampler.race(draw)) is not None]
    by_rule = {r: Counter(race.differences[r].conclusion for race in races) for r in sampler.others}
    true = {r: float(np.median([race.true[r] for race in races])) for r in sampler.others}
    middle = {r: [race.differences[r].middle for race in races] for r in sampler.others}
    decided = [sum(by_rule[r][what] for r in by_rule) / len(races) for what in (FASTER, SLOWER)]
    runs = np.array([race.runs for race in races])
    return {
        "races": len(races),
        "without_target": count - len(races),
        "comparisons": len(sampler.others),
        "decided": round(sum(decided), 2),
        "equal": round(sum(c[EQUAL] for c in by_rule.values()) / len(races), 2),
        "any_false": round(float(np.mean([bool(race.false) for race in races])), 4),
        "false": dict(Counter(rule for race in races for rule in race.false)),
        "all_intervals_hold": round(float(np.mean([race.holds for race in races])), 4),
        "runs": {"mean": round(float(runs.mean())), "p90": int(np.quantile(runs, 0.9))},
        "rules": {
            r: {
                "true": round(math.exp(true[r]), 3),
                "estimate": round(math.exp(float(np.median(middle[r]))), 3),
                **{what: round(n / len(races), 3) for what, n in sorted(by_rule[r].items())},
            }
            for r in sampler.others
        },
    }
