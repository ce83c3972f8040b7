"""A race of levers as pages see it: everything that is shown, nothing that runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ravine.analysis import TEST, RuleResult, Target, ablation, title
from ravine.analysis.ablation import Ablation, Compared, Effect, Raced, Values
from ravine.analysis.ablation_text import (
    said_effect,
    said_interval,
    said_values,
    sentence,
    warnings,
)
from ravine.errors import RavineError
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Told:
    """A race of levers as pages see it. ``tried_out``: each model before it was raced."""

    task: str
    levers: Ablation
    values: Mapping[str, Values]  # of the combinations that were raced, by name
    results: Mapping[str, Results]
    tried_out: Mapping[str, Any]
    target: Target
    measure: str
    compared: Compared | None  # None where there was no target, or a race was not fair
    sentence: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]  # what pretraining cost, and where it came from

    def __str__(self) -> str:
        return self.sentence

    @property
    def found(self) -> Compared:
        """What was compared. Raises ``RavineError`` where nothing could be."""
        if self.compared is None:
            raise RavineError(self.sentence)
        return self.compared

    @property
    def winner(self) -> RuleResult:
        """The standing of the rule with the smallest median time of all."""
        best = min(self.found.combinations, key=lambda c: min(t.median for t in c.times.values()))
        rule = best.winner or next(iter(best.times))
        name = next(name for name, values in self.values.items() if values == best.values)
        return next(s for s in self.results[name].verdict.standings if s.rule == rule)

    def effects(self) -> "pd.DataFrame":
        """A row a rule and value of a lever: over all other values, then under single ones."""
        import pandas as pd

        return pd.DataFrame([effect_row(e) for e in (*self.found.effects, *self.found.within)])

    def leaderboard(self) -> "pd.DataFrame":
        """A row a combination and rule."""
        import pandas as pd

        clock = self.found.clock
        rows = [
            {
                **c.values,
                "rule": rule,
                f"{clock}_to_target": t.median,
                f"{clock}_low": t.low,
                f"{clock}_high": t.high,
                "first": rule == c.winner,
                "tied": rule in c.ties,
            }
            for c in self.found.combinations
            for rule, t in c.times.items()
        ]
        return pd.DataFrame(rows)


def told(
    task: str,
    varied: Ablation,
    values: Mapping[str, Values],
    results: Mapping[str, Results],
    tried_out: Mapping[str, Any],
) -> Told:
    """What the races say together; all but the first may be missing if that found no target."""
    first = next(iter(results.values()))
    verdict, measures = first.verdict, first.plan.facts.measures
    target = verdict.goal(measures)
    compared, said, warned, notes = None, "", [], []
    refused = [name for name, one in results.items() if one.verdict.refused]
    if refused:
        said = f"No verdict: {refused[0]}: {results[refused[0]].verdict.sentence}"
    elif not math.isfinite(target.value):
        said = (
            f"No verdict on levers: with their first values, {_first(values)}, {verdict.sentence}"
        )
    else:
        by_epochs = "batch_size" in varied
        raced = [Raced(v, results[n].plan, results[n].curves) for n, v in values.items()]
        runs = [ablation.timed(one, target, by_epochs) for one in raced]
        compared = ablation.compare(varied, runs, "epochs" if by_epochs else "steps")
        said = sentence(compared)
        warned = warnings(compared, target.value, _start(first))
        notes = _notes(compared, runs, values, tried_out, results)
    return Told(
        *(task, varied, values, results, tried_out, target, verdict.measure, compared),
        *(said, tuple(warned), tuple(notes)),
    )


def _first(values: Mapping[str, Values]) -> str:
    return said_values(next(iter(values.values())))


def _start(results: Results) -> float:
    """The test loss before step one, where the target follows from it."""
    if results.plan.choices.target:
        return math.nan
    starts = [c.measures[0, TEST, 0] for c in results.curves if not c.failure]
    return float(np.median(starts)) if starts else math.nan


def _notes(
    compared: Compared,
    runs: list[ablation.Timed],
    values: Mapping[str, Values],
    tried_out: Mapping[str, Any],
    results: Mapping[str, Results],
) -> list[str]:
    """What a step and a pair mean here, and what pretraining was."""
    said = []
    if "batch_size" in compared.levers:
        said.append(
            "Time is counted in epochs, passes over the training data, since steps of different "
            "batch sizes do not cost the same; runs of equal seeds share their initial weights "
            "and not their batches."
        )
    costs = {name: one["cost"] for name, one in tried_out.items() if name in values and one["cost"]}
    if costs:
        cost = next(iter(costs.values()))
        went = {f"{c['start']:.3g} to {c['end']:.3g}": None for c in costs.values()}
        said += [
            f"Pretraining on the other half of the training rows took {cost['steps']:,} steps of "
            f"{cost['rule']}, batches of {cost['batch_size']} of {cost['rows']} rows; the training "
            f"loss went from {', from '.join(went)}. The effects below do not count these steps. "
            "No combination was raced on these rows; all layers but the last began with what they "
            "came to.",
            _counted(compared, runs, values, costs, results),
        ]
    for name, one in tried_out.items():
        what = values.get(name, {}).get("pretraining", "none")
        if one["taken"] and not one["cost"]:
            said.append(
                f"{name}: {', '.join(one['taken'])} begin with the weights in {what}.keras. What "
                "it was trained on is not known here; where that were rows of the test data, it "
                "would look better than it is."
            )
    return said


def _counted(
    compared: Compared,
    runs: list[ablation.Timed],
    values: Mapping[str, Values],
    costs: Mapping[str, Any],
    results: Mapping[str, Results],
) -> str:
    """Effects of pretraining once more, its own steps counted in."""
    whole = []
    for (name, own), run in zip(values.items(), runs, strict=True):
        extra = 0.0
        if name in costs:
            choices, cost = results[name].plan.choices, costs[name]
            extra = cost["steps"] * cost["batch_size"] / choices.batch_size
            extra *= run.horizon / results[name].plan.steps
        repetitions = [
            {rule: {seed: time + extra for seed, time in each.items()} for rule, each in s.items()}
            for s in run.repetitions
        ]
        whole.append(ablation.Timed(own, run.horizon + extra, repetitions))
    again = ablation.compare(compared.levers, whole, compared.clock)
    each = [
        f"{title(e.rule)} {said_effect(e)} {said_interval(e.speedup)}"
        for e in again.effects
        if (e.lever, e.value) == ("pretraining", "other-half")
    ]
    return f"With the steps of pretraining counted, in {compared.clock}: {'; '.join(each)}."


def effect_row(e: Effect) -> dict[str, Any]:
    """An effect as a row of a table."""
    return {
        "lever": e.lever,
        "value": e.value,
        "instead_of": e.base,
        "within": said_values(e.within),
        "rule": e.rule,
        "speedup": e.speedup.median,
        "speedup_low": e.speedup.low,
        "speedup_high": e.speedup.high,
        "bound": e.bound,
        "p_value": e.p_value,
        "finding": e.finding,
    }
