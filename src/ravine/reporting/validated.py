"""What was published beside what ravine finds, in a terminal."""

from collections.abc import Iterable
from itertools import groupby
from typing import Self

from rich import progress
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ravine.analysis.published import Check
from ravine.reporting.console import wide

HEADINGS = {
    "frozen": "as published: every epoch has the batches of the first",
    "reshuffled": "the same with every epoch shuffled anew; in brackets what is expected",
}


class Progress:
    """A bar on a terminal; elsewhere a line a stage. On standard error."""

    def __init__(self, shown: bool = True) -> None:
        self._console = Console(stderr=True, quiet=not shown)
        self._bar = progress.Progress(
            console=self._console, transient=True, disable=not self._console.is_terminal
        )
        self._stage = progress.TaskID(0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, what: str, count: int) -> None:
        """So many pieces of work come now."""
        self._console.print(Text(f"ravine: {what}: {count} times 10 runs"), soft_wrap=True)
        self._stage = self._bar.add_task(what, total=count)

    def advance(self) -> None:
        """One of them is done."""
        self._bar.advance(self._stage)


def show(checks: Iterable[Check], seconds: float, console: Console) -> None:
    """Print a line a check: published, ours, and whether that is within what was published."""
    checks = list(checks)
    columns = zip(*[(check.what, check.published, check.ours) for check in checks], strict=True)
    widths = [max(map(len, column)) for column in columns]
    for batches, group in groupby(checks, key=lambda check: check.batches):
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for heading, width in zip((batches, "published", "ours"), widths, strict=True):
            table.add_column(heading, min_width=min(width, 48), overflow="fold")
        table.add_column("within?")
        for check in group:
            said = Text("yes", "green") if check.holds else Text("NO", "bold red")
            table.add_row(*map(Text, (check.what, check.published, check.ours)), said)
        console.print(Text(f"DeepOBS quadratic_deep, {HEADINGS[batches]}", "bold"))
        wide(console).print(table)
        console.print()
    agree = sum(check.holds for check in checks)
    console.print(
        Text(
            f"{agree} of {len(checks)} agree. Final test losses: mean ± standard deviation over "
            f"the seeds 42 to 51; differences with Welch's 95 % interval. {seconds:.0f} s.",
            "dim",
        ),
        soft_wrap=not console.is_terminal,
    )
