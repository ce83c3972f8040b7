"""The pictures of a race, one a file: the same on a page, in a notebook, as PNG and as SVG.

Statistics are taken in NumPy and a chart is handed what it draws: a few numbers an evaluation, not
every run.
"""

import inspect
import io
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine.errors import InvalidArgument, unknown
from ravine.reporting import style, vega
from ravine.reporting.charts.budget_curve import tries
from ravine.reporting.charts.crosscheck import confirmation
from ravine.reporting.charts.curves import bands, curves
from ravine.reporting.charts.drawing import CLOCKS, LABEL_LIMIT, timed
from ravine.reporting.charts.ecdf import reached
from ravine.reporting.charts.sensitivity import sensitivity
from ravine.reporting.charts.speedups import speedups
from ravine.reporting.charts.steps_vs_seconds import clocks
from ravine.reporting.charts.targets import targets
from ravine.reporting.charts.training import training
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import altair as alt

__all__ = ["CHARTS", "LABEL_LIMIT", "TITLES", "bands", "chart", "missing", "options", "save", "svg"]
CHARTS: dict[str, Callable[..., Any]] = {
    "speedups": speedups,
    "curves": curves,
    "sensitivity": sensitivity,
    "reached": reached,
    "clocks": clocks,
    "tries": tries,
    "targets": targets,
    "confirmation": confirmation,
    "training": training,
}
TITLES = {
    "speedups": "Speed-ups with their intervals",
    "curves": "How the test loss fell",
    "sensitivity": "How much the learning rate matters",
    "reached": "Share of runs that reached the target",
    "clocks": "Steps against seconds",
    "tries": "Best after so many tries",
    "targets": "Winner by target",
    "confirmation": "The race against model.fit",
    "training": "Every step, every run",
}
# What can be said about how a chart is drawn; the first of each is what it is by itself.
OPTIONS: Mapping[str, tuple[str, ...]] = {"by": tuple(CLOCKS), "scale": ("log", "linear")}


def options(name: str) -> dict[str, tuple[str, ...]]:
    """What can be said about a chart, and the values each may have."""
    known = inspect.signature(CHARTS[name]).parameters
    return {option: values for option, values in OPTIONS.items() if option in known}


def chart(results: Results, name: str, paint: style.Paint = style.LIGHT, **chosen: str) -> Any:
    """The chart of that name.

    Raises ``InvalidArgument`` if there is none, if it cannot be drawn that way, or if the race did
    not measure what it shows.
    """
    if name not in CHARTS:
        raise unknown("chart", name, CHARTS)
    for option, value in chosen.items():
        known = options(name)
        if option not in known:
            raise unknown(f"option of chart {name}", option, known)
        if value not in known[option]:
            raise unknown(f"{option} of chart {name}", value, known[option])
    if why := missing(results, name, chosen):
        raise InvalidArgument(f"there is no chart {name} of this race: {why}")
    return CHARTS[name](results, paint, **chosen)


def missing(results: Results, name: str, chosen: Mapping[str, str]) -> str:
    """Why a chart cannot be drawn; empty where it can."""
    if (name == "clocks" or chosen.get("by") == "seconds") and not timed(results):
        return "how long a step takes was not measured for every rule"
    if name == "confirmation" and not results.confirmed:
        return "nobody trained its winner in a framework: ravine crosscheck DIR --in tensorflow"
    if name in ("targets", "speedups") and results.verdict.refused:
        return "an audit found that the race was not fair"
    if name == "targets" and not results.verdict.leads_by_target:
        return (
            "rates decay over a run, so its middle says nothing about a shorter one"
            if results.plan.decaying
            else "most runs of every rule never ended below the loss before step one"
        )
    return ""


def variants(results: Results, name: str) -> Iterator[dict[str, str]]:
    """All the ways in which a chart of this race can be drawn; none where it cannot be."""
    known = options(name)
    for values in product(*known.values()):
        chosen = dict(zip(known, values, strict=True))
        if not missing(results, name, chosen):
            yield chosen


def svg(chart: "alt.TopLevelMixin") -> bytes:
    """A chart as an SVG."""
    text = io.StringIO()
    chart.save(text, format="svg")
    return text.getvalue().encode()


def save(chart: "alt.TopLevelMixin", *paths: Path) -> None:
    """Write a chart as ``.png``, twice as fine as a screen, or ``.svg``; drawn once for all."""
    import altair as alt

    for path in paths:
        if path.suffix.lower() not in (".png", ".svg"):
            raise unknown("picture format", path.suffix, (".png", ".svg"))
    with alt.data_transformers.disable_max_rows():  # a limit for what notebooks keep
        drawn = vega.svg(chart.to_dict())
    for path in paths:
        if path.suffix.lower() == ".svg":
            path.write_text(drawn, encoding="utf-8")
        else:
            path.write_bytes(vega.png(drawn))
