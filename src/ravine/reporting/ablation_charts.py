"""The pictures of a race of levers: what each does to each rule, and gradients by layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from ravine.analysis import title
from ravine.analysis.ablation import Compared, Effect
from ravine.analysis.ablation_text import said_values
from ravine.reporting import style
from ravine.reporting.charts import drawing

ALL, ROW = 880, 30  # pixels: of the panels side by side, of a rule
WIDTH, HEIGHT = 560, 340


def effects(found: Compared, paint: style.Paint = style.LIGHT) -> Any:
    """How many times the steps a value takes: a panel a value, a row a rule.

    The mark with its interval is over all other levers; the small rings are single combinations.
    """
    import altair as alt

    looks = style.looks(found.rules, paint)
    order = [title(rule) for rule in found.rules]
    names = list(found.rules)
    colour = alt.Color(
        "rule:N",
        legend=None,
        scale=alt.Scale(domain=names, range=[looks[r].colour for r in names]),
    )
    shape = alt.Shape(
        "rule:N", legend=None, scale=alt.Scale(domain=names, range=[looks[r].mark for r in names])
    )
    all_ = [*found.effects, *found.within]
    ends = [1 / v for e in all_ for v in (e.speedup.low, e.speedup.high)]
    low, high = min([*ends, 0.9]) / 1.1, max([*ends, 1.1]) * 1.1
    x = alt.X(
        "ratio:Q",
        title=f"times the {found.clock}",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=style.ticks(low, high), format="~g", grid=True),
    )
    y = alt.Y("name:N", title=None, sort=order, axis=alt.Axis(ticks=False))
    panels: list[Any] = []
    wanted = list(dict.fromkeys((e.lever, e.value) for e in found.effects))
    columns = min(3, len(wanted))
    panel = ALL // max(2, columns) - 100
    for lever, value in wanted:
        own = [e for e in found.effects if (e.lever, e.value) == (lever, value)]
        single = [e for e in found.within if (e.lever, e.value) == (lever, value)]
        base = alt.Chart(_frame(own))
        one = alt.Chart(_frame(own[:1], ratio=1.0)).mark_rule(color=paint.muted)
        layers = [one.encode(x=x)]
        if single:
            rings = alt.Chart(_frame(single)).mark_point(size=26, strokeWidth=1.2, opacity=0.8)
            layers.append(rings.encode(x=x, y=y, color=colour, tooltip="within:N"))
        layers += [
            base.mark_rule(strokeWidth=2.5).encode(
                x=alt.X("low:Q"), x2=alt.X2("high"), y=y, color=colour
            ),
            base.mark_point(filled=True, size=80, opacity=1).encode(
                x=x, y=y, color=colour, shape=shape
            ),
        ]
        heading = alt.TitleParams(
            f"{lever}: {value}",
            subtitle=f"instead of {own[0].base}",
            fontSize=14,
            subtitleFontSize=12,
            limit=panel,
            offset=6,
        )
        panels.append(alt.layer(*layers, width=panel, height=ROW * len(order), title=heading))
    title_ = drawing.heading(
        "What each lever does",
        f"times the {found.clock} of its first value: left of the line is faster",
        "rings: under single combinations of the others",
    )
    return alt.concat(*panels, columns=columns, spacing=28, title=title_).configure(
        **style.configuration(paint)
    )


def _frame(effects: Sequence[Effect], **more: Any) -> Any:
    import pandas as pd

    rows = [
        {
            "rule": e.rule,
            "name": title(e.rule),
            "within": said_values(e.within),
            "ratio": 1 / e.speedup.median,
            "low": 1 / e.speedup.high,
            "high": 1 / e.speedup.low,
            **more,
        }
        for e in effects
    ]
    return drawing.rounded(pd.DataFrame(rows))


def gradients(
    models: Mapping[str, Sequence[tuple[str, float]]], paint: style.Paint = style.LIGHT
) -> Any:
    """The gradient by layer before step one: a line a model, from the first layer to the last."""
    import altair as alt
    import pandas as pd

    rows = [
        {"model": model, "layer": i, "size": size}
        for model, slopes in models.items()
        for i, (_, size) in enumerate(slopes, 1)
        if size > 0  # of what has no logarithm there is no point
    ]
    data = drawing.rounded(pd.DataFrame(rows))
    names = list(models)
    scale = style.axis(data["size"])
    colours = [paint.rules[i % len(paint.rules)] for i in range(len(names))]
    dashes = [style.DASHES[i % len(style.DASHES)] for i in range(len(names))]
    colour = alt.Color("model:N", legend=None, scale=alt.Scale(domain=names, range=colours))
    dash = alt.StrokeDash("model:N", legend=None, scale=alt.Scale(domain=names, range=dashes))
    most = int(data["layer"].max())
    height = max(HEIGHT, drawing.LABEL_GAP * (len(names) + 2))
    x = alt.X(
        "layer:Q",
        title="layer, from the input to the output",
        scale=alt.Scale(domain=[1, max(most, 2)], nice=False),
        axis=alt.Axis(grid=False, values=list(range(1, most + 1)), format="d"),
    )
    y = drawing.value_axis("size", scale, "gradient, root mean square")
    lines = alt.Chart(data).encode(x=x, y=y, color=colour)
    last = data.groupby("model", sort=False).last().reset_index()
    at = [height * scale.height(size) for size in last["size"]]
    placed = style.spread_out(at, drawing.LABEL_GAP, 4, height - 4)
    last["label_at"] = [scale.value(p / height) for p in placed]
    base = alt.Chart(drawing.rounded(last))
    lead = base.mark_rule(strokeWidth=2).encode(
        x=alt.XValue("width"),
        x2=alt.X2Value(alt.expr(f"width + {drawing.LABEL_START - 4}")),
        y=drawing.value_axis("size", scale, None),
        y2=alt.Y2("label_at:Q"),
        color=colour,
        strokeDash=dash,
    )
    label = base.mark_text(align="left", dx=drawing.LABEL_START, limit=240, color=paint.ink).encode(
        x=alt.XValue("width"),
        y=drawing.value_axis("label_at", scale, None),
        text=alt.Text("model:N"),
    )
    heading = drawing.heading(
        "Gradient by layer, before step one", "root mean square over the layer's weights"
    )
    return drawing.dressed(
        [
            lines.mark_line(strokeWidth=2).encode(strokeDash=dash),
            lines.mark_point(filled=True, size=30, opacity=1),
            lead,
            label,
        ],
        paint,
        width=WIDTH,
        height=height,
        title=heading,
        # Whoever reads the picture may have wider letters than whoever drew it.
        padding={"left": 12, "top": 12, "bottom": 12, "right": 60},
    )
