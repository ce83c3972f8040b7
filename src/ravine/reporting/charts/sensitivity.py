"""How much the learning rate matters: a panel a rule, a dot a tuning run."""

import math
from typing import TYPE_CHECKING, Any

from ravine.analysis import VALIDATION, diverged_at, final, title
from ravine.reporting import style
from ravine.reporting.charts import drawing
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import pandas as pd

PANEL, PANEL_HEIGHT = 190, 160
CROWD = 24  # runs at a learning rate, of which more are drawn as a group
RAIL = 18  # pixels from the top of a panel to the rail of diverged runs; their number is above it


def tuning_ends(results: Results) -> "pd.DataFrame":
    """How each tuning run ended: rule, learning_rate, configuration (as text), seed, loss.


    The loss is infinite where it diverged. And whether it was ``stopped`` early, the loss being
    what it had then.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "rule": c.run.rule,
                "learning_rate": c.run.learning_rate,
                "configuration": str(c.run.configuration),
                "seed": c.run.seed,
                "loss": final(c, VALIDATION) if diverged_at(c, VALIDATION) is None else math.inf,
                "stopped": c.stopped,
            }
            for c in results.curves
            if c.run.stage == "tuning"
        ]
    )


def sensitivity(results: Results, paint: style.Paint = style.LIGHT) -> Any:
    """The final validation loss over the learning rate: a panel a rule, a dot a tuning run."""
    import altair as alt

    data = tuning_ends(results)
    scale = style.axis(list(data["loss"]), free=(RAIL + 12) / PANEL_HEIGHT)
    drawn = style.looks(results.plan.choices.rules, paint)
    panels = [
        _panel(data[data["rule"] == s.rule], s.rule, s.learning_rate, drawn[s.rule], scale, paint)
        for s in results.verdict.standings
    ]
    heading = alt.TitleParams(
        "Final validation loss over the learning rate",
        subtitle=f"{results.plan.choices.task}: {_said(data)}, a line through the medians; "
        "ring: the chosen rate; ×: that many diverged"
        + ("; dash: stopped early" if data["stopped"].any() else ""),
    )
    chart = alt.concat(*panels, columns=4, title=heading, spacing=18)
    return chart.configure(**style.configuration(paint))


def crowded(data: "pd.DataFrame") -> bool:
    """Whether there are so many runs that groups are shown instead."""
    return int(data.groupby(["rule", "learning_rate"]).size().max()) > CROWD


def groups(data: "pd.DataFrame") -> "pd.DataFrame":
    """Of the finite runs at each rate: rule, learning_rate, least, low, high (quartiles), most."""
    import numpy as np

    finite = data[data["loss"].map(math.isfinite) & ~data["stopped"]]
    losses = finite.groupby(["rule", "learning_rate"], sort=False)["loss"]
    found = losses.quantile(np.linspace(0, 1, 5)).unstack()
    return found.set_axis(["least", "low", "median", "high", "most"], axis=1).reset_index()


def _said(data: "pd.DataFrame") -> str:
    return (
        "quartiles of the tuning runs, thin to the last of them"
        if crowded(data)
        else ("a dot a tuning run")
    )


def _spans(rows: "pd.DataFrame", x: Any, scale: style.Axis, colour: str) -> list[Any]:
    """A thin line from the least to the most, a thick one between quartiles."""
    import altair as alt

    base = alt.Chart(drawing.rounded(groups(rows))).encode(x=x)
    ends = [("least", "most", 1), ("low", "high", 6)]
    return [
        base.mark_rule(color=colour, strokeWidth=width, opacity=0.7).encode(
            y=drawing.value_axis(low, scale, None), y2=alt.Y2(high)
        )
        for low, high, width in ends
    ]


def _panel(
    rows: "pd.DataFrame",
    rule: str,
    chosen: float,
    look: style.Look,
    scale: style.Axis,
    paint: style.Paint,
) -> Any:
    import altair as alt
    import pandas as pd

    lost, stopped = rows["loss"].map(math.isinf), rows["stopped"]
    medians = rows[~stopped].groupby("learning_rate")["loss"].median().reset_index()
    domain = [rows["learning_rate"].min() / 1.6, rows["learning_rate"].max() * 1.6]
    x = alt.X(
        "learning_rate:Q",
        title=None,
        scale=alt.Scale(type="log", domain=domain, nice=False),
        axis=alt.Axis(
            values=style.ticks(domain[0], domain[1]), labelExpr=drawing.SHORT, grid=False
        ),
    )
    y = drawing.value_axis("loss", scale, None)
    tooltip = [alt.Tooltip("learning_rate:Q"), alt.Tooltip("seed:N")]
    colour = look.colour
    line = (
        alt.Chart(drawing.rounded(medians))
        .mark_line(color=colour, strokeDash=list(look.dash), strokeWidth=2)
        .encode(x=x, y=y)
    )
    # Hollow, so that three dots at one place are still seen to be there.
    dots = (
        alt.Chart(drawing.rounded(rows[~lost & ~stopped]))
        .mark_point(stroke=colour, size=26, strokeWidth=1.2, opacity=0.9)
        .encode(x=x, y=y, tooltip=[*tooltip, alt.Tooltip("loss:Q", format=".4g")])
    )
    dashes = (
        alt.Chart(drawing.rounded(rows[~lost & stopped]))
        .mark_point(shape="stroke", stroke=colour, size=50, strokeWidth=1.4, opacity=0.6)
        .encode(
            x=x, y=y, tooltip=[*tooltip, alt.Tooltip("loss:Q", format=".4g", title="stopped at")]
        )
    )
    ring = (
        alt.Chart(drawing.rounded(medians[medians["learning_rate"] == chosen]))
        .mark_point(stroke=paint.ink, size=190, strokeWidth=1.5, opacity=1)
        .encode(x=x, y=y)
    )
    rail = (
        alt.Chart(pd.DataFrame({"unused": [0]}))
        .mark_rule(color=paint.muted, strokeDash=[1, 3], strokeWidth=1)
        .encode(x=alt.XValue(0), x2=alt.X2Value("width"), y=alt.YValue(RAIL))
    )
    ends = rows.assign(lost=lost).groupby("learning_rate")["lost"].agg(["sum", "size"])
    ends = ends[ends["sum"] > 0].reset_index()
    ends["said"] = [f"{n} of {of}" for n, of in zip(ends["sum"], ends["size"], strict=True)]
    diverged = alt.Chart(ends[["learning_rate", "sum", "said"]]).encode(
        x=x, tooltip=[tooltip[0], alt.Tooltip("said:N", title="diverged")]
    )
    crosses = diverged.mark_point(
        shape=drawing.CROSS, stroke=colour, size=36, strokeWidth=1.8, opacity=1
    ).encode(y=alt.YValue(RAIL))
    counts = diverged.mark_text(color=paint.ink, fontSize=11, baseline="bottom").encode(
        y=alt.YValue(RAIL - 5), text=alt.Text("sum:Q")
    )
    heading = alt.TitleParams(
        title(rule), subtitle=f"chosen: {chosen:.3g}", limit=PANEL, fontSize=14, offset=6
    )
    each = _spans(rows, x, scale, colour) if crowded(rows) else [dashes, dots]
    layers = (rail, line, *each, ring, crosses, counts)
    return alt.layer(*layers, width=PANEL, height=PANEL_HEIGHT, title=heading)
