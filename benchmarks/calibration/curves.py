"""The curves that races are resampled from: every rule, many learning rates, many seeds.

Of a task, real runs: first the coarse grid on three seeds, then on all seeds that grid and eighths
of a decade around each rule's best. Of ``synthetic``, a formula whose speed-ups are known.
"""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ravine
from ravine import conduct
from ravine.racing import grids
from ravine.racing.endpoint import lowest_so_far
from ravine.rules import RULES
from ravine.tasks import find

POINTS = 9  # of the coarse grid
NEAR = (-2, -1, 1, 2)  # eighths of a decade
SEEDS = 60
EVALUATIONS = 100
# Of the formula: how many times faster than the reference each rule is at its best learning rate.
SPEEDUPS = {"a": 1.0, "b": 1.1, "c": 0.9, "d": 1.25, "e": 0.8, "f": 1.5, "g": 2.0}
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Curves:
    """All runs of one task; of each rule, in the order of its learning rates."""

    task: str
    rates: Mapping[str, Floats]  # of each rule, ascending
    coarse: Mapping[str, NDArray[np.int64]]  # which of those the first grid has
    losses: Mapping[str, Floats]  # (rates, seeds, evaluations + 1, splits)

    def save(self, path: Path) -> None:
        """Write one file."""
        parts = {"rates": self.rates, "coarse": self.coarse, "losses": self.losses}
        arrays = {f"{part}/{r}": a for part, held in parts.items() for r, a in held.items()}
        np.savez(path, task=self.task, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Curves":
        """What ``save`` wrote."""
        parts: dict[str, dict[str, Any]] = {"rates": {}, "coarse": {}, "losses": {}}
        with np.load(path) as file:
            for name in file:
                if name != "task":
                    part, rule = name.split("/")
                    parts[part][rule] = file[name]
            return cls(str(file["task"]), **parts)

    def lowest(self) -> dict[str, Floats]:
        """The lowest loss so far, (splits, rates, seeds, evaluations - 2)."""
        return {r: lowest_so_far(np.moveaxis(x, -1, 0)) for r, x in self.losses.items()}

    def ends(self) -> dict[str, Floats]:
        """Final losses, infinite where a run diverged: (splits, rates, seeds)."""
        found = {}
        for rule, losses in self.losses.items():
            end = losses[:, :, -3:].astype(float).mean(axis=2)
            lost = ~np.isfinite(losses).all(axis=2) | (end > losses[:, :, 0])
            found[rule] = np.moveaxis(np.where(lost, np.inf, end), -1, 0)
        return found


def of(name: str, seeds: int = SEEDS) -> Curves:
    """The curves of a built-in task, or of the formula."""
    return by_formula(seeds) if name == "synthetic" else of_task(name, seeds)


def of_task(name: str, seeds: int) -> Curves:
    """Real runs, none of them stopped early. Minutes."""
    task = find(name)
    coarse = {r: grids.own_grid(task, r, kind(), POINTS) for r, kind in RULES.items()}
    first = _raced(name, coarse, 3)
    rates = {}
    for rule, runs in first.items():
        ends = {rate: np.mean([run[-3:, 0].mean() for run in by]) for rate, by in runs.items()}
        near = sorted(ends, key=lambda rate, e=ends: np.nan_to_num(e[rate], nan=np.inf))[:3]
        fine = {float(f"{rate * 10 ** (k / 8):.6g}") for rate in near for k in NEAR}
        # What is nearer than a hundredth of a decade is one rate.
        kept = list(coarse[rule])
        kept += [x for x in fine if min(abs(math.log10(x / k)) for k in kept) > 0.01]
        rates[rule] = tuple(sorted(kept))
        print(rule, len(rates[rule]), flush=True)
    runs = _raced(name, rates, seeds)
    return Curves(
        task=name,
        rates={r: np.array(own) for r, own in rates.items()},
        coarse={r: np.array([rates[r].index(x) for x in own]) for r, own in coarse.items()},
        losses={r: np.array([runs[r][x] for x in own], np.float32) for r, own in rates.items()},
    )


def _raced(name: str, rates: Mapping[str, Any], seeds: int) -> dict[str, dict[float, list[Floats]]]:
    """Losses of a race's tuning runs, by rule and learning rate, in the order of the seeds."""
    with tempfile.TemporaryDirectory() as place:
        conduct.publish_pages = lambda race: None  # type: ignore[attr-defined]
        race = ravine.race(
            name,
            rules=list(rates),
            learning_rates={r: list(own) for r, own in rates.items()},
            seeds=1,  # or rates that are far behind on the first seed are not run on the others
            studies=seeds,
            fresh_seeds=1,
            early_stopping=False,
            out=Path(place) / "race",
        )
        curves = [c for c in race.stored if c.run.stage == "tuning"]
    found: dict[str, dict[float, list[Floats]]] = {}
    for curve in sorted(curves, key=lambda c: c.run.seed):
        by_rate = found.setdefault(curve.run.rule, {})
        by_rate.setdefault(curve.run.learning_rate, []).append(curve.measures[:, :, 0])
    return found


def by_formula(seeds: int) -> Curves:
    """A power law in time over a time scale: the ratio of two rules' scales is the speed-up.

    The logarithm of the scale is a parabola in that of the learning rate, lowest on a point of the
    fine grid, plus luck that a seed gives to all runs and to each. Losses are noisy besides; from a
    decade above the best learning rate on, runs diverge.
    """
    draw = np.random.default_rng(0)
    seeds *= 4  # they cost nothing, and the more the nearer is their mean to what is known
    shared = draw.normal(0, 0.15, seeds)
    rates = 10.0 ** (np.arange(0, 33) / 8)  # four decades, by eighths
    coarse = np.arange(0, 33, 4)
    t = np.arange(EVALUATIONS + 1.0)
    losses = {}
    for i, (rule, speedup) in enumerate({"reference": 1.0, **SPEEDUPS}.items()):
        peak = 14 + i  # a place of the grid, on the coarse one only now and then
        off = (np.arange(len(rates)) - peak) / 8
        scale = 8 / speedup * np.exp((4, 2, 1, 0.5)[i % 4] * off**2)
        luck = shared + draw.normal(0, 0.1, (len(rates), seeds))
        scales = scale[:, None] * np.exp(luck)
        curve = 0.1 + 2.2 * (1 + t / scales[..., None]) ** -1.0
        noisy = np.exp(draw.normal(0, 0.05, (*curve.shape, 2)))
        noisy[..., 0, :] = 1
        found = curve[..., None] * noisy
        found[off > 1, :, 30:] = np.nan
        losses[rule] = found.astype(np.float32)
    return Curves(
        "synthetic",
        rates=dict.fromkeys(losses, rates),
        coarse=dict.fromkeys(losses, coarse),
        losses=losses,
    )
