"""The answer as a picture: each rule's speed-up with its interval, a line a rule."""

import math
from typing import TYPE_CHECKING, Any

from ravine.analysis import said_speedup, title
from ravine.analysis.comparing import MARGIN
from ravine.analysis.naming import called
from ravine.analysis.results import REFERENCE
from ravine.reporting import style
from ravine.reporting.charts import drawing
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import pandas as pd

ROW = 42  # pixels a rule: its words, and below them its interval
LIMIT = 340  # pixels of the words: a phone has room for them
WIDEST = 64.0  # an interval's end is drawn no further from 1; an arrow would say no more
QUIET = 0.45  # opacity of what nothing is concluded of


def intervals(results: Results) -> "pd.DataFrame":
    """A row a rule, best first: rule, finding, speedup, low, high, quiet. NaN: not known."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "rule": s.rule,
                "finding": s.finding,
                "speedup": s.speedup.median,
                "low": s.speedup.low,
                "high": s.speedup.high,
                "quiet": not s.concluded,
            }
            for s in results.verdict.standings
        ]
    )


def speedups(results: Results, paint: style.Paint = style.LIGHT) -> Any:
    """Points with their intervals on one axis; the band in the middle is as fast, within 25 %."""
    import altair as alt
    import pandas as pd

    data = intervals(results)
    data["label"] = data["rule"].map(title)
    data["note"] = [
        f"{title(s.rule)}: the reference"
        if s.finding == REFERENCE
        else f"{title(s.rule)}: {s.finding}, {said_speedup(s.speedup)}"
        for s in results.verdict.standings
    ]
    data["row"] = [float(i) for i in range(len(data))]
    for end in ("low", "high"):
        data[end] = data[end].clip(lower=1 / WIDEST, upper=WIDEST)
    ends = [1 / 1.5, 1.5, *data["low"], *data["high"]]
    span = alt.Scale(type="log", domain=[min(ends) / 1.05, max(ends) * 1.05], nice=False)
    marks = style.ticks(min(ends), max(ends))
    x = alt.X(
        "low:Q",
        title=f"speed-up over {called(results.verdict.reference)}",
        scale=span,
        axis=alt.Axis(grid=False, values=marks, labelExpr=drawing.SHORT),
    )
    middle = alt.X("speedup:Q", scale=span)
    rows = alt.Scale(domain=[-0.6, len(data) - 0.4], reverse=True, nice=False)
    y = alt.Y("row:Q", axis=None, scale=rows)
    looks = drawing.encodings(results, paint)
    opacity = alt.condition("datum.quiet", alt.value(QUIET), alt.value(1.0))
    tooltip = [
        alt.Tooltip("label:N", title="rule"),
        alt.Tooltip("speedup:Q", title="speed-up", format=".3g"),
        alt.Tooltip("finding:N"),
    ]
    base = alt.Chart(drawing.rounded(data)).encode(y=y, opacity=opacity)
    known = base.transform_filter("isValid(datum.speedup)")
    equal = alt.Chart(pd.DataFrame([{"low": math.exp(-MARGIN), "high": math.exp(MARGIN)}]))
    one = alt.Chart(pd.DataFrame([{"low": 1.0}]))
    layers = [
        equal.mark_rect(color=paint.muted, opacity=0.12).encode(x=x, x2=alt.X2("high")),
        one.mark_rule(color=paint.muted, strokeDash=[1, 3]).encode(x=x),
        known.mark_rule(strokeWidth=3).encode(x=x, x2=alt.X2("high"), color=looks["color"]),
        known.mark_point(filled=True, size=90).encode(
            x=middle, color=looks["color"], shape=looks["shape"], tooltip=tooltip
        ),
        base.mark_text(align="left", dy=-14, color=paint.ink, limit=LIMIT).encode(
            x=alt.XValue(2), text=alt.Text("note:N")
        ),
    ]
    heading = drawing.heading(
        "Speed-ups with their intervals",
        f"{results.plan.choices.task}: all intervals hold together in 95 % of races; right of 1 is "
        "faster; within the grey band, as fast",
    )
    return drawing.dressed(
        layers, paint, width=drawing.WIDTH, height=ROW * len(data), title=heading
    )
