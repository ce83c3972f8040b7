"""Who is fastest depends on how far: steps to every target, and who leads there."""

import math
from typing import TYPE_CHECKING, Any, Literal

from ravine.analysis import title
from ravine.analysis.targets import Stretch
from ravine.reporting import style
from ravine.reporting.charts import drawing
from ravine.reporting.charts.ecdf import records
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import pandas as pd

POINTS = 160  # targets of a line
RIBBON = 10  # pixels


def steps_by_target(results: Results) -> "pd.DataFrame":
    """Median steps of evaluation runs to many test losses, easy ones first: rule, target, steps.

    Infinite where half of a rule's runs or more never get there.
    """
    import numpy as np
    import pandas as pd

    leads, found = results.verdict.leads_by_target, _losses(results)
    start, lowest = leads[0].high, leads[-1].low
    goals = (
        np.geomspace(start, lowest, POINTS) if lowest > 0 else np.linspace(start, lowest, POINTS)
    )
    goals[-1] = lowest
    rows = []
    for standing in results.verdict.standings:
        times = [
            # Records fall: the first at a goal is found by halving.
            np.append(steps, math.inf)[np.searchsorted(-np.array(values), -goals)]
            for rule, steps, values in found
            if rule == standing.rule
        ]
        for goal, steps in zip(goals.tolist(), np.median(times, axis=0).tolist(), strict=True):
            rows.append({"rule": standing.rule, "target": goal, "steps": steps})
    return pd.DataFrame(rows)


def targets(results: Results, paint: style.Paint = style.LIGHT) -> Any:
    """A line a rule, from easy targets to hard ones; the ribbon on top has the leader's colour."""
    import altair as alt

    data = steps_by_target(results)
    data = data[data["steps"].map(math.isfinite)].rename(columns={"target": "at"})
    leads = results.verdict.leads_by_target
    start, lowest = leads[0].high, leads[-1].low
    axis = style.axis(data["steps"])
    height = drawing.height_for(len(results.verdict.standings))
    kind: Literal["log", "linear"] = "log" if lowest > 0 else "linear"
    marks = style.ticks(lowest, start) if kind == "log" else alt.Undefined
    span = alt.Scale(type=kind, domain=[start, lowest], nice=False)
    x = alt.X(
        "at:Q",
        title="target: test loss to reach, harder to the right",
        scale=span,
        axis=alt.Axis(grid=False, labelExpr=drawing.SHORT, values=marks),
    )
    looks = drawing.encodings(results, paint)
    base = alt.Chart(drawing.rounded(data)).encode(x=x, color=looks["color"])
    y = drawing.value_axis("steps", axis, "median steps until then")
    ends = data.groupby("rule", sort=False).last().reset_index().rename(columns={"steps": "end"})
    ends["note"] = ""
    layers = [
        *_ribbon(results, span, looks, paint),
        base.mark_line(strokeWidth=2, clip=True).encode(y=y, strokeDash=looks["strokeDash"]),
        *drawing.end_labels(
            ends[["rule", "at", "end", "note"]], x, axis, height, looks, paint, lowest
        ),
    ]
    heading = drawing.heading(
        "Winner by target",
        f"{results.plan.choices.task}: median steps of {results.judged_on} to each test loss; "
        "the ribbon on top has the colour of the fastest",
    )
    return drawing.dressed(layers, paint, width=drawing.WIDTH, height=height, title=heading)


def _ribbon(results: Results, span: Any, looks: Any, paint: style.Paint) -> list[Any]:
    """Who leads, from left to right; where there is room, by name too."""
    import altair as alt
    import pandas as pd

    leads = results.verdict.leads_by_target
    way = style.axis([leads[0].high, leads[-1].low])
    rows = [s._asdict() | {"said": title(s.rule), "room": _room(way, s)} for s in leads]
    for row in rows:
        row["middle"] = way.value((way.height(row["low"]) + way.height(row["high"])) / 2)
    base = alt.Chart(drawing.rounded(pd.DataFrame(rows)))
    tooltip = [
        alt.Tooltip("said:N", title="fewest steps"),
        alt.Tooltip("high:Q", format=".4g", title="from"),
        alt.Tooltip("low:Q", format=".4g", title="down to"),
    ]
    x, top = alt.X("high:Q", scale=span), alt.YValue(0)
    band = base.mark_rect(opacity=1).encode(
        x=x, x2=alt.X2("low"), y=top, y2=alt.Y2Value(RIBBON), color=looks["color"], tooltip=tooltip
    )
    names = base.transform_filter("datum.room").mark_text(
        color=paint.muted, fontSize=11, baseline="top"
    )
    at = {"x": alt.X("middle:Q", scale=span), "y": alt.YValue(RIBBON + 5)}
    return [band, names.encode(**at, text=alt.Text("said:N"))]


def _room(way: style.Axis, stretch: Stretch) -> bool:
    share = way.height(stretch.high) - way.height(stretch.low)
    return share * drawing.WIDTH > 7 * len(title(stretch.rule)) + 8


def _losses(results: Results) -> list[tuple[str, list[int], list[float]]]:
    """Records of the loss, whatever the race's own target is of."""
    from dataclasses import replace

    verdict = replace(results.verdict, measure="loss", rising=False)
    found = records(replace(results, verdict=verdict))
    return list(zip(found["rule"], found["step"], found["value"], strict=True))
