"""The curves that races are resampled from: every rule, many learning rates, many seeds.

Of a task, real runs: first the coarse grid on three seeds, then on all seeds that grid and eighths
of a decade around each rule's best; of a rule whose weight decay is tuned, other decays near its
best rate too. ``TASK:cosine``: whole schedules of several lengths; ``TASK:anew``: every seed splits
the rows of a classification anew, as is done by itself where they are many. ``TASK:other``: the
runs of other seeds. ``synthetic``: a formula whose speed-ups are known.
"""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ravine
from ravine.execution import session
from ravine.experiment import grids
from ravine.experiment.config import REPETITION_SEEDS
from ravine.experiment.endpoint import joined, lowest_so_far
from ravine.experiment.plan import FIRST_SEED
from ravine.rules import RULES
from ravine.tasks import find
from ravine.tasks.tables import Rows, Table
from ravine.tasks.task import Task

POINTS = 9  # of the coarse grid
NEAR = (-2, -1, 1, 2)  # eighths of a decade
SEEDS = 60
SCHEDULED = ("sgd", "nesterov", "adam")  # rules of a race with a schedule
SCHEDULED_SEEDS = 12
EVALUATIONS = 100
OTHER = "other"  # seeds
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
    decays: Mapping[str, Floats] = field(default_factory=dict)  # as rates; NaN: the rule's own
    # Of whole schedules, how many evaluations each length has: ``losses`` has their ends, and
    # before them what is before step one.
    lengths: tuple[int, ...] = ()

    @property
    def evaluations(self) -> int:
        """Of the longest run."""
        return max(self.lengths) if self.lengths else next(iter(self.losses.values())).shape[2] - 1

    def save(self, path: Path) -> None:
        """Write one file."""
        parts = {"rates": self.rates, "coarse": self.coarse, "losses": self.losses}
        parts["decays"] = self.decays
        arrays = {f"{part}/{r}": a for part, held in parts.items() for r, a in held.items()}
        np.savez(path, task=self.task, lengths=np.array(self.lengths, int), **arrays)

    @classmethod
    def load(cls, path: Path) -> "Curves":
        """What ``save`` wrote."""
        names = "rates", "coarse", "losses", "decays"
        parts: dict[str, dict[str, Any]] = {name: {} for name in names}
        with np.load(path) as file:
            for name in file:
                if "/" in name:
                    part, rule = name.split("/")
                    parts[part][rule] = file[name]
            lengths = tuple(map(int, file["lengths"])) if "lengths" in file else ()
            return cls(str(file["task"]), **parts, lengths=lengths)

    def lowest(self) -> dict[str, Floats]:
        """The lowest loss so far, (splits, rates, seeds, evaluations - 2)."""
        if not self.lengths:
            return {r: lowest_so_far(np.moveaxis(x, -1, 0)) for r, x in self.losses.items()}
        return {
            rule: np.apply_along_axis(
                lambda ends: joined(dict(zip(self.lengths, ends, strict=True)), self.evaluations),
                -1,
                np.moveaxis(self._ended(losses), -1, 0),
            )
            for rule, losses in self.losses.items()
        }

    def ends(self) -> dict[str, Floats]:
        """Final losses, infinite where a run diverged: (splits, rates, seeds)."""
        found = {}
        for rule, losses in self.losses.items():
            if self.lengths:
                lost = np.isinf(self._ended(losses)).any(axis=2)
                whole = losses[:, :, 1 + self.lengths.index(self.evaluations)].astype(float)
                found[rule] = np.moveaxis(np.where(lost, np.inf, whole), -1, 0)
                continue
            end = losses[:, :, -3:].astype(float).mean(axis=2)
            lost = ~np.isfinite(losses).all(axis=2) | (end > losses[:, :, 0])
            found[rule] = np.moveaxis(np.where(lost, np.inf, end), -1, 0)
        return found

    def _ended(self, losses: Floats) -> Floats:
        """The ends of whole schedules, infinite where one diverged."""
        ends = losses[:, :, 1:]
        lost = ~np.isfinite(ends) | (ends > losses[:, :, :1])
        return np.where(lost, np.inf, ends)


def file_of(name: str) -> str:
    """Where the curves of a task are kept."""
    return f"{name.replace(':', '-')}.npz"


def of(name: str, seeds: int = SEEDS) -> Curves:
    """The curves of a built-in task, or of the formula."""
    if name == "synthetic":
        return by_formula(seeds)
    task, _, way = name.partition(":")
    return of_schedules(task, way) if way not in ("", "anew", OTHER) else of_task(name, seeds)


def task_of(name: str) -> Task:
    """A built-in task, or that with its rows split anew by every seed: see above."""
    base, _, anew = name.partition(":")
    task = find(base)
    if anew != "anew":
        return task
    x, y = (np.concatenate(part) for part in zip(*task.load(), strict=True))
    rows = Rows(x - x.mean(axis=0), y, y.reshape(len(y)))
    return replace(task, name=f"{base}-anew", load=Table(lambda: rows))


