"""What to expect of a rule after so many tries of its learning rate."""

from typing import TYPE_CHECKING, Any

from ravine.reporting import style
from ravine.reporting.charts import drawing
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import pandas as pd


def after(results: Results) -> "pd.DataFrame":
    """The expected best validation loss after so many tries: rule, tries, loss."""
    import pandas as pd

    rows = [
        {"rule": s.rule, "tries": k, "loss": loss}
        for s in results.verdict.standings
        for k, loss in enumerate(s.sensitivity.after, 1)
    ]
    return pd.DataFrame(rows)


def tries(results: Results, paint: style.Paint = style.LIGHT, scale: str = "log") -> Any:
    """A line a rule, over the number of tries."""
    import altair as alt

    data = after(results)
    axis = style.axis(data["loss"], kind=scale)
    most = int(data["tries"].max())
    height = drawing.height_for(len(results.verdict.standings))
    x = alt.X(
        "at:Q",
        title="tries",
        scale=alt.Scale(domain=[1, max(2, most)], nice=False),
        axis=alt.Axis(grid=False, tickMinStep=1, tickCount=min(most, 12), format="d"),
    )
    looks = drawing.encodings(results, paint)
    data["at"] = data["tries"].astype(float)
    base = alt.Chart(drawing.rounded(data)).encode(x=x, color=looks["color"])
    y = drawing.value_axis("loss", axis, "expected best validation loss")
    tooltip = [alt.Tooltip("rule:N"), alt.Tooltip("tries:Q"), alt.Tooltip("loss:Q", format=".4g")]
    ends = data.groupby("rule", sort=False).last().reset_index().rename(columns={"loss": "end"})
    ends["note"] = ""
    layers = [
        base.mark_line(strokeWidth=2).encode(y=y, strokeDash=looks["strokeDash"]),
        base.mark_point(size=80, opacity=0).encode(y=y, tooltip=tooltip),
        *drawing.end_labels(
            ends[["rule", "at", "end", "note"]], x, axis, height, looks, paint, float(most)
        ),
    ]
    heading = drawing.heading(
        "Best after so many tries",
        f"{results.plan.choices.task}: lowest validation loss to expect of so many "
        f"{'settings' if results.plan.choices.others else 'learning rates'}, tried in random "
        "order; from the tuning runs",
    )
    return drawing.dressed(layers, paint, width=drawing.WIDTH, height=height, title=heading)
