"""The picture: two panels, both axes logarithmic, so that what is linear rises by one a decade."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import altair as alt
import pandas as pd

from ravine.reporting import style

WIDTH, HEIGHT, LABEL_GAP = 320, 300, 18
PAINT = style.LIGHT
Points = Sequence[tuple[float, Sequence[float]]]  # size, the repeats


def picture(runs: Mapping[str, Points], parameters: Mapping[str, Points], said: str) -> Any:
    """Lines by their labels. A dotted one has the slope of what is linear, through the last end."""
    left = _panel(runs, "By runs of digits-mlp", "runs", "seconds", ",d")
    right = _panel(
        parameters,
        "By parameters of a dense network",
        "parameters",
        "milliseconds a step, one core",
        "~s",
    )
    heading = alt.TitleParams("What a race costs", subtitle=said)
    both = alt.hconcat(left, right, title=heading, spacing=28)
    return both.configure(**style.configuration(PAINT))


def _panel(
    lines: Mapping[str, Points], heading: str, x_title: str, y_title: str, shape: str
) -> Any:
    sizes = [size for points in lines.values() for size, _ in points]
    values = [v for points in lines.values() for _, repeats in points for v in repeats]
    x_domain = [min(sizes) / 1.4, max(sizes) * 1.4]
    y_domain = [min(values) / 2, max(values) * 2]
    x = alt.X(
        "size:Q",
        title=x_title,
        scale=alt.Scale(type="log", domain=x_domain, nice=False),
        axis=alt.Axis(values=_decades(*x_domain), format=shape, grid=False),
    )

    def y(field: str) -> Any:
        scale = alt.Scale(type="log", domain=y_domain, nice=False)
        axis = alt.Axis(values=_decades(*y_domain), format="~g")
        return alt.Y(f"{field}:Q", title=y_title, scale=scale, axis=axis)

    def height(value: float) -> float:
        return HEIGHT * math.log(value / y_domain[0]) / math.log(y_domain[1] / y_domain[0])

    layers = []
    ends = [height(median(points[-1][1])) for points in lines.values()]
    places = style.spread_out(ends, LABEL_GAP, 8, HEIGHT - 8)
    marks = zip(lines.items(), PAINT.rules, places, strict=False)
    for (label, points), colour, place in marks:
        rows = pd.DataFrame(
            [(s, median(r), min(r), max(r)) for s, r in points],
            columns=["size", "middle", "low", "high"],
        )
        base = alt.Chart(rows).encode(x=x)
        layers += [
            base.mark_rule(color=colour, strokeWidth=2).encode(y=y("low"), y2="high"),
            base.mark_line(color=colour, strokeWidth=2).encode(y=y("middle")),
            base.mark_point(color=colour, fill=colour, size=36, opacity=1).encode(y=y("middle")),
            alt.Chart(rows.iloc[:1])
            .mark_text(align="left", color=PAINT.ink, text=label, dx=2)
            .encode(x=alt.value("width"), y=alt.value(HEIGHT - place)),
        ]
    guide = _linear(rows, x_domain, y_domain, x, y)
    small = alt.TitleParams(heading, fontSize=14, offset=6)
    return alt.layer(guide, *layers, width=WIDTH, height=HEIGHT, title=small)


def _linear(rows: pd.DataFrame, x_domain: Any, y_domain: Any, x: Any, y: Any) -> Any:
    """Where it would be if the cost per item were what it is at the largest size."""
    last = rows.iloc[-1]
    least = max(x_domain[0], last["size"] * y_domain[0] / last["middle"])
    ends = [(s, last["middle"] * s / last["size"]) for s in (least, last["size"])]
    guide = alt.Chart(pd.DataFrame(ends, columns=["size", "middle"]))
    return guide.mark_line(color=PAINT.muted, strokeDash=[2, 3], strokeWidth=1).encode(
        x=x, y=y("middle")
    )


def _decades(low: float, high: float) -> list[float]:
    return [10.0**e for e in range(-9, 12) if low <= 10.0**e <= high]
