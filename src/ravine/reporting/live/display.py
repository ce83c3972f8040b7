"""Whoever watches a race in a terminal, or reads what it wrote into a pipe."""

import os
import threading
import time
from collections.abc import Sequence
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.status import Status
from rich.table import Table
from rich.text import Text

from ravine.analysis import title
from ravine.experiment.cost import Cost, estimate, estimate_text
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan, Run
from ravine.reporting import style
from ravine.reporting.live.picture import Picture, progress
from ravine.reporting.live.state import State, runs_of
from ravine.training.profile import Profile

PLAIN_LINES = 20  # how often a race speaks up where nobody is watching live
LAST = 3  # messages that stay below a live table
LIGHT = {"7", "15"}  # a light background, by the number that COLORFGBG ends with
HOURS = 2 * 3600.0  # seconds from which on it is said how to have a shorter race


class Display:
    """Watches a race: a live table on a terminal, a line now and then elsewhere.

    The table has the terminal's second screen, as an editor has: whatever size the window gets,
    nothing of it is left behind on the first.
    """

    def __init__(
        self, shown: bool = True, profiling: bool = False, console: Console | None = None
    ) -> None:
        self._console = console or Console(stderr=True, quiet=not shown)
        self._profiling = profiling
        self._cost: Cost | None = None
        self._state: State | None = None
        self._doing: dict[int, str] = {}
        self._stage = ""
        self._aside = False  # whether what is shown is on the terminal's second screen
        self._said: list[str] = []  # while it is there
        self._lock = threading.Lock()  # a live table is drawn by a thread of its own
        self._watched = shown and watched(self._console)
        self._preparing = Status("preparing", console=self._console)
        self._prepared: set[str] = set()  # what was said of it where nobody watches
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._watched:
            self._preparing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._preparing.stop()
        if self._live is not None:
            self._live.stop()
            self._live, self._aside = None, False
            for line in self._said:  # they were on the other screen
                self._print(line)

    def measured(self, cost: Cost | None) -> None:
        """What the race costs here, if that is known."""
        self._cost = cost

    def planned(self, plan: Plan, stored: Sequence[Curve]) -> None:
        """See ``ProgressListener``."""
        if self._state is not None:
            with self._lock:
                self._state.extend(plan)
            self._say(
                "a best learning rate lies at the edge of its grid: every rule gets a decade more, "
                f"about {plan.count} runs in all"
            )
            return
        state = State(plan, runs_of(plan), self._cost)
        state.stored(stored, time.monotonic())
        choices = plan.choices
        rates = sum(map(len, choices.learning_rates.values()))
        shorter = any(len(plan.horizons(rule)) > 1 for rule in choices.rules)
        self._say(
            f"{choices.task}: {len(choices.rules)} rules, {rates} learning rates × "
            f"{choices.tuning_seeds} seeds, then "
            + (f"{plan.references} reference runs and " if plan.references else "")
            + f"{choices.eval_seeds} evaluation seeds a rule"
            + (f", in {choices.repetitions} repetitions" if choices.repetitions > 1 else "")
            + f": about {plan.count} runs of {'up to ' if shorter else ''}{plan.steps} steps, more "
            "where learning rates cannot be told apart, fewer where a comparison is soon clear"
            + (f"; {state.kept} are stored already" if state.kept else "")
        )
        if choices.fitted:
            self._say(choices.fitted)
        if self._cost is not None and not state.kept:
            takes = estimate(plan, self._cost)
            self._say(f"an estimate: {estimate_text(takes, self._cost.workers)}")
            if takes.seconds > HOURS and not choices.fitted:
                self._say("a budget, such as --budget 1h, would make it shorter")
        self._begin(state)

    def checking(self, runs: Sequence[Run], plan: Plan, stored: Sequence[Curve]) -> None:
        """A claim is run again; some of it may be stored from before."""
        ids = {run.id for run in runs}
        counts = {rule: sum(r.rule == rule for r in runs) for rule in {r.rule for r in runs}}
        state = State(plan, counts)
        state.stored([c for c in stored if c.run.id in ids], time.monotonic())
        seeds = len({run.seed for run in runs})
        rules = " against ".join(reversed(dict.fromkeys(title(run.rule) for run in runs)))
        self._say(f"{rules} again, on {seeds} unused seeds: {len(runs)} runs")
        self._begin(state)

    def doing(self, worker: int, what: str) -> None:
        """See ``ProgressListener``."""
        with self._lock:
            self._doing[worker] = what
        if self._state is not None or not what:
            return
        if self._watched:
            self._preparing.update(what)
        elif what not in self._prepared:
            # The others may take half a minute; the first is where a wrong call ends, in one line.
            if self._prepared:
                self._say(what)
            self._prepared.add(what)

    def advanced(
        self, runs: Sequence[Run], segment: int, steps: int, measures: Sequence[Any]
    ) -> None:
        """See ``ProgressListener``."""
        assert self._state is not None
        with self._lock:
            self._state.advance(runs, segment, steps, measures)

    def finished(self, run: Run, measures: Any) -> None:
        """See ``ProgressListener``."""
        state = self._state
        assert state is not None
        with self._lock:
            state.finish(run, measures)
        if self._live is None:
            part = state.done * PLAIN_LINES // state.count
            if part > (state.done - 1) * PLAIN_LINES // state.count:
                how_far = ", ".join(progress(state, time.monotonic()))
                self._say(f"{state.stage}: {how_far}{leader(state)}")

    def trouble(self, what: str) -> None:
        """See ``ProgressListener``."""
        self._say(what)

    def publishing(self) -> None:
        """All runs are done; the pages are being written."""
        self._doing = {}
        self._stage = "writing the report"
        if (state := self._state) is not None:
            fewer = state.kept < state.done < state.count  # else it was said of the last run
            with self._lock:
                state.end()
            if self._live is None and fewer:
                self._say(f"{state.stage}: {', '.join(progress(state, time.monotonic()))}")
        if self._live is None:
            self._say(self._stage)

    def profiled(self, profile: Profile) -> None:
        """Where the time went, if that was asked for."""
        if not self._profiling:
            return
        if self._live is not None:
            self._live.stop()
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

    def _begin(self, state: State) -> None:
        """From now on there is something to see."""
        self._state = state
        if self._watched:
            self._preparing.stop()
            self._live = Live(
                console=self._console,
                get_renderable=self._picture,
                refresh_per_second=8,
                screen=True,
                redirect_stdout=False,  # a program's own output goes where it sends it
                redirect_stderr=False,
            )
            self._aside = True
            self._live.start()

    def _picture(self) -> RenderableType:
        if self._state is None:
            return Text(next((what for what in self._doing.values() if what), "preparing"))
        with self._lock:
            doing = [what for _, what in sorted(self._doing.items())]
            looks = style.looks(self._state.plan.choices.rules, paint())
            now, foot = time.monotonic(), self._said[-LAST:]
            return Picture(self._state, now, looks, doing, self._stage, foot)

    def _say(self, line: str) -> None:
        if self._aside:
            self._said.append(line)
        else:
            self._print(line)

    def _print(self, line: str) -> None:
        # A terminal breaks lines between words; what reads a pipe wants a line a message.
        self._console.print(Text(f"ravine: {line}"), soft_wrap=not self._console.is_terminal)


def watched(console: Console) -> bool:
    """Whether somebody sees a table that moves: colours may be forced on a pipe, eyes not."""
    return console.is_interactive and not console.is_dumb_terminal and console.file.isatty()


def paint() -> style.Paint:
    """The colours for this terminal's background, where it says what that is."""
    light = os.environ.get("COLORFGBG", "").rpartition(";")[2] in LIGHT
    return style.LIGHT if light else style.DARK


def leader(state: State) -> str:
    """Who leads in tuning, as the end of a line."""
    first = next(iter(state.rows()), None)
    if first is None or first.loss is None:
        return ""
    return (
        f"; lowest validation loss so far {first.loss:.4g} by {first.rule} at "
        f"{first.learning_rate:g}"
    )
