"""What a race does next, from what is stored: tune, widen grids that prove too narrow, evaluate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ravine.analysis.evaluation import evaluation
from ravine.analysis.tuning import DONE, FINER, OTHERS, Tuning, of_repetition, tuning
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import Aim
from ravine.experiment.grids import EXTENSIONS
from ravine.experiment.grids import widened as wider_grid
from ravine.experiment.plan import Plan, Run


def due(plan: Plan, curves: Sequence[Curve]) -> list[Run]:
    """All runs of the first stage that is not whole; none when the race is finished."""
    tuned = _tuned(plan, curves)
    phase = min(one.phase for one in tuned)
    if phase < DONE:
        return [run for one in tuned if one.phase == phase for run in one.wanted]
    wanted: list[Run] = []
    for repetition, one in enumerate(tuned):
        assert one.tuned is not None
        found = evaluation(plan, one.tuned, of_repetition(curves, repetition), repetition)
        wanted += found.wanted if found.missing else ()
    return wanted


def aims(plan: Plan, curves: Sequence[Curve]) -> dict[int, Aim]:
    """By repetition: the targets that tell in tuning which learning rates can no longer
    be chosen.
    """
    if not plan.rungs:
        return {}
    tuned = enumerate(_tuned(plan, curves))
    return {
        repetition: one.aim
        for repetition, one in tuned
        if one.phase == OTHERS and one.aim is not None
    }


def widened(plan: Plan, curves: Sequence[Curve]) -> Plan:
    """The plan over wider grids, once tuning shows that some rule's best rate lies at an edge.

    What one rule is granted all are: each grid grows by a decade, at the end that its own best rate
    is nearer to. At most twice; and only grids over ranges that nobody asked for. A rule that
    joined later first gets what the others were granted before.
    """
    granted = plan.choices.widened
    most = max(granted.values())
    if not plan.choices.may_widen:
        return plan
    tuned = _tuned(plan, curves)
    if any(one.phase < FINER for one in tuned):
        return plan
    best = [one.coarse for one in tuned if one.coarse is not None]
    behind = [rule for rule, decades in granted.items() if decades < most]
    if not behind and (most == EXTENSIONS or not at_edge(plan, best)):
        return plan
    grids = dict(plan.choices.learning_rates)
    for rule in behind or plan.choices.rules:
        upwards = _nearer_the_top(grids[rule], [chosen[rule].learning_rate for chosen in best])
        grids[rule] = wider_grid(grids[rule], plan.choices.points, upwards)
    return plan.with_grids(grids)


def relevant(plan: Plan, curves: Sequence[Curve]) -> list[Curve]:
    """The curves that the plan of now asks for, each for what it is now.

    A race that grew may have chosen other rates before: what was run at those counts no more.
    """
    wanted: dict[str, Run] = {}
    for repetition, one in enumerate(_tuned(plan, curves)):
        wanted |= {run.id: run for run in one.wanted}
        if one.tuned is not None:
            found = evaluation(plan, one.tuned, of_repetition(curves, repetition), repetition)
            wanted |= {run.id: run for run in found.wanted}
    return [
        curve if curve.run.stage == run.stage else replace(curve, run=run)
        for curve in curves
        if (run := wanted.get(curve.run.id)) is not None
    ]


def at_edge(plan: Plan, best: Sequence[Mapping[str, Configuration]]) -> list[str]:
    """The rules whose best rate, in some repetition, is the lowest or highest tried."""
    return [
        rule
        for rule, rates in plan.choices.learning_rates.items()
        if any(chosen[rule].learning_rate in (rates[0], rates[-1]) for chosen in best)
    ]


def _tuned(plan: Plan, curves: Sequence[Curve]) -> list[Tuning]:
    """Each repetition, from its own tuning runs."""
    own = [of_repetition(curves, repetition) for repetition in range(plan.choices.repetitions)]
    return [tuning(plan, part, repetition) for repetition, part in enumerate(own)]


def _nearer_the_top(rates: Sequence[float], best: Sequence[float]) -> bool:
    """Whether the best rates lie in the upper half of a grid, in most repetitions."""
    places = sorted(rates.index(rate) for rate in best)
    return 2 * places[len(places) // 2] >= len(rates) - 1
