"""The line of code that trains with what a race found, in each framework."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from ravine.analysis import RuleResult
from ravine.analysis.naming import title
from ravine.analysis.results import FASTER, REFERENCE
from ravine.experiment.config import FINAL, TIME, scheduled
from ravine.experiment.plan import Plan
from ravine.frameworks.names import CALLED
from ravine.frameworks.spelling import is_spelled, read_rule
from ravine.frameworks.translate.translation import WRITERS, translation


class Line(NamedTuple):
    """An optimizer as one framework spells it."""

    framework: str  # as it is called
    to: str  # as ``ravine.translate`` takes it
    text: str
    ours: bool  # ravine's own optimizer: the framework has none that walks the same path


def lines(plan: Plan, standing: RuleResult) -> list[Line]:
    """The optimizer that was raced, at its chosen settings, as an expression of each framework.

    A rule of the user's own is named as it was, to be filled in where it is defined.
    """
    settings = {name: v for name, v in standing.hyperparameters.items() if v is not None}
    settings["learning_rate"] = standing.learning_rate
    if not is_spelled(standing.rule):
        given = f"{standing.rule.partition('(')[0]}(learning_rate={standing.learning_rate:.7g})"
        ending = {"torch": ", params"}
        return [
            Line(CALLED[to], to, f"ravine.to_{to}({given}{ending.get(to, '')})", ours=True)
            for to in WRITERS
        ]
    plain = read_rule(standing.rule)
    rule = plain.replace({k: v for k, v in settings.items() if k in plain.values()})
    raced = scheduled(rule, plan.choices.schedule, plan.steps)
    # What a module of PyTorch was raced in is what its user trains with.
    order = sorted(WRITERS, key=lambda to: to != plan.facts.engine)
    found = [translation(raced, to) for to in order]
    return [
        Line(CALLED[one.framework], one.framework, one.text, ours=one.text == one.ours)
        for one in found
    ]


def heading(found: Sequence[Line], doubt: str = "") -> str:
    """What the lines are for, and what those need that are ravine's own."""
    said = "To paste, after import ravine" if any(line.ours for line in found) else "To paste"
    return f"{said} ({doubt})" if doubt else said


def doubt(leader: RuleResult, objective: str = TIME) -> str:
    """What to know before one takes what leads; nothing where it was found to be faster."""
    if leader.finding in (FASTER, REFERENCE):
        return ""
    if objective == FINAL:
        return f"{title(leader.rule)} ends at the lowest test loss; in time it is {leader.finding}"
    said = f"{title(leader.rule)} leads, but was not shown to be faster than the reference"
    if leader.diverged:
        said += f", and diverged in {leader.diverged} of {leader.runs} runs"
    return said


def show(found: Sequence[Line], doubt: str, console: Console) -> None:
    """Print the lines, each whole, so that it can be copied."""
    console.print(Text(f"\n{heading(found, doubt)}:", "dim"), soft_wrap=not console.is_terminal)
    wide = max(len(line.framework) for line in found)
    for line in found:
        console.print(Text(f"  {line.framework:{wide}}  {line.text}"), soft_wrap=True)
