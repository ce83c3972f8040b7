"""What was found, in words."""

import math
from collections.abc import Iterable, Sequence

from ravine.racing.choices import BASELINE
from ravine.racing.store import Curve
from ravine.verdict.curves import UNTRAINED, untrained
from ravine.verdict.naming import title
from ravine.verdict.standings import FASTER, TOO_FEW, Standing, Verdict
from ravine.verdict.statistics import Spread, fewest_seeds

BASELINES_LOSS = "gradient descent's final loss"
NOTHING_RELIABLE = (
    "No verdict: gradient descent {} in more than a fifth of its reference runs, so there is "
    "nothing that it reliably reaches."
)


def said_ratio(speedup: Spread) -> tuple[str, str]:
    """A speed-up the other way round, in steps: ``0.31×`` and its interval, ``[0.27, 0.36]``."""
    low, median, high = sorted(1 / s if s else math.inf for s in speedup)
    return f"{_two(median)}×", f"[{_two(low)}, {_two(high)}]"


def times_the_steps(speedup: Spread) -> str:
    """The same in a sentence: ``0.31× the steps [0.27, 0.36]``."""
    return "{} the steps {}".format(*said_ratio(speedup))


def said_speedup(speedup: Spread) -> str:
    """As it is: ``3.23 [2.78, 3.70]``."""
    return f"{_two(speedup.median)} [{_two(speedup.low)}, {_two(speedup.high)}]"


def sentence(verdict: Verdict, curves: Sequence[Curve], own_target: bool) -> str:
    """What was found and how sure it is."""
    leader, comparisons = verdict.leader, len(verdict.standings) - 1
    if math.isinf(verdict.target):
        failed = any(c.failure for c in curves if c.run.stage == "reference")
        return NOTHING_RELIABLE.format("diverged or failed" if failed else "diverged")
    if not comparisons:
        return "Only gradient descent was raced: there is nothing to compare."
    steps = times_the_steps(leader.speedup)
    if any(s.finding == TOO_FEW for s in verdict.standings):
        units = "studies" if verdict.studies > 1 else "seeds"
        there = verdict.studies if verdict.studies > 1 else leader.runs
        return (
            f"Too few {units} to claim anything: {there} of the {fewest_seeds(comparisons)} "
            f"that a race of {len(verdict.standings)} rules needs; on these {title(leader.rule)} "
            f"took {steps} of gradient descent."
        )
    if leader.rule == BASELINE:
        return "No difference found: no rule is faster than gradient descent."
    if leader.finding != FASTER:
        return (
            "No difference found: no rule is reliably faster than gradient descent (the best, "
            f"{title(leader.rule)}: {steps}, p = {leader.p_value:.2g} adjusted for "
            f"{comparisons} {'rules' if comparisons > 1 else 'rule'})."
        )
    goal = f"a test {verdict.measure} of {verdict.target:.4g}"
    said = f"{title(leader.rule)} reaches {goal if own_target else BASELINES_LOSS} in {steps}"
    said += f", a speed-up of {said_speedup(leader.speedup)}"
    if verdict.studies > 1:
        said += f", over {verdict.studies} studies, each tuned anew"
    if verdict.ties:
        said += f"; {_listed(map(title, verdict.ties))} cannot be told apart from it"
    return said + "."


def warnings(verdict: Verdict, curves: Sequence[Curve], start: float) -> list[str]:
    """What a reader should know before believing it. ``start``: the test loss before step one."""
    found = [
        *_no_learning(verdict, start),
        *_misses(verdict.standings),
        *_about_rules(verdict.standings),
        *_suspects(verdict),
        *_close_calls(verdict),
    ]
    return found + _failures(curves) + _narrowed(curves)


def _no_learning(verdict: Verdict, start: float) -> list[str]:
    if verdict.measure != "loss" or not untrained(start) < verdict.target < math.inf:
        return []
    return [
        f"gradient descent hardly learned: the target, {verdict.target:.4g}, is more than "
        f"{UNTRAINED:.0%} of the loss before step one, {start:.4g}; train longer or with larger "
        "learning rates"
    ]


def _misses(standings: Sequence[Standing]) -> list[str]:
    baseline = next(s for s in standings if s.rule == BASELINE)
    missed = baseline.runs - baseline.reached
    if not missed or len(standings) == 1:
        return []
    return [
        f"gradient descent missed the target in {missed} of {baseline.runs} fresh runs; there "
        "its time counts as the whole run, so that speed-ups are lower bounds"
    ]


def _about_rules(standings: Sequence[Standing]) -> list[str]:
    found = []
    for s in standings:
        if s.at_edge:
            found.append(
                f"{title(s.rule)}: the best learning rate, {s.learning_rate:g}, lies at the edge "
                "of the range tried; a wider range may do better"
            )
        if s.diverged:
            found.append(f"{title(s.rule)}: {s.diverged} of {s.runs} fresh runs diverged")
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


def _close_calls(verdict: Verdict) -> list[str]:
    """Learning rates that other tuning seeds might not have chosen, of those a claim is about."""
    if verdict.leader.finding != FASTER or verdict.studies > 1:
        return []
    about = [s for s in verdict.standings if s.rule in (verdict.leader.rule, BASELINE)]
    return [
        f"{title(s.rule)}: learning rate {s.learning_rate:g} was a close call, "
        f"{_listed(f'{rate:g}' for rate in s.sensitivity.rivals)} ended lower on some tuning "
        f"seeds; the claim is about {s.learning_rate:g}"
        for s in about
        if s.sensitivity.rivals
    ]


def _failures(curves: Sequence[Curve]) -> list[str]:
    """What was not done as planned: it says something about the machine, not about a rule."""
    failed: dict[tuple[str, str], list[str]] = {}
    for curve in curves:
        if curve.failure:
            cases = failed.setdefault((curve.run.rule, curve.run.stage), [])
            cases.append(curve.failure.splitlines()[0])
    return [
        f"{title(rule)}: {len(cases)} {stage} {'run' if len(cases) == 1 else 'runs'} failed and "
        f"count as not reaching the target ({min(cases)})"
        for (rule, stage), cases in sorted(failed.items())
    ]


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


def _two(ratio: float) -> str:
    return "∞" if math.isinf(ratio) else f"{ratio:.2f}"


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return " and ".join([", ".join(others), last] if others else [last])
