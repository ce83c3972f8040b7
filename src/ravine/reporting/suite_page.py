"""What a suite found: a page, a table in the terminal, and JSON for other programs."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ravine.analysis import RuleResult, said_speedup, title
from ravine.analysis.results import REFERENCE
from ravine.analysis.suite_stats import HOW, Across, Score
from ravine.reporting import performance, style, vega
from ravine.reporting.console import wide
from ravine.reporting.results import Results, finite
from ravine.reporting.templates import render

Races = Mapping[str, Results]  # by task


def to_json(across: Across, races: Races, asked: Mapping[str, Any]) -> str:
    """``suite.json``. What is infinite is null."""
    content = {
        "verdict": str(across),
        "how": HOW,
        "asked": asked,
        "tasks": [_task(name, results, across) for name, results in races.items()],
        "rules": [score._asdict() for score in across.scores],
        "times": {rule: dict(row) for rule, row in across.times.iterrows()},
        "profile": None
        if across.performance is None
        else {
            "tau": list(map(float, across.performance.profile.columns)),
            **{str(rule): list(row) for rule, row in across.performance.profile.iterrows()},
        },
    }
    return json.dumps(finite(content), indent=2, ensure_ascii=False) + "\n"


def _task(name: str, results: Results, across: Across) -> dict[str, Any]:
    verdict = results.verdict
    known = {
        "task": name,
        "folder": name,
        "verdict": verdict.sentence,
        "target": verdict.target,
        "target_measure": verdict.measure,
        "steps": results.plan.steps,
        "left_out": across.left_out.get(name),
    }
    if verdict.refused:
        return known
    leader = verdict.leader
    return known | {
        "leader": leader.rule,
        "finding": leader.finding,
        "tied_for_first": list(verdict.ties),
        "speedup": leader.speedup._asdict(),
    }


def write(across: Across, races: Races, path: Path) -> None:
    """Write ``suite.html``: no scripts, nothing from anywhere."""
    from markupsafe import Markup

    still = ""
    rules = [score.rule for score in across.scores]
    if across.performance is not None:
        picture = performance.chart(across.performance, rules, style.PAGE)
        picture.title = ""
        still = vega.still(picture.to_dict(), "performance")
    page = render(
        "suite.html",
        {"steps": _steps, "speedup": said_speedup},
        across=across,
        races=races,
        looks=style.looks(rules, style.PAGE),
        how=HOW,
        baseline=across.reference,
        said={s.rule: said(s) for s in across.scores},
        # Made by Vega-Lite, which escapes.
        still=Markup(still),  # noqa: S704
    )
    path.write_text(page, encoding="utf-8", newline="\n")


def show(across: Across, races: Races, console: Console) -> None:
    """Print who leads where, then the rules' scores over all tasks."""
    tasks = _table("task", "leader", "speed-up, 95 %", "cannot be told apart")
    for name, results in races.items():
        verdict, why = results.verdict, across.left_out.get(name)
        if why:
            tasks.add_row(Text(name), Text(f"left out: {why}", "yellow"))
            continue
        ties = ", ".join(map(title, verdict.ties))
        tasks.add_row(*map(Text, (name, title(verdict.leader.rule), _lead(verdict.leader), ties)))
    rules = _table("rule", "speed-up", "score", "missed the target of", right=("score", "speed-up"))
    looks = style.looks(score.rule for score in across.scores)
    for i, score in enumerate(across.scores):
        row = (said(score), f"{score.score:.3f}", ", ".join(score.missed))
        head = style.marked(score.rule, looks[score.rule])
        rules.add_row(head, *map(Text, row), style="bold" if i == 0 else "")
    for table in (tasks, rules):
        wide(console).print(table)
        console.print()
    for what in ("time", "speed-up", "score"):
        console.print(Text(f"{what}: {HOW[what]}", "dim"), soft_wrap=not console.is_terminal)
    console.print()
    console.print(Text(str(across), "bold"), soft_wrap=not console.is_terminal)


def said(score: Score) -> str:
    """A geometric mean with what sort of bound it is."""
    return f"{score.bound} {score.speedup:.2f}".strip()


def _lead(leader: RuleResult) -> str:
    if leader.finding == REFERENCE:
        return "–"
    claimed = "" if leader.finding == "faster" else f" ({leader.finding})"
    return said_speedup(leader.speedup) + claimed


def _steps(steps: float) -> str:
    return f"{steps:.7g}" if math.isfinite(steps) else "∞"


def _table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading in right else "left")
    return table
