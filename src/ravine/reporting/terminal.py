"""A finished race in a terminal: the leaderboard and what it says."""

import math
import statistics
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ravine.analysis import RuleResult, Verdict, Width, said_ratio, said_speedup, title
from ravine.analysis.crosscheck import Confirmed
from ravine.analysis.naming import called
from ravine.experiment.configuration import DECAY
from ravine.reporting import tables
from ravine.reporting.results import Results

FEW = 4  # what can be listed in a line


def show(results: Results, console: Console) -> None:
    """Print the leaderboard and the verdict, 100 columns wide for rules of ravine's own."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("rule", overflow="fold")
    standings = results.verdict.standings
    lost = [name for name in ("diverged", "failed") if any(getattr(s, name) for s in standings)]
    headings = ["rate", "forgiving", "× steps", "95 %", "reached", "steps", "loss"]
    for heading in [*headings, *results.plan.facts.measures[1:], *lost]:
        table.add_column(heading, justify="right", no_wrap=True)
    for i, s in enumerate(standings):
        table.add_row(
            Text(title(s.rule)),
            f"{s.learning_rate:g}",
            _width(s.sensitivity.width),
            *said_ratio(s.speedup),
            f"{s.reached}/{s.runs}",
            "–" if math.isinf(s.steps_to_target.median) else f"{s.steps_to_target.median:.7g}",
            f"{s.final_loss:.4f}",
            *(f"{value:.4f}" for value in s.final_metrics.values()),
            *(str(getattr(s, name)) for name in lost),
            style="bold" if i == 0 and not results.verdict.refused else _loud(s),
        )
    console.print(table)
    wrapped = not console.is_terminal
    for caption in _captions(results):
        console.print(Text(caption, "dim"), soft_wrap=wrapped)
    for found in results.confirmed:
        console.print()
        show_confirmation(found, console)
    console.print()
    console.print(Text(results.verdict.sentence, "bold"), soft_wrap=wrapped)
    if results.verdict.in_seconds:
        console.print(Text(results.verdict.in_seconds, "bold"), soft_wrap=wrapped)
    for warning in results.verdict.warnings:
        console.print(Text(f"Note: {warning}.", "yellow"), soft_wrap=wrapped)


def show_confirmation(found: Confirmed, console: Console) -> None:
    """Print what came of training in another framework: medians over the seeds, and a sentence."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(f"on {found.name}", overflow="fold")
    for head in ("agree", "steps in the race", "by model.fit", "time of fit", "graph built before"):
        table.add_column(head, justify="right", no_wrap=True)
    for rule in found.rules:
        pairs = found.of(rule)
        steps = ([p.steps for p in pairs], [p.steps_there for p in pairs])
        table.add_row(
            Text(title(rule)),
            f"{sum(map(found.agrees, pairs))}/{len(pairs)}",
            *(tables.count(statistics.median(times)) for times in steps),
            tables.seconds(found.seconds[rule]),
            tables.seconds(found.seconds_built[rule]),
        )
    console.print(table)
    console.print(Text(str(found), "dim"), soft_wrap=not console.is_terminal)


def _captions(results: Results) -> Iterator[str]:
    """What the columns mean, and what else was found: a line each."""
    verdict = results.verdict
    if math.isinf(verdict.target):
        yield "no target: nothing to measure the steps to"
    else:
        own, reference = results.plan.choices.target, called(verdict.reference)
        yield (
            f"× steps: to a {verdict.metric} of {verdict.target:.4g}, "
            + ("" if own else f"which eight of ten runs of tuned {reference} reach, ")
            + f"relative to {reference}'s, over the way there; mean of {results.judged_on}"
        )
    yield "forgiving, from tuning: decades of learning rate within 5 % of the rule's best loss"
    if len(verdict.standings) > 1 and not verdict.refused:
        yield from _leads(verdict)
    memory = [f"{title(s.rule)} {s.state_bytes:g}" for s in verdict.standings if s.state_bytes]
    if memory:
        yield f"optimizer memory, bytes a parameter: {', '.join(memory)}; others 0 or unknown"
    timed = [s for s in verdict.standings if s.speedup_seconds and s.rule != verdict.reference]
    if timed:
        said = [f"{title(s.rule)} {said_speedup(s.speedup_seconds)}" for s in timed]  # type: ignore[arg-type]  # as filtered
        yield f"speed-up in seconds: {', '.join(said)}"
    if any(results.plan.choices.widened.values()):
        yield f"tuning: {results.protocol['tuning']}"
    for s in verdict.standings:
        best = dict(s.configuration.others)
        if s.rule in results.plan.choices.decays:
            best[DECAY] = s.hyperparameters[DECAY]
        if best:
            listed = ", ".join(f"{name}={value:g}" for name, value in best.items())
            yield f"{title(s.rule)} was best with {listed}"
    for checked in results.checked:
        yield f"run again on unused seeds: {checked}"
    if results.stopped:
        yield (
            f"tuning runs that were stopped early, as their rates could no longer be chosen: "
            f"{results.stopped}, {results.saved:.0%} of all steps saved"
        )


def _leads(verdict: Verdict) -> Iterator[str]:
    """Who leads for other targets and after fewer tries."""
    tries = [
        f"{title(lead.rule)} after {lead.first}"
        + (f" to {lead.last}" if lead.last > lead.first else "")
        for lead in verdict.leads_by_tries
    ]
    yield f"lowest expected loss, from tuning, in random order: {', '.join(tries)} tries"
    targets = verdict.leads_by_target
    if 0 < len(targets) <= FEW:
        said = [f"{title(stretch.rule)} down to {stretch.low:.4g}" for stretch in targets]
        yield f"fewest steps to other test losses: {', '.join(said)}"
    elif targets:
        leaders = len({stretch.rule for stretch in targets})
        yield (
            f"fewest steps to other test losses: {leaders} rules take turns {len(targets) - 1} "
            f"times; the lowest, {targets[-1].low:.4g}, is {title(targets[-1].rule)}'s"
        )


def _loud(standing: RuleResult) -> str:
    """What nothing is known of is quieter."""
    return "" if standing.concluded else "dim"


def _width(width: Width) -> str:
    return f"{'≥ ' if width.at_edge else ''}{width.decades:.1f}"
