"""What a race does next, from what is stored: tune, widen grids that prove too narrow, judge."""

from collections.abc import Mapping, Sequence

from ravine.racing.grids import EXTENSIONS
from ravine.racing.grids import widened as wider_grid
from ravine.racing.plan import Plan, Run, study_of
from ravine.racing.store import Curve
from ravine.verdict.tuning import choose


def due(plan: Plan, curves: Sequence[Curve]) -> list[Run]:
    """All runs of the first stage that is not whole; none when the race is finished."""
    there = {curve.run.id for curve in curves}
    studies = range(plan.choices.studies)
    tuning = [run for study in studies for run in plan.tuning(study)]
    if any(run.id not in there for run in tuning):
        return tuning
    chosen = _chosen(plan, curves)
    judging = [run for study in studies for run in plan.judging(chosen[study], study)]
    return judging if any(run.id not in there for run in judging) else []


def widened(plan: Plan, curves: Sequence[Curve]) -> Plan:
    """The plan over wider grids, once tuning shows that some rule's best rate lies at an edge.

    What one rule is granted all are: each grid grows by a decade, at the end that its own best rate
    is nearer to. At most twice; and only grids over ranges that nobody asked for. A rule that
    joined later first gets what the others were granted before.
    """
    granted = plan.choices.widened
    most = max(granted.values())
    if not plan.choices.may_widen or _untuned(plan, curves):
        return plan
    best = _chosen(plan, curves)
    behind = [rule for rule, decades in granted.items() if decades < most]
    if not behind and (most == EXTENSIONS or not at_edge(plan, best)):
        return plan
    grids = dict(plan.choices.learning_rates)
    for rule in behind or plan.choices.rules:
        upwards = _nearer_the_top(grids[rule], [chosen[rule] for chosen in best.values()])
        grids[rule] = wider_grid(grids[rule], plan.choices.points, upwards)
    return plan.with_grids(grids)


def relevant(plan: Plan, curves: Sequence[Curve]) -> list[Curve]:
    """The curves that the plan of now asks for.

    A race that grew may have chosen other rates before: what was run at those counts no more.
    """
    wanted = {run.id for study in range(plan.choices.studies) for run in plan.tuning(study)}
    if not _untuned(plan, curves):
        for study, chosen in _chosen(plan, curves).items():
            wanted |= {run.id for run in plan.judging(chosen, study)}
    return [curve for curve in curves if curve.run.id in wanted]


def at_edge(plan: Plan, best: Mapping[int, Mapping[str, float]]) -> list[str]:
    """The rules whose best rate, in some study, is the lowest or highest tried."""
    return [
        rule
        for rule, rates in plan.choices.learning_rates.items()
        if any(chosen[rule] in (rates[0], rates[-1]) for chosen in best.values())
    ]


def _chosen(plan: Plan, curves: Sequence[Curve]) -> dict[int, dict[str, float]]:
    """Each study's choice, from its own tuning runs."""
    by_study: dict[int, list[Curve]] = {study: [] for study in range(plan.choices.studies)}
    for curve in curves:
        if (own := by_study.get(study_of(curve.run.seed))) is not None:
            own.append(curve)
    return {study: choose(plan, own, study) for study, own in by_study.items()}


def _untuned(plan: Plan, curves: Sequence[Curve]) -> bool:
    there = {curve.run.id for curve in curves}
    return any(run.id not in there for s in range(plan.choices.studies) for run in plan.tuning(s))


def _nearer_the_top(rates: Sequence[float], best: Sequence[float]) -> bool:
    """Whether the best rates lie in the upper half of a grid, in most studies."""
    places = sorted(rates.index(rate) for rate in best)
    return 2 * places[len(places) // 2] >= len(rates) - 1
