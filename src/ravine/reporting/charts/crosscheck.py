"""The same runs twice, side by side: in the race's engine, and by ``fit`` in a framework."""

import math
from typing import TYPE_CHECKING, Any

from ravine.analysis import title
from ravine.analysis.crosscheck import Confirmed
from ravine.experiment.target import Target
from ravine.reporting import style
from ravine.reporting.charts import drawing
from ravine.reporting.results import Results
from ravine.reporting.sampling import m4

if TYPE_CHECKING:
    import pandas as pd

PANEL, PANEL_HEIGHT = 400, 260
COLUMNS = 200  # of pixels that a line is thinned out to


def both_ways(found: Confirmed) -> "pd.DataFrame":
    """The test losses of every run, here and there: rule, seed, way, and lists ``at`` and ``loss``.

    ``way`` is 0 in the race and 1 in the framework. Losses that are not finite are left out.
    """
    import numpy as np
    import pandas as pd

    rows = []
    for (rule, seed), ways in found.curves.items():
        for way, losses in enumerate(ways):
            kept = m4(np.asarray(losses, np.float64), COLUMNS)
            values = [float(f"{value:.4g}") for value in losses[kept]]
            at = found.steps[kept].tolist()
            rows.append({"rule": rule, "seed": seed, "way": way, "at": at, "loss": values})
    return pd.DataFrame(rows)


def confirmation(results: Results, paint: style.Paint = style.LIGHT, scale: str = "log") -> Any:
    """Test loss by step of the winner and gradient descent, a line a seed; a row a framework."""
    import altair as alt

    panels = [
        panel
        for found in results.confirmed
        for panel in _pair(results, found, both_ways(found), paint, scale)
    ]
    heading = drawing.heading(
        "The race against model.fit",
        f"{results.plan.choices.task}: test loss by step, a line a seed, from the same initial "
        "weights on the same batches",
    )
    chart = alt.concat(*panels, columns=2, title=heading, spacing=18)
    return chart.configure(**style.configuration(paint))


def _pair(
    results: Results, found: Confirmed, data: "pd.DataFrame", paint: style.Paint, kind: str
) -> list[Any]:
    """The panel of the race and that of the framework, on the same axes."""
    import altair as alt

    goal = found.confirmation.target
    shown = goal == Target(goal.value) and math.isfinite(goal.value)
    start = max((loss[0] for loss in data["loss"] if loss), default=1.0)
    losses = [value for values in data["loss"] for value in values]
    seen = [loss for loss in losses if loss <= 100 * abs(start)] or losses
    axis = style.axis([*seen, *([goal.value] if shown else [])], kind=kind)
    longest = float(results.plan.steps)
    looks = drawing.encodings(results, paint)
    panels = []
    for way, words in enumerate(("in the race", f"by model.fit on {found.name}")):
        own = data[data["way"] == way]
        x = alt.X(
            "at:Q",
            title="step",
            scale=alt.Scale(domain=[0, longest], nice=False),
            axis=alt.Axis(grid=False, tickCount=5),
        )
        lines = (
            alt.Chart(own[["rule", "seed", "at", "loss"]])
            .transform_flatten(["at", "loss"])
            .mark_line(strokeWidth=1.3, opacity=0.8, clip=True)
            .encode(
                x=x,
                y=drawing.value_axis("loss", axis, None),
                color=looks["color"],
                strokeDash=looks["strokeDash"],
                detail="seed:N",
            )
        )
        layers = [lines, *_labels(results, own, axis, paint, longest)]
        if shown:
            layers += drawing.level(goal.value, f"target {goal.value:.3g}", axis, paint)
        name = alt.TitleParams(words, limit=PANEL, fontSize=14, offset=6)
        panels.append(alt.layer(*layers, width=PANEL, height=PANEL_HEIGHT, title=name))
    return panels


def _labels(
    results: Results, own: "pd.DataFrame", axis: style.Axis, paint: style.Paint, edge: float
) -> list[Any]:
    """Mark and name of each rule to the right, as high as the middle one of its lines ends.

    Not ``drawing.end_labels``: beside another panel, Vega's ``width`` is not that of this one.
    """
    import altair as alt
    import pandas as pd

    ends: dict[str, float] = {}
    for rule, runs in own.groupby("rule", sort=False):
        if last := sorted(loss[-1] for loss in runs["loss"] if loss):
            ends[str(rule)] = min(last[len(last) // 2], axis.high)
    at = [PANEL_HEIGHT * axis.height(end) for end in ends.values()]
    placed = style.spread_out(at, drawing.LABEL_GAP, 4, PANEL_HEIGHT - 4)
    marks = style.looks(results.plan.choices.rules)
    data = pd.DataFrame(
        {
            "rule": list(ends),
            "edge": edge,
            "y": [axis.value(y / PANEL_HEIGHT) for y in placed],
            "glyph": [marks[rule].glyph for rule in ends],
            "name": [title(rule) for rule in ends],
        }
    )
    base = alt.Chart(drawing.rounded(data)).encode(
        x=alt.X("edge:Q"), y=drawing.value_axis("y", axis, None)
    )
    glyph = base.mark_text(align="center", dx=12, fontSize=11)
    name = base.mark_text(align="left", dx=22, limit=drawing.LABEL_LIMIT, color=paint.ink)
    colour = drawing.encodings(results, paint)["color"]
    return [
        glyph.encode(text=alt.Text("glyph:N"), color=colour),
        name.encode(text=alt.Text("name:N")),
    ]
