"""A race as it is seen in a terminal: live while it runs, then the leaderboard."""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ravine.pages.results import Results
from ravine.racing.choices import BASELINE
from ravine.racing.plan import Plan, Run
from ravine.racing.profile import Profile
from ravine.racing.store import Curve
from ravine.verdict import SMOOTHING, VALIDATION, Verdict, Width, said_ratio, said_speedup, title

PLAIN_LINES = 20  # how often a race speaks up where nobody is watching live
FEW = 4  # what can be listed in a line


class Display:
    """Watches a race: a live table on a terminal, a line now and then elsewhere."""

    def __init__(
        self, shown: bool = True, profiling: bool = False, console: Console | None = None
    ) -> None:
        self._console = console or Console(stderr=True, quiet=not shown)
        self._profiling = profiling
        self._plan: Plan | None = None
        self._doing: dict[int, str] = {}
        self._stage = "preparing"
        self._began = time.monotonic()
        self._done = self._kept = self._seeds = self._count = 0
        self._tuning: dict[str, dict[float, list[float]]] = {}
        self._fresh: dict[str, list[float]] = {}
        self._lock = threading.Lock()  # a live table is drawn by a thread of its own
        self._live: Live | None = None
        if shown and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._picture,
                refresh_per_second=8,
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def planned(self, plan: Plan, stored: Sequence[Curve]) -> None:
        """The plan is settled; some of it may be stored from before."""
        grown, self._count = self._plan is not None, plan.count
        self._plan, self._seeds = plan, plan.choices.seeds * plan.choices.studies
        if grown:
            self._say(
                "a best learning rate lies at the edge of its grid: every rule gets a decade more, "
                f"{plan.count} runs in all"
            )
            return
        for curve in stored:
            self._note(curve.run, curve.measures[1:])
        self._kept = self._done = len(stored)
        self._began = time.monotonic()
        rates = sum(map(len, plan.choices.learning_rates.values()))
        self._say(
            f"{plan.choices.task}: {len(plan.choices.rules)} rules, {rates} learning rates × "
            f"{plan.choices.seeds} seeds, then {plan.references} reference runs and "
            f"{plan.choices.fresh_seeds} fresh seeds a rule"
            + (f", in {plan.choices.studies} studies" if plan.choices.studies > 1 else "")
            + f": {plan.count} runs of {plan.steps} steps"
            + (f", {self._kept} of them stored already" if self._kept else "")
        )

    def checking(self, runs: Sequence[Run], plan: Plan, stored: Sequence[Curve]) -> None:
        """A claim is run again; some of it may be stored from before."""
        ids = {run.id for run in runs}
        self._plan, self._count = plan, len(runs)
        self._kept = self._done = sum(curve.run.id in ids for curve in stored)
        self._began = time.monotonic()
        seeds = len({run.seed for run in runs})
        rules = " against ".join(reversed(dict.fromkeys(title(run.rule) for run in runs)))
        self._say(f"{rules} again, on {seeds} unused seeds: {len(runs)} runs")

    def doing(self, worker: int, what: str) -> None:
        """See ``racing.driver.Watcher``."""
        with self._lock:
            self._doing[worker] = what

    def finished(self, run: Run, measures: Any) -> None:
        """See ``racing.driver.Watcher``."""
        assert self._plan is not None
        self._note(run, measures)
        self._done += 1
        if self._live is None:
            part = self._done * PLAIN_LINES // self._count
            if part > (self._done - 1) * PLAIN_LINES // self._count:
                leader = f"; {self._leader()}" if self._tuning else ""
                self._say(f"{self._progress()}{leader}")

    def trouble(self, what: str) -> None:
        """See ``racing.driver.Watcher``."""
        self._say(what)

    def publishing(self) -> None:
        """All runs are done; the pages are being written."""
        self._doing = {}
        self._stage = "writing the report"
        if self._live is None:
            self._say(self._stage)

    def profiled(self, profile: Profile) -> None:
        """Where the time went, if that was asked for."""
        if not self._profiling:
            return
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for heading in ("where the time went", "seconds of one core", "share"):
            table.add_column(heading, justify="left" if heading.startswith("where") else "right")
        rows = profile.table()
        for what, seconds in rows.items():
            table.add_row(what, f"{seconds:.1f}", f"{seconds / max(1e-9, sum(rows.values())):.0%}")
        console = Console(stderr=True)  # asked for, even where no progress is
        console.print(table)
        lanes = ", ".join(f"{runs} with {w}" for w, runs in sorted(profile.lanes.items()))
        console.print(
            f"{profile.elapsed:.1f} s in all; the driver stored for {profile.stored:.1f} s "
            f"meanwhile. Whole runs by lanes of their program: {lanes or 'none'}",
            style="dim",
            highlight=False,
        )

    def _note(self, run: Run, measures: Any) -> None:
        end = float(np.mean(measures[-SMOOTHING:, VALIDATION, 0]))
        with self._lock:
            self._stage = "tuning" if run.stage == "tuning" else "judging on fresh seeds"
            if run.stage == "tuning":
                by_rate = self._tuning.setdefault(run.rule, {})
                by_rate.setdefault(run.learning_rate, []).append(end)
            elif run.stage == "fresh":
                self._fresh.setdefault(run.rule, []).append(end)

    def _say(self, line: str) -> None:
        # A terminal breaks lines between words; what reads a pipe wants a line a message.
        self._console.print(Text(f"ravine: {line}"), soft_wrap=not self._console.is_terminal)

    def _progress(self) -> str:
        if self._plan is None:
            return self._stage
        now = self._done - self._kept
        said = f"{self._stage}: {self._done}/{self._count} runs"
        if now > 0 and self._done < self._count:
            left = (time.monotonic() - self._began) / now * (self._count - self._done)
            said += f", about {_duration(left)} left"
        return said

    def _standings(self) -> list[tuple[float, str, float, int]]:
        """(median final validation loss, rule, best rate so far, fresh runs), best first."""
        rows = []
        with self._lock:
            for rule, by_rate in self._tuning.items():
                # Medians of all tuning seeds alone: of fewer, the lowest is the luckiest.
                whole = [(_median(e), r) for r, e in by_rate.items() if len(e) == self._seeds]
                if whole and math.isfinite(min(whole)[0]):
                    loss, best = min(whole)
                    rows.append((loss, rule, best, len(self._fresh.get(rule, []))))
        return sorted(rows)

    def _leader(self) -> str:
        standings = self._standings()
        if not standings:
            return "no learning rate has all its seeds yet"
        loss, rule, rate, _ = standings[0]
        return f"lowest validation loss so far {loss:.4f} by {rule} at {rate:g}"

    def _picture(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("rule")
        for heading in ("best learning rate", "validation loss", "fresh runs"):
            table.add_column(heading, justify="right")
        for loss, rule, rate, fresh in self._standings():
            table.add_row(Text(rule), f"{rate:g}", f"{loss:.4f}", str(fresh or ""))
        share = self._done / self._count if self._count else 0.0
        bar = ProgressBar(total=1.0, completed=share, width=40)
        with self._lock:
            workers = [Text(f"  {what}", "dim") for _, what in sorted(self._doing.items()) if what]
        # Padding ends the bar's line, which the bar itself does not.
        return Group(Text(self._progress()), Padding(bar), *workers, table)


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
            style="bold" if i == 0 and not results.verdict.refused else "",
        )
    console.print(table)
    wrapped = not console.is_terminal
    for caption in _captions(results):
        console.print(Text(caption, "dim"), soft_wrap=wrapped)
    console.print()
    console.print(Text(results.verdict.sentence, "bold"), soft_wrap=wrapped)
    for warning in results.verdict.warnings:
        console.print(Text(f"Note: {warning}.", "yellow"), soft_wrap=wrapped)


