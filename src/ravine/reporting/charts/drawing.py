"""What charts have in common: axes, dress, and labels beside the ends of lines.

What an encoding is given is an object of its channel everywhere, not text or ``alt.value``: for
each of those Altair goes through all of its schema once more, which took a third of drawing.
"""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ravine.analysis import title
from ravine.reporting import style
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

WIDTH, HEIGHT = 640, 400
LABEL_GAP = 16  # pixels between the baselines of two labels
LABEL_START = 26  # pixels from the plot to its labels; a line leads there
LABEL_LIMIT = 170
CROSS = "M-1,-1L1,1M-1,1L1,-1"
SHORT = "datum.value < 0.001 ? format(datum.value, '.0e') : format(datum.value, '~g')"
CLOCKS = {"steps": "step", "gradients": "gradient evaluations", "seconds": "seconds of training"}


def encodings(results: Results, paint: style.Paint) -> dict[str, Any]:
    """A rule's colour, dash and mark, as Altair takes them."""
    import altair as alt

    order = [s.rule for s in results.verdict.standings]
    looks = style.looks(results.plan.choices.rules, paint)

    def scale(part: int) -> Any:
        return alt.Scale(domain=order, range=[looks[rule][part] for rule in order])

    return {
        "color": alt.Color("rule:N", scale=scale(0), legend=None),
        "strokeDash": alt.StrokeDash("rule:N", scale=scale(1), legend=None),
        "shape": alt.Shape("rule:N", scale=scale(2), legend=None),
    }


def paces(results: Results, by: str) -> dict[str, float]:
    """What a step of each rule counts on a clock. NaN where nobody timed it."""
    if by != "seconds":
        return {s.rule: 1.0 for s in results.verdict.standings}
    return {s.rule: s.step_seconds or math.nan for s in results.verdict.standings}


def timed(results: Results) -> bool:
    """Whether the steps of every rule were timed."""
    return all(s.step_seconds for s in results.verdict.standings)


def clock_axis(results: Results, by: str, longest: float) -> "alt.X":
    """Time from left to right, on one of the ``CLOCKS``."""
    import altair as alt

    return alt.X(
        "at:Q",
        title=CLOCKS[by],
        scale=alt.Scale(domain=[0, float(f"{longest:.5g}")], nice=False),
        axis=alt.Axis(grid=False, tickCount=8),
    )


def value_axis(field: str, scale: style.Axis, heading: str | None) -> "alt.Y":
    """A vertical axis over what ``scale`` spans."""
    import altair as alt

    stretch = alt.Scale(type=scale.kind, domain=[scale.low, scale.high], nice=False)
    if scale.kind == "linear":
        return alt.Y(f"{field}:Q", title=heading, scale=stretch)
    ticks = alt.Axis(values=style.ticks(scale.low, scale.most * 1.05), labelExpr=SHORT)
    return alt.Y(f"{field}:Q", title=heading, scale=stretch, axis=ticks)


def height_for(lines: int) -> int:
    """As high as their labels need."""
    return max(HEIGHT, LABEL_GAP * (lines + 2))


def end_labels(
    ends: "pd.DataFrame",
    x: "alt.X",
    scale: style.Axis,
    height: float,
    looks: Mapping[str, Any],
    paint: style.Paint,
    edge: float,
) -> list["alt.Chart"]:
    """The name of each line to the right of the plot, with a lead there from the line's end.

    ``ends``: rule, where its line ends (``at`` and ``end``) and ``note``, what its label adds.
    ``edge``: what is at the right end of the axis.
    """
    import altair as alt

    ends = ends.copy()
    at = [height * scale.height(min(end, scale.high)) for end in ends["end"]]
    placed = style.spread_out(at, LABEL_GAP, 4, height - 4)
    ends["label_at"] = [scale.value(y / height) for y in placed]
    ends["label"] = [title(r) + n for r, n in zip(ends["rule"], ends["note"], strict=True)]
    ends["early"] = [not math.isclose(end, edge, rel_tol=1e-3) for end in ends["at"]]
    ends["from"] = ends["label_at"].where(ends["early"], ends["end"])
    base = alt.Chart(rounded(ends)).encode(color=looks["color"])
    right = alt.XValue(alt.expr("width"))
    lead = base.mark_rule(strokeWidth=2).encode(
        x=right,
        x2=alt.X2Value(alt.expr(f"width + {LABEL_START - 8}")),
        y=value_axis("from", scale, None),
        y2=alt.Y2("label_at"),
        strokeDash=looks["strokeDash"],
    )
    way = base.transform_filter("datum.early").mark_rule(strokeWidth=1, opacity=0.45)
    label = base.mark_text(align="left", dx=LABEL_START, limit=LABEL_LIMIT).encode(
        x=right,
        y=value_axis("label_at", scale, None),
        text=alt.Text("label:N"),
        color=alt.ColorValue(paint.ink),
    )
    mark = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=x, y=value_axis("end", scale, None), shape=looks["shape"]
    )
    way = way.encode(
        x=x,
        x2=alt.X2Value(alt.expr("width")),
        y=value_axis("end", scale, None),
        y2=alt.Y2("label_at"),
    )
    return [way, lead, label, mark] if ends["early"].any() else [lead, label, mark]


def level(value: float, words: str, scale: style.Axis, paint: style.Paint) -> list["alt.Chart"]:
    """A horizontal line with its name on it."""
    import altair as alt
    import pandas as pd

    base = alt.Chart(pd.DataFrame({"level": [value]})).encode(y=value_axis("level", scale, None))
    halo = base.mark_text(align="left", dy=-7, stroke=paint.surface, strokeWidth=4)
    text = base.mark_text(align="left", dy=-7, color=paint.ink)
    said = {"x": alt.XValue(5), "text": alt.TextValue(words)}
    line = base.mark_rule(color=paint.ink, strokeWidth=1)
    return [line, halo.encode(**said), text.encode(**said)]


def rounded(data: "pd.DataFrame") -> "pd.DataFrame":
    """Five digits are finer than a pixel; what is infinite is missing, so that lines break."""
    found = data.copy()
    for name in data.select_dtypes("float").columns:
        found[name] = [float(f"{v:.5g}") if math.isfinite(v) else math.nan for v in data[name]]
    return found


def heading(words: str, *more: str) -> "alt.TitleParams":
    """A chart's title and what stands below it."""
    import altair as alt

    return alt.TitleParams(words, subtitle="; ".join(part for part in more if part))


def dressed(layers: Iterable[Any], paint: style.Paint, **size: Any) -> Any:
    """Layers as one chart in our dress."""
    import altair as alt

    return alt.layer(*layers, **size).configure(**style.configuration(paint))
