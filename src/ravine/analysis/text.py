"""What was found, in words."""

import math
from collections.abc import Iterable, Sequence

from ravine.analysis.comparing import EQUAL, FASTER, UNDECIDED
from ravine.analysis.curves import UNTRAINED, untrained
from ravine.analysis.evaluation import LEAST
from ravine.analysis.naming import called, title
from ravine.analysis.results import FALLS_SHORT, NO_TARGET, TOO_FEW, RuleResult, Verdict
from ravine.analysis.statistics import Spread
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import SMOOTHING
from ravine.experiment.plan import CONTENDER

NOTHING_RELIABLE = (
    "No verdict: {} {} in more than a fifth of its reference runs, so there is nothing that it "
    "reliably reaches."
)


def said_ratio(speedup: Spread) -> tuple[str, str]:
    """A speed-up the other way round, in steps: ``0.31×`` and its interval, ``[0.27, 0.36]``."""
    median, high, low = (1 / s if s else math.inf for s in speedup)
    return f"{_two(median)}×", f"[{_two(low)}, {_two(high)}]"


def times_the_steps(speedup: Spread) -> str:
    """The same in a sentence: ``0.31× the steps [0.27, 0.36]``."""
    return "{} the steps {}".format(*said_ratio(speedup))


def said_speedup(speedup: Spread) -> str:
    """As it is: ``3.23 [2.78, 3.70]``."""
    return f"{_two(speedup.median)} [{_two(speedup.low)}, {_two(speedup.high)}]"


NOTHING_TIMED = "No verdict: no run of {} has the {} evaluations that it takes to be timed."


def sentence(verdict: Verdict, curves: Sequence[Curve], units: int, own_target: bool) -> str:
    """What was found and how sure it is. ``units``: seeds, or repetitions, that were compared."""
    leader, comparisons = verdict.leader, len(verdict.standings) - 1
    reference = called(verdict.reference)
    if math.isinf(verdict.target):
        failed = any(c.failure for c in curves if c.run.stage == "reference")
        how = "diverged or failed" if failed else "diverged"
        return NOTHING_RELIABLE.format(reference, how)
    if not comparisons:
        return f"Only {reference} was raced: there is nothing to compare."
    if any(s.finding == NO_TARGET for s in verdict.standings):
        return NOTHING_TIMED.format(reference, SMOOTHING)
    steps = times_the_steps(leader.speedup)
    if any(s.finding == TOO_FEW for s in verdict.standings):
        what = "repetitions" if verdict.repetitions > 1 else "seeds"
        said = f"Too few {what} to claim anything: {units} of the {LEAST} that it takes"
        if leader.rule != verdict.reference:
            said += f"; on these {title(leader.rule)} took {steps} of {reference}"
        return said + "."
    if leader.finding != FASTER:
        return _nothing_faster(verdict)
    goal = f"a {verdict.metric} of {verdict.target:.4g}"
    result = goal if own_target else f"{reference}'s result"
    said = f"{title(leader.rule)} takes {steps} of {reference} on the way to {result}"
    said += f", a speed-up of {said_speedup(leader.speedup)}"
    if verdict.repetitions > 1:
        said += f", over {verdict.repetitions} repetitions, each tuned anew"
    if verdict.ties:
        said += f"; {_listed(map(title, verdict.ties))} cannot be told apart from it"
    if 2 * leader.reached < leader.runs:
        said += f". It is at {result} itself in {leader.reached} of {leader.runs} runs"
    return f"{said}.{_ends_higher(verdict)}"


def _ends_higher(verdict: Verdict) -> str:
    """What speaks against the first: a rule that reliably ends lower."""
    if not verdict.ends_lower:
        return ""
    first = verdict.leader
    lower = (s for s in verdict.standings if s.rule in verdict.ends_lower)
    best = next((s for s in verdict.standings if s.rule == verdict.to_take), None)
    best = best or min(lower, key=lambda s: s.final_loss)
    by = verdict.ends_lower.get(best.rule)
    if by is None:  # it has the lowest loss, if not reliably
        said = f" But it ends at a test loss of {first.final_loss:.4g}, {called(best.rule)} at "
        said += f"{best.final_loss:.4g}"
    else:
        said = f" But it ends at {_three(by.median)}× the test loss of {called(best.rule)} "
        said += f"[{_three(by.low)}, {_three(by.high)}]"
    return f"{said}: {called(best.rule)} is the one to take." if verdict.to_take else f"{said}."


def in_seconds(verdict: Verdict) -> str:
    """That what is faster in steps is slower in seconds, or not known to be faster."""
    leader = verdict.standings[0]
    found = leader.speedup_seconds
    if leader.finding != FASTER or found is None or found.low > 1:
        return ""
    rule, reference = title(leader.rule), called(verdict.reference)
    if found.high < 1:
        return f"In seconds {rule} is slower than {reference}: a speed-up of {said_speedup(found)}."
    return (
        f"In seconds {rule} was not shown to be faster than {reference}: a speed-up of "
        f"{said_speedup(found)}."
    )