def _captions(results: Results) -> Iterator[str]:
    """What the columns mean, and what else was found: a line each."""
    verdict = results.verdict
    if math.isinf(verdict.target):
        yield "no target: nothing to measure the steps to"
    else:
        own = results.plan.choices.target
        yield (
            f"× steps: to a test {verdict.measure} of {verdict.target:.4g}, "
            + ("" if own else "which tuned gradient descent reliably reaches, ")
            + f"relative to gradient descent's; median of {results.judged_on}"
        )
    yield "forgiving, from tuning: decades of learning rate within 5 % of the rule's best loss"
    if len(verdict.standings) > 1 and not verdict.refused:
        yield from _leads(verdict)
    memory = [f"{title(s.rule)} {s.state_bytes:g}" for s in verdict.standings if s.state_bytes]
    if memory:
        yield f"optimizer memory, bytes a parameter: {', '.join(memory)}; others 0 or unknown"
    timed = [s for s in verdict.standings if s.speedup_seconds and s.rule != BASELINE]
    if timed:
        said = [f"{title(s.rule)} {said_speedup(s.speedup_seconds)}" for s in timed]  # type: ignore[arg-type]  # as filtered
        yield f"speed-up in seconds: {', '.join(said)}"
    if any(results.plan.choices.widened.values()):
        yield f"tuning: {results.protocol['tuning']}"
    if results.plan.choices.others:
        for s in verdict.standings:
            if others := results.plan.choices.settings(s.rule, s.learning_rate):
                best = ", ".join(f"{name}={value:g}" for name, value in others.items())
                yield f"{title(s.rule)} was best with {best}"
    for checked in results.checked:
        yield f"run again on unused seeds: {checked}"
    for confirmed in results.confirmed:
        yield str(confirmed)
    if results.stopped:
        yield (
            f"{results.stopped} tuning runs without hope were stopped early: {results.saved:.0%} "
            "of all steps saved"
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


def _width(width: Width) -> str:
    return f"{'≥ ' if width.at_edge else ''}{width.decades:.1f}"


def _median(values: Sequence[float]) -> float:
    return float(np.median([v if math.isfinite(v) else math.inf for v in values]))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
