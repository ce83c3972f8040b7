"""How much a rule's learning rate matters: from tuning runs, and never part of a ranking.

Losses are final validation losses, medians over the tuning seeds. A rate whose runs were stopped
early is known by its loss where they were stopped: more than it would have ended at.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ravine.analysis.curves import end_loss, untrained
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.target import VALIDATION

FORGIVEN = 0.05  # of the best loss: what a learning rate may cost and still be called good


class Tried(NamedTuple):
    """What tuning found at one learning rate."""

    rate: float
    loss: float  # infinite: most runs diverged; NaN: none could be done
    stopped: bool = False


class Width(NamedTuple):
    """The learning rates around the best, next to one another, that are within 5 % of it."""

    low: float
    high: float
    at_edge: bool  # one of the two is the first or last tried: it may go on

    @property
    def decades(self) -> float:
        """From the lowest to the highest. 0: of the rates tried the best alone."""
        return math.log10(self.high / self.low)


class Lead(NamedTuple):
    """Who leads for a stretch of tries."""

    rule: str
    first: int
    last: int


@dataclass(frozen=True)
class Sensitivity:
    """How forgiving a rule is of its learning rate."""

    width: Width
    cliff: float | None  # the smallest rate above the best that trains nothing; None: not reached
    unusable: float  # share of the rates tried that train nothing
    after: tuple[float, ...]  # expected best loss after 1, 2, … tries
    rivals: tuple[float, ...]  # other rates that tuning could not tell from the chosen one


def sensitivity(
    rule: str, best: float, curves: Sequence[Curve], rivals: tuple[float, ...]
) -> Sensitivity:
    """What the tuning runs say of a rule whose chosen learning rate is ``best``."""
    own = [c for c in curves if c.run.stage == "tuning" and c.run.rule == rule]
    start = loss_before(own)
    rates = tried(own)
    each = {curve.run.configuration: list[Curve]() for curve in own}
    for curve in own:
        each[curve.run.configuration].append(curve)
    barren = unusable(rates, best, start)
    return Sensitivity(
        width=forgiving_width(rates, best),
        cliff=min((rate for rate in barren if rate > best), default=None),
        unusable=len(barren) / len(rates),
        after=best_after([_median_end(runs) for runs in each.values()], start),
        rivals=rivals,
    )


def tried(curves: Sequence[Curve]) -> list[Tried]:
    """The rates of one rule's tuning runs, ascending. Runs that could not be done say nothing.

    Of a rate that was tried with several weight decays, the decay of the lowest loss.
    """
    by_rate: dict[float, dict[Configuration, list[Curve]]] = {}
    for curve in curves:
        own = by_rate.setdefault(curve.run.learning_rate, {})
        own.setdefault(curve.run.configuration, []).append(curve)
    found = []
    for rate in sorted(by_rate):
        each = [
            Tried(rate, _median_end(runs), any(c.stopped for c in runs if not c.failure))
            for runs in by_rate[rate].values()
        ]
        found.append(min(each, key=lambda t: math.inf if math.isnan(t.loss) else t.loss))
    return found


def _median_end(runs: Sequence[Curve]) -> float:
    done = [end_loss(curve, VALIDATION) for curve in runs if not curve.failure]
    return float(np.median(done)) if done else math.nan


def loss_before(curves: Sequence[Curve]) -> float:
    """The median validation loss before step one; NaN if no run could be done."""
    starts = [float(c.measures[0, VALIDATION, 0]) for c in curves if not c.failure]
    return float(np.median(starts)) if starts else math.nan


def forgiving_width(rates: Sequence[Tried], best: float) -> Width:
    """The stretch of rates around the best whose losses are within 5 % of its own.

    To the grid's resolution: rates between those tried are not guessed at, so it is no wider than
    this says. A rate that was stopped early took far longer than the best and counts as outside.

    >>> grid = [Tried(0.01, 2.0), Tried(0.1, 1.04), Tried(1.0, 1.0), Tried(10.0, 1.05)]
    >>> forgiving_width(grid, 1.0)
    Width(low=0.1, high=10.0, at_edge=True)
    >>> forgiving_width(grid, 1.0).decades
    2.0
    """
    middle = next(i for i, t in enumerate(rates) if t.rate == best)
    loss = rates[middle].loss
    level = loss + FORGIVEN * abs(loss)
    low = high = middle
    while low and _within(rates[low - 1], level):
        low -= 1
    while high < len(rates) - 1 and _within(rates[high + 1], level):
        high += 1
    edge = len(rates) > 1 and (low == 0 or high == len(rates) - 1)
    return Width(rates[low].rate, rates[high].rate, edge)


def _within(at: Tried, level: float) -> bool:
    return not at.stopped and math.isfinite(level) and at.loss <= level


def unusable(rates: Sequence[Tried], best: float, start: float) -> list[float]:
    """The rates that train nothing: most runs diverge, or the loss is as bad as untrained.

    ``start``: the loss before step one. A rate that was stopped early is judged by where it was;
    but one below the best was slow, and would have gone on falling, so it must have diverged.
    """
    return [
        t.rate
        for t in rates
        if t.loss == math.inf or (t.loss >= untrained(start) and not (t.stopped and t.rate < best))
    ]


def best_after(losses: Sequence[float], start: float) -> tuple[float, ...]:
    """The expected lowest loss after k tries of a grid in random order, k = 1 … its length.

    Exact, without replacement: of all orders' first k, the share in which the i-th lowest is the
    lowest is C(n-i, k-1) / C(n, k). A try that is lost leaves the loss before step one, ``start``;
    one that was stopped early counts as where it was stopped, so the expectation is an upper
    bound. Dodge et al. 2019, https://arxiv.org/abs/1909.03004, draw with replacement instead.

    >>> best_after([1.0, 3.0, math.inf], start=5.0)
    (3.0, 1.6666666666666667, 1.0)
    """
    n = len(losses)
    ordered = sorted(start if math.isnan(loss) else min(loss, start) for loss in losses)
    return tuple(
        sum(loss * math.comb(n - i, k - 1) for i, loss in enumerate(ordered, 1) if n - i >= k - 1)
        / math.comb(n, k)
        for k in range(1, n + 1)
    )


def leads_by_tries(after: Mapping[str, Sequence[float]]) -> tuple[Lead, ...]:
    """Who has the lowest expected loss after k tries, for as many as all rules' grids allow.

    >>> leads_by_tries({"a": (3.0, 2.9, 2.8), "b": (4.0, 3.0, 2.0)})
    (Lead(rule='a', first=1, last=2), Lead(rule='b', first=3, last=3))
    """
    leads: list[Lead] = []
    for k in range(min(map(len, after.values()))):
        rule = min(sorted(after), key=lambda r: after[r][k])
        if leads and leads[-1].rule == rule:
            leads[-1] = leads[-1]._replace(last=k + 1)
        else:
            leads.append(Lead(rule, k + 1, k + 1))
    return tuple(leads)
