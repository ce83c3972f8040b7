"""A race as a notebook shows it: one display while it runs, then the leaderboard and a picture."""

import base64
import html
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ravine.analysis import title
from ravine.experiment.plan import Run
from ravine.reporting import tables
from ravine.reporting.live.display import Display
from ravine.reporting.live.state import State
from ravine.reporting.results import Results

PAUSE = 0.4  # seconds between two pictures, at least
WIDTH = 100  # of what is shown while a race runs, in letters
MONO = "font-family:Menlo,'DejaVu Sans Mono',consolas,monospace;line-height:1.3;margin:0"
CELLS = "text-align:right;padding:.2em .8em;font-variant-numeric:tabular-nums;white-space:nowrap"
COLUMNS = {
    "rule": "rule",
    "learning_rate": "learning rate",
    "speedup": "speed-up in steps",
    "reached": "reached",
    "steps": "steps to the target",
    "final_loss": "test loss",
}


def display(shown: bool, profiling: bool) -> Display:
    """What shows a race while it runs, wherever this process is."""
    return Cell(profiling) if shown and Console().is_jupyter else Display(shown, profiling)


class Cell(Display):
    """The output of a notebook's cell: one display that changes, and lines for what is to stay.

    It is drawn when something happens, by who says so: no thread writes into a cell.
    """

    def __init__(self, profiling: bool = False) -> None:
        super().__init__(True, profiling)
        self._place: _Shown | None = None
        self._drawn = 0.0

    def doing(self, worker: int, what: str) -> None:
        """See ``ProgressListener``."""
        super().doing(worker, what)
        self._draw()

    def advanced(
        self, runs: Sequence[Run], segment: int, steps: int, measures: Sequence[Any]
    ) -> None:
        """See ``ProgressListener``."""
        super().advanced(runs, segment, steps, measures)
        self._draw()

    def finished(self, run: Run, measures: Any) -> None:
        """See ``ProgressListener``."""
        super().finished(run, measures)
        self._draw()

    def publishing(self) -> None:
        """See ``Display``."""
        super().publishing()
        self._draw(now=True)

    def _begin(self, state: State) -> None:
        super()._begin(state)
        self._place = _Shown()
        self._place.start()
        self._live = self._place  # type: ignore[assignment]  # it is stopped, which is all of it

    def _draw(self, now: bool = False) -> None:
        if self._place is None or (not now and time.monotonic() < self._drawn + PAUSE):
            return
        self._place.show(self._picture())
        self._drawn = time.monotonic()


class _Shown:
    """A place in a cell's output."""

    def __init__(self) -> None:
        self._handle: Any = None

    def start(self) -> None:
        """Take the place."""
        from IPython.display import display

        show: Callable[..., Any] = display
        self._handle = show(_bundle("ravine: preparing"), raw=True, display_id=True)

    def show(self, picture: Any) -> None:
        """Show something of Rich's there."""
        console = Console(file=io.StringIO(), record=True, width=WIDTH, force_jupyter=False)
        console.print(picture)
        text = console.export_text(clear=False)
        page = console.export_html(
            inline_styles=True, code_format=f'<pre style="{MONO}">{{code}}</pre>'
        )
        self._handle.update(_bundle(text, page), raw=True)

    def stop(self) -> None:
        """Leave nothing there: what was found is shown by the race itself."""
        self._handle.update(_bundle(""), raw=True)


def _bundle(text: str, page: str | None = None) -> dict[str, str]:
    shown = f'<pre style="{MONO}">{html.escape(text)}</pre>' if page is None else page
    return {"text/plain": text, "text/html": shown}


def page(results: Results, picture: Path | bytes) -> str:
    """The verdict, the leaderboard, the picture and the lines to paste, as HTML.

    ``picture``: an SVG, or its file. Colours are the notebook's own, which may be dark.
    """
    standings = results.verdict.standings
    measures = [*standings[0].final_metrics]
    heads = [*COLUMNS.values(), *measures]
    rows = []
    for standing in standings:
        line = tables.leaderboard(standing)
        rows.append([title(standing.rule), *(line[k] for k in [*COLUMNS][1:]), *line["metrics"]])
    parts = [
        f"<p><strong>{html.escape(results.verdict.sentence)}</strong></p>",
        _table(heads, rows),
    ]
    svg = picture.read_bytes() if isinstance(picture, Path) else picture
    encoded = base64.b64encode(svg).decode("ascii")
    parts.append(
        f'<img alt="Test loss of each rule by steps" style="max-width:100%;background:#fff" '
        f'src="data:image/svg+xml;base64,{encoded}">'
    )
    if results.lines:
        code = "\n".join(f"{line.framework:8} {line.text}" for line in results.lines)
        parts.append(f'<pre style="{MONO}">{html.escape(code)}</pre>')
    return f"<div>{''.join(parts)}</div>"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    def line(tag: str, cells: list[str]) -> str:
        first, *others = (html.escape(str(cell)) for cell in cells)
        left = f'<{tag} style="{CELLS};text-align:left">{first}</{tag}>'
        return left + "".join(f'<{tag} style="{CELLS}">{cell}</{tag}>' for cell in others)

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{line('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
