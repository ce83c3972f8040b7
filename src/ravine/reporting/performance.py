"""The picture of a suite: performance profiles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ravine.analysis import PerformanceProfile, title
from ravine.reporting import charts, style
from ravine.reporting.charts import drawing

WIDTH, HEIGHT = 640, 360


def chart(
    performance: PerformanceProfile, rules: Sequence[str], paint: style.Paint = style.LIGHT
) -> Any:
    """The share of tasks within τ of the fastest, a step line a rule, best first."""
    import altair as alt

    profile = performance.profile.loc[list(rules)]
    data = profile.reset_index(names="rule").melt("rule", var_name="tau", value_name="share")
    data["tau"] = data["tau"].astype(float)
    most = float(data["tau"].max())
    drawn = style.looks(rules, paint)
    colour, dash = (
        alt.Scale(domain=list(rules), range=[drawn[rule][part] for rule in rules])
        for part in (0, 1)
    )
    x = alt.X(
        "tau:Q",
        title="τ: times the steps of the fastest rule",
        scale=alt.Scale(domain=[1, most], nice=False),
        axis=alt.Axis(grid=False, tickCount=6),
    )
    share = alt.Scale(domain=[0, 1.03], nice=False)
    y = alt.Y(
        "share:Q",
        title="share of tasks",
        scale=share,
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
    )
    encoded = alt.Chart(data).encode(color=alt.Color("rule:N", scale=colour, legend=None))
    lines = encoded.mark_line(interpolate="step-after", strokeWidth=2, clip=True).encode(
        x=x, y=y, strokeDash=alt.StrokeDash("rule:N", scale=dash, legend=None)
    )
    ends = data[data["tau"] == most][::-1].copy()  # of equal ones the best above
    height = max(HEIGHT, drawing.LABEL_GAP * (len(rules) + 2))
    at = [height * value / 1.03 for value in ends["share"]]
    placed = style.spread_out(at, drawing.LABEL_GAP, 4, height - 4)
    ends["label_at"] = [1.03 * place / height for place in placed]
    ends["label"] = [f"{title(rule)} {performance.score[rule]:.2f}" for rule in ends["rule"]]
    base = alt.Chart(ends)
    lead = base.mark_rule(strokeWidth=2).encode(
        x=alt.XValue("width"),
        x2=alt.X2Value(alt.expr(f"width + {drawing.LABEL_START - 4}")),
        y=alt.Y("share:Q", scale=share),
        y2=alt.Y2("label_at:Q"),
        color=alt.Color("rule:N", scale=colour, legend=None),
        strokeDash=alt.StrokeDash("rule:N", scale=dash, legend=None),
    )
    label = base.mark_text(
        align="left", dx=drawing.LABEL_START, limit=drawing.LABEL_LIMIT, color=paint.ink
    ).encode(x=alt.XValue("width"), y=alt.Y("label_at:Q", scale=share), text=alt.Text("label:N"))
    heading = alt.TitleParams(
        "Performance profile",
        subtitle="share of tasks on which a rule takes at most τ times the fastest rule's steps; "
        "beside it the score",
    )
    layers = alt.layer(lines, lead, label, width=WIDTH, height=height, title=heading)
    return layers.configure(**style.configuration(paint))


def save(picture: Any, folder: Path) -> None:
    """Write ``performance.png`` and ``performance.svg``."""
    charts.save(picture, folder / "performance.png", folder / "performance.svg")
