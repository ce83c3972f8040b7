"""The live table: what a state looks like in a terminal of some width. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ravine.analysis import title
from ravine.experiment.durations import said_seconds
from ravine.reporting.live.spark import spark
from ravine.reporting.live.state import Row, State
from ravine.reporting.style import Look

BAR = 60  # characters of what shows how far it is, at most
SPARK = 100  # the same of a curve
LEAST = 8  # and at least
TITLE = 24  # of a rule's name, where there is room
# From which width on a number has its column, and what that is headed; the rest is the curve's.
ROOM = {"loss": 0, "rate": 54, "runs": 66, "diverged": 78}
LONG = {"loss": "validation loss", "rate": "best rate"}  # where there is room for them
LONG_FROM = 70
CURVES = ("validation loss by steps", "loss by steps", "curve")


class Picture:
    """What a display shows at one moment; it takes the width that it is given.

    ``doing``: what each worker is at. ``foot``: lines below the table.
    """

    def __init__(
        self,
        state: State,
        now: float,
        looks: Mapping[str, Look],
        doing: Sequence[str] = (),
        stage: str = "",
        foot: Sequence[str] = (),
    ) -> None:
        self._state = state
        self._now = now
        self._looks = looks
        self._doing = doing
        self._stage = stage or state.stage
        self._foot = foot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        state = self._state
        heading = Text(f"{state.plan.choices.task}: ", "bold", no_wrap=True, overflow="ellipsis")
        heading.append(self._stage)
        yield heading
        share = min(1.0, state.done / state.count) if state.count else 0.0
        yield ProgressBar(
            total=1.0,
            completed=share,
            width=min(width, BAR),
            complete_style="default",
            finished_style="default",
        )
        yield Text()
        yield joined(progress(state, self._now), width)
        if self._doing:
            yield joined(_workers(self._doing), width, "dim")
        yield Text()
        yield table(state.rows(), self._looks, state.plan.evaluations + 1, width)
        if self._foot:
            yield Text()
        for line in self._foot:
            yield Text(line, "yellow")


def progress(state: State, now: float) -> list[str]:
    """How far a race is, in parts of a line."""
    parts = [f"{state.done}/{state.count} runs"]
    if (left := state.left(now)) is not None:
        parts.append(f"about {said_seconds(left)} left")
    if state.done > state.kept:
        parts.append(f"{state.speed(now):.2g} runs a second")
    if state.diverged:
        parts.append(f"{state.diverged} diverged")
    return parts


def table(rows: Sequence[Row], looks: Mapping[str, Look], whole: int, width: int) -> Table:
    """The standings: mark and name of each rule, its numbers, its curve of ``whole`` points."""
    columns = {
        name: LONG.get(name, name) if width >= LONG_FROM else name
        for name, least in ROOM.items()
        if width >= least
    }
    longest = max((len(title(row.rule)) for row in rows), default=0)
    names = 2 + min(longest, TITLE, max(8, width // 3))  # with the mark
    cells = [_cells(row, columns) for row in rows]
    taken = sum(
        2 + max(len(heading), *(len(each[i]) for each in cells))
        for i, heading in enumerate(columns.values())
    )
    room = min(SPARK, width - names - 2 - taken)
    found = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    found.add_column("rule", width=names, no_wrap=True, overflow="ellipsis")
    for heading in columns.values():
        found.add_column(heading, justify="right", no_wrap=True)
    if room >= LEAST:
        found.add_column(next(h for h in CURVES if len(h) <= room), no_wrap=True)
    low, high = _scale(rows)
    for row, each in zip(rows, cells, strict=True):
        look = looks[row.rule]
        name = Text(f"{look.glyph} ", look.colour).append(title(row.rule), "default")
        drawn = (
            [Text(spark(row.curve, whole, room, low, high), look.colour)] if room >= LEAST else []
        )
        found.add_row(name, *map(Text, each), *drawn, style="" if row.loss is not None else "dim")
    return found


def joined(parts: Iterable[str], width: int, style: str = "") -> Text:
    """Parts with dots between, none of them torn at the end of a line."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return Text("\n".join(filter(None, lines)), style, no_wrap=True, overflow="ellipsis")


def _cells(row: Row, columns: Iterable[str]) -> list[str]:
    said = {
        "loss": "" if row.loss is None else f"{row.loss:.4f}",
        "rate": "" if row.learning_rate is None else f"{row.learning_rate:.3g}",
        "runs": f"{row.runs}/{row.of}",
        "diverged": str(row.diverged or ""),
    }
    return [said[name] for name in columns]


def _scale(rows: Sequence[Row]) -> tuple[float, float]:
    """From the lowest that any curve came to, up to where the highest began."""
    curves = [np.asarray(row.curve, dtype=float) for row in rows if len(row.curve)]
    finite = [curve[np.isfinite(curve)] for curve in curves]
    lowest = [curve.min() for curve in finite if curve.size]
    if not lowest:
        return 0.0, 1.0
    return float(min(lowest)), float(max(curve[0] for curve in finite if curve.size))


def _workers(doing: Sequence[str]) -> Iterator[str]:
    for what, count in Counter(filter(None, doing)).most_common():
        yield what if count == 1 else f"{what} ({count})"