def of_schedules(name: str, schedule: str, seeds: int = SCHEDULED_SEEDS) -> Curves:
    """Whole schedules of all lengths, for a few rules. Minutes."""
    task = find(name)
    coarse = {r: grids.own_grid(task, r, RULES[r](), POINTS) for r in SCHEDULED}
    rates = _near(coarse, _raced(name, coarse, 3))
    runs = _raced(name, rates, seeds, schedule=schedule)
    every = [run for by_rate in runs.values() for each in by_rate.values() for run in each]
    lengths = sorted({length for run in every for length in run})
    return Curves(
        task=f"{name}:{schedule}",
        rates={r: np.array(own) for r, own in rates.items()},
        coarse={r: np.array([rates[r].index(x) for x in own]) for r, own in coarse.items()},
        losses={
            r: np.array(
                [[[run[n] for n in lengths] for run in runs[r][x]] for x in own], np.float32
            )
            for r, own in rates.items()
        },
        lengths=tuple(n for n in lengths if n),
    )


def of_task(name: str, seeds: int) -> Curves:
    """Real runs, none of them stopped early. Minutes."""
    task = task_of(name)
    coarse = {r: grids.own_grid(task, r, kind(), POINTS) for r, kind in RULES.items()}
    rates = _near(coarse, _raced(name, coarse, 3))
    runs = _raced(name, rates, seeds)
    decays: dict[str, list[float]] = {r: [math.nan] * len(own) for r, own in rates.items()}
    for rule in rates:
        near = _best(runs[rule])
        for decay in grids.decays(RULES[rule]()):
            spelled = f"{rule}(weight_decay={decay:g})"
            more = _raced(name, {spelled: near}, seeds)[spelled]
            for rate in near:
                rates[rule] = (*rates[rule], rate)
                decays[rule].append(decay)
                runs[rule][rate, decay] = more[rate]
    return Curves(
        task=name,
        rates={r: np.array(own) for r, own in rates.items()},
        coarse={r: np.array([rates[r].index(x) for x in own]) for r, own in coarse.items()},
        losses={
            r: np.array(
                [
                    runs[r][x] if math.isnan(d) else runs[r][x, d]
                    for x, d in zip(own, decays[r], strict=True)
                ],
                np.float32,
            )
            for r, own in rates.items()
        },
        decays={r: np.array(own) for r, own in decays.items()},
    )


def _best(runs: Mapping[Any, list[Floats]]) -> tuple[float, ...]:
    """The rates within three quarters of a decade of the best, by final validation loss."""
    ends = {x: np.mean([run[-3:, 0].mean() for run in by]) for x, by in runs.items()}
    best = min(ends, key=lambda x: np.nan_to_num(ends[x], nan=np.inf))
    return tuple(sorted(x for x in ends if abs(math.log10(x / best)) < 0.76))


def _near(coarse: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """The coarse grid, and what is near the three best of it."""
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
    return rates


def _raced(
    name: str, rates: Mapping[str, Any], seeds: int, schedule: str = "constant"
) -> dict[str, dict[Any, list[Any]]]:
    """Losses of a race's tuning runs, by rule and learning rate, in the order of the seeds.

    With a schedule, of each seed what is before step one and the ends, by evaluations.
    """
    with tempfile.TemporaryDirectory() as place:
        session.publish_pages = lambda race: None  # type: ignore[attr-defined]
        if name.endswith(f":{OTHER}"):
            FIRST_SEED["tuning"] = REPETITION_SEEDS // 2  # one seed a repetition is run
        race = ravine.race(
            task_of(name),
            rules=list(rates),
            learning_rates={r: list(own) for r, own in rates.items()},
            tuning_seeds=1,  # of more, rates that are far behind on the first are not run on all
            repetitions=seeds,
            eval_seeds=1,
            early_stopping=False,
            reference=next(iter(rates)),
            schedule=schedule,
            progress=False,
            out=Path(place) / "race",
        )
        of_tuning = FIRST_SEED["tuning"], FIRST_SEED["reference"]
        curves = [c for c in race.stored if of_tuning[0] <= c.run.seed < of_tuning[1]]
    found: dict[str, dict[Any, dict[int, Any]]] = {}
    for curve in sorted(curves, key=lambda c: (c.run.seed, c.run.steps)):
        by_seed = found.setdefault(curve.run.rule, {}).setdefault(curve.run.learning_rate, {})
        if schedule == "constant":
            by_seed[curve.run.seed] = curve.measures[:, :, 0]
            continue
        ends = by_seed.setdefault(curve.run.seed, {0: curve.measures[0, :, 0]})
        whole = np.isfinite(curve.losses).all()
        ends[len(curve.measures) - 1] = curve.measures[-1, :, 0] if whole else np.full(2, np.nan)
    return {
        rule: {rate: [*by_seed.values()] for rate, by_seed in by_rate.items()}
        for rule, by_rate in found.items()
    }


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
