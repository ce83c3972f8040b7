"""What several races of the same rules say together. Pure functions over their verdicts."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ravine.analysis.naming import called, title
from ravine.analysis.performance import PerformanceProfile, performance_profile
from ravine.analysis.results import NO_TARGET, RuleResult, Verdict
from ravine.experiment.config import BASELINE

if TYPE_CHECKING:
    import pandas as pd

TAU_MAX = 4.0
HOW = {
    "time": "median steps to the target over the evaluation seeds; infinite where half of them or "
    "more missed it",
    "profile": "the share of tasks on which a rule takes at most τ times the steps of the fastest",
    "score": f"the profile's integral over τ from 1 to {TAU_MAX:g}, divided by {TAU_MAX - 1:g}, as "
    "AlgoPerf defines it; 1 is a rule that is the fastest everywhere",
    "speed-up": "geometric mean over the tasks of the speed-up over the reference; where half of "
    "a rule's runs missed the target, at most what is said (≤), as they count as whole runs; where "
    "those of the reference did, at least (≥); where both did, about (≈)",
    "left out": "a task whose race was not fair or had no target counts nowhere",
}


class Score(NamedTuple):
    """How a rule did over all tasks. ``bound`` says of what sort ``speedup`` is.

    "": the geometric mean itself; "≤" or "≥": it is at most or at least that; "≈": misses make it
    uncertain both ways.
    """

    rule: str
    score: float
    speedup: float
    bound: str
    missed: tuple[str, ...]  # tasks


class Across(NamedTuple):
    """``times``: steps, a row a rule, a column a task. ``left_out``: tasks, and why."""

    times: "pd.DataFrame"
    performance: PerformanceProfile | None  # None where every task was left out
    scores: tuple[Score, ...]  # by speed-up over the reference, best first
    left_out: Mapping[str, str]
    reference: str = BASELINE

    def __str__(self) -> str:
        """The sentence."""
        if not self.scores:
            return "No scores: every race was unfair or had no target."
        counted = self.times.shape[1]
        tasks = f"{counted} {'task' if counted == 1 else 'tasks'}"
        best, reference = self.scores[0], called(self.reference)
        if best.rule == self.reference:
            text = f"Over {tasks} no rule is faster than {reference} in the geometric mean"
        else:
            bound = {"": "", "≤": "at most ", "≥": "at least ", "≈": "about "}[best.bound]
            text = f"Over {tasks} {title(best.rule)} has the largest speed-up over {reference}, "
            text += f"{bound}{best.speedup:.2f} in the geometric mean"
        score = max(s.score for s in self.scores)
        first = [s.rule for s in self.scores if math.isclose(s.score, score)]
        who = "it" if first == [best.rule] else " and ".join(map(title, first))
        text += f"; {who} {'has' if len(first) == 1 else 'have'} the highest profile score, "
        text += f"{score:.2f}"
        return f"{text}. This describes these tasks; it tests nothing beyond them."


def across(verdicts: Mapping[str, Verdict]) -> Across:
    """Times, profile and scores of the verdicts of several tasks, by task.

    All are of the same rules, compared with the same reference. They are listed by the speed-up
    over that, which does not change when another rule joins; scores are relative to the fastest
    rule of each task, so that two rules can change places when a third joins.
    """
    import pandas as pd

    left_out = {task: why for task, verdict in verdicts.items() if (why := _why_not(verdict))}
    counted = {task: v for task, v in verdicts.items() if task not in left_out}
    by_task = {task: {s.rule: s for s in v.standings} for task, v in counted.items()}
    rules = sorted({rule for standings in by_task.values() for rule in standings})
    times = pd.DataFrame(
        {
            task: [standings[rule].steps_to_target.median for rule in rules]
            for task, standings in by_task.items()
        },
        index=pd.Index(rules, name="rule"),
    )
    reference = next((v.reference for v in verdicts.values()), BASELINE)
    if not counted:
        return Across(times, None, (), left_out, reference)
    performance = performance_profile(times, TAU_MAX)
    scores = [_score(rule, reference, float(performance.score[rule]), by_task) for rule in rules]
    ranked = sorted(scores, key=lambda s: (-s.speedup, -s.score, s.rule != reference, s.rule))
    return Across(times, performance, tuple(ranked), left_out, reference)


def _why_not(verdict: Verdict) -> str:
    if verdict.refused:
        return "not a fair race"
    missing = any(s.finding == NO_TARGET for s in verdict.standings)
    return "no target" if missing or math.isinf(verdict.target) else ""


def _score(
    rule: str,
    reference: str,
    score: float,
    by_task: Mapping[str, Mapping[str, RuleResult]],
) -> Score:
    logs, missed, bounds = [], [], set()
    for task, standings in by_task.items():
        own, theirs = (standings[name].steps_to_target.median for name in (rule, reference))
        if math.isinf(own):
            missed.append(task)
        bounds.add(_BOUNDS[math.isinf(own), math.isinf(theirs)])
        logs.append(math.log(standings[rule].speedup.median))
    kinds = bounds - {""}
    bound = "" if rule == reference or not kinds else kinds.pop() if len(kinds) == 1 else "≈"
    return Score(rule, score, math.exp(sum(logs) / len(logs)), bound, tuple(missed))


# By whether the rule missed the target, and whether the reference did.
_BOUNDS = {(False, False): "", (True, False): "≤", (False, True): "≥", (True, True): "≈"}
