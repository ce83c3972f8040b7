"""The same runs twice, side by side: in the race's engine, and by ``fit`` in a framework."""

import math
from typing import TYPE_CHECKING, Any

from ravine.pages import style
from ravine.pages.charts import drawing
from ravine.pages.results import Results
from ravine.pages.sampling import m4
from ravine.verdict.confirming import Confirmed

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
    shown = goal.measure == 0 and math.isfinite(goal.value)
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
        layers = [lines, *_labels(own, x, axis, looks, paint, longest)]
        if shown:
            layers += drawing.level(goal.value, f"target {goal.value:.3g}", axis, paint)
        name = alt.TitleParams(words, limit=PANEL, fontSize=14, offset=6)
        panels.append(alt.layer(*layers, width=PANEL, height=PANEL_HEIGHT, title=name))
    return panels


def _labels(
    own: "pd.DataFrame",
    x: Any,
    axis: style.Axis,
    looks: Any,
    paint: style.Paint,
    longest: float,
) -> list[Any]:
    """The rules' names, where the middle one of their lines ends."""
    import pandas as pd

    ends = []
    for rule, runs in own.groupby("rule", sort=False):
        last = sorted(
            (loss[-1], at[-1])
            for at, loss in zip(*(runs[name] for name in ("at", "loss")), strict=True)
            if loss
        )
        if last:
            end, at = last[len(last) // 2]
            ends.append({"rule": rule, "at": at, "end": end, "note": ""})
    if not ends:
        return []
    return drawing.end_labels(pd.DataFrame(ends), x, axis, PANEL_HEIGHT, looks, paint, longest)
