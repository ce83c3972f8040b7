"""The training loss of every step, a panel a rule: what happens between two evaluations."""

from typing import TYPE_CHECKING, Any

from ravine.analysis import title
from ravine.reporting import style
from ravine.reporting.charts import drawing
from ravine.reporting.charts.sensitivity import PANEL, PANEL_HEIGHT
from ravine.reporting.results import Results
from ravine.reporting.sampling import m4

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = 190  # one a pixel of a panel


def envelopes(results: Results) -> "pd.DataFrame":
    """Least, median and most of the evaluation runs' training losses: rule, part, and lists.

    ``part`` is "low", "median" or "high"; ``at`` lists steps, ``loss`` losses of the runs that are
    finite there, by ``sampling.m4``: no spike is lost.
    """
    import numpy as np
    import pandas as pd

    rows = []
    for standing in results.verdict.standings:
        runs = [
            c.losses.astype(np.float64)
            for c in results.curves
            if c.run.stage == "evaluation" and c.run.rule == standing.rule and not c.failure
        ]
        if not runs:
            continue
        losses = np.stack(runs)
        losses[~np.isfinite(losses)] = np.nan
        alive = ~np.isnan(losses).all(axis=0)
        for part, take in (("low", np.nanmin), ("median", np.nanmedian), ("high", np.nanmax)):
            series = np.full(losses.shape[1], np.nan)
            series[alive] = take(losses[:, alive], axis=0)
            kept = m4(series, COLUMNS)
            values = [float(f"{value:.4g}") for value in series[kept]]
            rows.append(
                {"rule": standing.rule, "part": part, "at": (kept + 1).tolist(), "loss": values}
            )
    return pd.DataFrame(rows)


def training(results: Results, paint: style.Paint = style.LIGHT, scale: str = "log") -> Any:
    """The training loss of the batch at each step: least, median and most of the
    evaluation runs.
    """
    import altair as alt

    data = envelopes(results)
    losses = [loss for values in data["loss"] for loss in values]
    start = max((values[0] for values in data["loss"] if values), default=1.0)
    axis = style.axis([loss for loss in losses if loss <= 100 * abs(start)] or losses, kind=scale)
    looks = style.looks(results.plan.choices.rules, paint)
    panels = []
    for standing in results.verdict.standings:
        own = data[data["rule"] == standing.rule]
        x = alt.X(
            "at:Q",
            title=None,
            scale=alt.Scale(domain=[0, results.plan.steps], nice=False),
            axis=alt.Axis(grid=False, tickCount=3),
        )
        y = drawing.value_axis("loss", axis, None)
        layers = []
        for part, width, opacity in (("low", 0.8, 0.55), ("high", 0.8, 0.55), ("median", 1.4, 1)):
            layers.append(
                alt.Chart(own[own["part"] == part][["at", "loss"]])
                .transform_flatten(["at", "loss"])
                .mark_line(
                    color=looks[standing.rule].colour,
                    strokeWidth=width,
                    opacity=opacity,
                    clip=True,
                )
                .encode(x=x, y=y)
            )
        name = alt.TitleParams(title(standing.rule), limit=PANEL, fontSize=14, offset=6)
        panels.append(alt.layer(*layers, width=PANEL, height=PANEL_HEIGHT, title=name))
    heading = drawing.heading(
        "Training loss of every step, each rule at its chosen learning rate",
        f"{results.plan.choices.task}: of the step's batch; median of {results.judged_on}, and "
        "the least and the most of them, thin; every spike is kept",
    )
    chart = alt.concat(*panels, columns=4, title=heading, spacing=18)
    return chart.configure(**style.configuration(paint))
