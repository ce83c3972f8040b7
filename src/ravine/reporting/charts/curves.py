"""How the test loss fell, each rule at its chosen learning rate."""

import json
import math
from typing import TYPE_CHECKING, Any

from ravine.analysis import TEST, title
from ravine.reporting import style
from ravine.reporting.charts import drawing
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import pandas as pd


def bands(results: Results) -> "pd.DataFrame":
    """The test loss on the evaluation seeds: rule, step, median, quartiles (low, high), best first.

    Infinite where that many runs are no longer finite. Quartiles are values that occurred.
    """
    import numpy as np
    import pandas as pd

    parts = []
    for standing in results.verdict.standings:
        runs = [
            c.measures[:, TEST, 0].astype(np.float64)
            for c in results.curves
            if c.run.stage == "evaluation" and c.run.rule == standing.rule
        ]
        losses = np.stack(runs)
        losses[~np.isfinite(losses)] = np.inf
        low, high = np.quantile(losses, (0.25, 0.75), axis=0, method="inverted_cdf")
        steps = np.arange(losses.shape[1]) * results.plan.period
        middle = np.median(losses, axis=0)
        parts.append(
            pd.DataFrame(
                {"rule": standing.rule, "step": steps, "median": middle, "low": low, "high": high}
            )
        )
    return pd.concat(parts, ignore_index=True)


def curves(
    results: Results, paint: style.Paint = style.LIGHT, by: str = "steps", scale: str = "log"
) -> Any:
    """The test loss by time, one line a rule at its chosen learning rate, and the target."""
    import altair as alt

    data, target = bands(results), results.verdict.target
    order = [s.rule for s in results.verdict.standings]
    pace = drawing.paces(results, by)
    data["at"] = data["step"] * data["rule"].map(pace)
    shown = math.isfinite(target) and results.verdict.metric == "test loss"
    # A run that leaves for the sky must not flatten the others: 100 times the start is far enough.
    ceiling = 100 * max(data.loc[data["step"] == 0, "median"].map(abs))
    seen = [*data["median"], *data["low"], *data["high"], *([target] if shown else [])]
    axis = style.axis((value for value in seen if value <= ceiling), kind=scale)
    height = drawing.height_for(len(order))

    ended = {rule: _ended(data[data["rule"] == rule]) for rule in order}
    lines = data[data["step"] < data["rule"].map(ended)].copy()
    lines["high"] = lines["high"].clip(upper=axis.high)
    longest = results.plan.steps * max(pace.values())
    x = drawing.clock_axis(results, by, longest)
    looks = drawing.encodings(results, paint)
    ends = lines.groupby("rule", sort=False).last().reset_index().rename(columns={"median": "end"})
    lost = ends["rule"].map(lambda rule: math.isfinite(ended[rule]))
    ends["note"] = [" × not finite" if gone else "" for gone in lost]
    base = alt.Chart(drawing.rounded(lines)).encode(x=x, color=looks["color"])
    y = drawing.value_axis("median", axis, "test loss")
    # A clipped mark takes a picture of its own in a PNG, and ten times as long.
    beyond = bool((lines[["median", "low"]] > axis.high).to_numpy().any())
    layers = [
        base.mark_area(fillOpacity=0.1, clip=beyond).encode(
            y=drawing.value_axis("low", axis, "test loss"), y2=alt.Y2("high")
        ),
        base.mark_line(clip=beyond).encode(
            y=y, strokeDash=looks["strokeDash"], strokeWidth=_wider(results)
        ),
        *drawing.end_labels(
            ends[["rule", "at", "end", "note"]], x, axis, height, looks, paint, longest
        ),
        *(drawing.level(target, f"target {target:.3g}", axis, paint) if shown else []),
        *([_cursor(data, order, results.plan.period, paint)] if by != "seconds" else []),
    ]
    heading = drawing.heading(
        f"Test loss by {drawing.CLOCKS[by]}, each rule at its chosen learning rate",
        f"{results.plan.choices.task}: median and quartiles of {results.judged_on}, the same "
        "for every rule as far as they go",
    )
    return drawing.dressed(layers, paint, width=drawing.WIDTH, height=height, title=heading)


def _wider(results: Results) -> Any:
    """The first rule's line is the most visible."""
    import altair as alt

    if results.verdict.refused:
        return alt.StrokeWidthValue(2)
    first = json.dumps(results.verdict.leader.rule)
    return alt.condition(f"datum.rule === {first}", alt.value(4), alt.value(1.6))


def _cursor(data: "pd.DataFrame", order: list[str], period: int, paint: style.Paint) -> Any:
    """Strips that follow the pointer and read every rule out at that step.

    The numbers are text and the columns numbered: Vega would show a missing number as 0, and read
    a dot or bracket in a rule's spelling as a path into the data. Strips, because Vega-Lite 6.4
    loses the text of a tooltip on the nearest mark.
    """
    import altair as alt

    triples = zip(data["median"], data["low"], data["high"], strict=True)
    read = data.assign(
        said=[f"{median:.4g} [{low:.4g}, {high:.4g}]" for median, low, high in triples],
        column=data["rule"].map({rule: f"r{i}" for i, rule in enumerate(order)}),
    )
    wide = read.pivot_table(index="step", columns="column", values="said", aggfunc="first")
    wide = wide.reset_index()
    wide["left"] = (wide["step"] - period / 2).clip(lower=0)
    wide["right"] = (wide["step"] + period / 2).clip(upper=wide["step"].max())
    here = alt.selection_point(
        name="here", on="pointerover", clear="pointerout", fields=["step"], empty=False
    )
    tooltip = [alt.Tooltip("step:Q", format="d")]
    tooltip += [alt.Tooltip(f"r{i}:N", title=title(rule)) for i, rule in enumerate(order)]
    return (
        alt.Chart(wide)
        .mark_rect(color=paint.muted)
        .encode(
            x=alt.X("left:Q"),
            x2=alt.X2("right"),
            y=alt.YValue(0),
            y2=alt.Y2Value("height"),
            fillOpacity=alt.condition(here, alt.value(0.25), alt.value(0)),
            tooltip=tooltip,
        )
        .add_params(here)
    )


def _ended(rows: "pd.DataFrame") -> float:
    """The first step at which half the runs are no longer finite, or infinity."""
    lost = rows.loc[rows["median"].map(math.isinf), "step"]
    return float(lost.iloc[0]) if len(lost) else math.inf