def _nothing_faster(verdict: Verdict) -> str:
    """No rule is faster: which are as fast, and what is not known."""
    others = [s for s in verdict.standings if s.rule != verdict.reference]
    said = f"No rule was found to be faster than {called(verdict.reference)}"
    if not any(s.reached for s in verdict.standings) and len(verdict.band) < 2:
        return f"No verdict: no run is at a {verdict.metric} of {verdict.target:.4g}."
    short = [s for s in others if s.finding == FALLS_SHORT]
    best = max((s for s in others if s not in short), key=_fastest, default=None)
    if best is not None:
        steps = times_the_steps(best.speedup)
        said += f" (the fastest of the others, {title(best.rule)}, takes {steps})"
    equal = [title(s.rule) for s in others if s.finding == EQUAL]
    open_ = [title(s.rule) for s in others if s.finding == UNDECIDED]
    if equal:
        said += f"; {_listed(equal)} {'is' if len(equal) == 1 else 'are'} as fast, within 25 %"
    if open_:
        said += f"; {_listed(open_)} {'is' if len(open_) == 1 else 'are'} undecided"
    if short:
        names = [title(s.rule) for s in short]
        said += f"; {_listed(names)} {'falls' if len(short) == 1 else 'fall'} short of the target"
    return said + "."


def _fastest(standing: RuleResult) -> float:
    return standing.speedup.median


def warnings(verdict: Verdict, curves: Sequence[Curve], start: float) -> list[str]:
    """What a reader should know before believing it. ``start``: the test loss before step one."""
    found = [
        *_no_learning(verdict, start),
        *_misses(verdict),
        *_crowded(verdict),
        *_about_rules(verdict.standings),
        *_suspects(verdict),
    ]
    return found + _failures(curves, verdict.reference) + _narrowed(curves)


def _no_learning(verdict: Verdict, start: float) -> list[str]:
    if verdict.metric != "test loss" or not untrained(start) < verdict.target < math.inf:
        return []
    return [
        f"{called(verdict.reference)} hardly learned: the target, {verdict.target:.4g}, is more "
        f"than {UNTRAINED:.0%} of the loss before step one, {start:.4g}; train longer or with "
        "larger learning rates"
    ]


def _misses(verdict: Verdict) -> list[str]:
    reference = next(s for s in verdict.standings if s.rule == verdict.reference)
    missed = reference.runs - reference.reached - reference.failed
    if not missed or len(verdict.standings) == 1:
        return []
    return [
        f"{called(verdict.reference)} missed the target in {missed} of {reference.runs} "
        "evaluation runs; there its time counts as the whole run, so that the speed-up of a rule "
        "that arrives more often is a lower bound"
    ]


def _crowded(verdict: Verdict) -> list[str]:
    comparisons = len(verdict.standings) - 1
    return [
        f"{title(rule)} is undecided among {comparisons} comparisons, whose intervals have to hold "
        f"together; as the only one it would be called {what}"
        for rule, what in verdict.alone.items()
    ]


def _about_rules(standings: Sequence[RuleResult]) -> list[str]:
    found = []
    for s in standings:
        if s.finding == FALLS_SHORT:
            found.append(
                f"{title(s.rule)} is faster to the easier targets, and at the last one in "
                f"{s.reached} of {s.runs} runs only: it is not called faster; smaller learning "
                "rates may get there"
            )
        if s.at_edge:
            found.append(
                f"{title(s.rule)}: the best learning rate, {s.learning_rate:g}, lies at the edge "
                "of the range tried; a wider range may do better"
            )
        if s.diverged:
            found.append(f"{title(s.rule)}: {s.diverged} of {s.runs} evaluation runs diverged")
    return found


def _suspects(verdict: Verdict) -> list[str]:
    by_rule: dict[str, list[str]] = {}
    for rule, special, speedup in verdict.suspects:
        said = f"{title(special)} (speed-up over it {said_speedup(speedup)})"
        by_rule.setdefault(rule, []).append(said)
    return [
        f"{title(rule)} is slower than {_listed(specials)}, which it can imitate: suspect its "
        "tuning, which searched learning rates alone, before the rule"
        for rule, specials in by_rule.items()
    ]


def _failures(curves: Sequence[Curve], reference: str) -> list[str]:
    """What was not done as planned: it says something about the machine, not about a rule."""
    failed: dict[tuple[str, str], list[str]] = {}
    for curve in curves:
        if curve.failure:
            cases = failed.setdefault((curve.run.rule, curve.run.stage), [])
            cases.append(curve.failure.splitlines()[0])
    found = []
    for (rule, stage), cases in sorted(failed.items()):
        counts = "count as not reaching the target"
        if rule == reference and stage in ("evaluation", CONTENDER):
            counts = "nothing is compared on their seeds"
        runs = f"{len(cases)} {stage} {'run' if len(cases) == 1 else 'runs'}"
        found.append(f"{title(rule)}: {runs} failed and {counts} ({min(cases)})")
    return found


def _narrowed(curves: Sequence[Curve]) -> list[str]:
    narrowed = [curve for curve in curves if curve.narrowed]
    if not narrowed:
        return []
    rules = sorted({title(curve.run.rule) for curve in narrowed})
    return [
        f"{len(narrowed)} {'run' if len(narrowed) == 1 else 'runs'} of {_listed(rules)} had to "
        "be done with fewer lanes than planned after workers died; their last digits may "
        "differ from those of an undisturbed race"
    ]


def _three(ratio: float) -> str:
    return f"{ratio:.3g}" if ratio < 1000 else f"{ratio:.0f}"


def _two(ratio: float) -> str:
    return "–" if math.isnan(ratio) else "∞" if math.isinf(ratio) else f"{ratio:.2f}"


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return " and ".join([", ".join(others), last] if others else [last])
