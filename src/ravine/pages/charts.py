"""The pictures of a race: how the loss fell, and how much the learning rate matters.

Statistics are taken in NumPy and a chart is handed what it draws: a few numbers an evaluation, not
every run.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ravine.errors import unknown
from ravine.pages import style
from ravine.pages.results import Results
from ravine.verdict import TEST, VALIDATION, diverged_at, final, title

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

WIDTH, HEIGHT = 640, 400
PANEL, PANEL_HEIGHT = 190, 160
LABEL_GAP = 16  # pixels between the baselines of two labels
LABEL_START = 26  # pixels from the plot to its labels; a line leads there
LABEL_LIMIT = 170
RAIL = 18  # pixels from the top of a panel to the rail of diverged runs; their number is above it
CROSS = "M-1,-1L1,1M-1,1L1,-1"
SHORT = "datum.value < 0.001 ? format(datum.value, '.0e') : format(datum.value, '~g')"


def bands(results: Results) -> "pd.DataFrame":
    """The test loss on the fresh seeds: rule, step, median, low and high (quartiles), best first.

    Infinite where that many runs are no longer finite. Quartiles are values that occurred.
    """
    import numpy as np
    import pandas as pd

    parts = []
    for standing in results.verdict.standings:
        runs = [
            c.measures[:, TEST, 0].astype(np.float64)
            for c in results.curves
            if c.run.stage == "fresh" and c.run.rule == standing.rule
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


def tuning_ends(results: Results) -> "pd.DataFrame":
    """How each tuning run ended: rule, learning_rate, seed, loss (infinite where it diverged).

    And whether it was ``stopped`` early, the loss being what it had then.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "rule": c.run.rule,
                "learning_rate": c.run.learning_rate,
                "seed": c.run.seed,
                "loss": final(c, VALIDATION) if diverged_at(c, VALIDATION) is None else math.inf,
                "stopped": c.stopped,
            }
            for c in results.curves
            if c.run.stage == "tuning"
        ]
    )


def curves(results: Results, paint: style.Paint = style.LIGHT) -> Any:
    """The test loss by step, one line a rule at its chosen learning rate, and the target."""
    import altair as alt

    data, target = bands(results), results.verdict.target
    order = [s.rule for s in results.verdict.standings]
    # A run that leaves for the sky must not flatten the others: 100 times the start is far enough.
    ceiling = 100 * max(data.loc[data["step"] == 0, "median"].map(abs))
    seen = [*data["median"], *data["low"], *data["high"], target]
    scale = style.axis(value for value in seen if value <= ceiling)
    height = max(HEIGHT, LABEL_GAP * (len(order) + 2))

    ended = {rule: _ended(data[data["rule"] == rule]) for rule in order}
    lines = data[data["step"] < data["rule"].map(ended)].copy()
    lines["high"] = lines["high"].clip(upper=scale.high)
    steps = alt.Scale(domain=[0, results.plan.steps], nice=False)
    x = alt.X("step:Q", title="step", scale=steps, axis=alt.Axis(grid=False, tickCount=8))
    drawn = style.looks(results.plan.choices.rules, paint)
    colour, dash = (
        alt.Scale(domain=order, range=[drawn[rule][part] for rule in order]) for part in (0, 1)
    )
    looks: dict[str, Any] = {
        "color": alt.Color("rule:N", scale=colour, legend=None),
        "strokeDash": alt.StrokeDash("rule:N", scale=dash, legend=None),
    }
    base = alt.Chart(_rounded(lines)).encode(x=x, color=looks["color"])
    layers = [
        base.mark_area(opacity=0.1, clip=True).encode(y=_loss("low", scale), y2="high"),
        base.mark_line(strokeWidth=2, clip=True).encode(
            y=_loss("median", scale), strokeDash=looks["strokeDash"]
        ),
        *_ends(lines, ended, scale, height, looks, paint),
        *(_target(target, scale, paint) if math.isfinite(target) else []),
        _cursor(data, order, results.plan.period, paint),
    ]
    choices = results.plan.choices
    heading = alt.TitleParams(
        "Test loss by step, each rule at its chosen learning rate",
        subtitle=f"{choices.task}: median and quartiles of {results.judged_on}, "
        "the same for every rule",
    )
    return _dressed(alt.layer(*layers, width=WIDTH, height=height, title=heading), paint)


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
        subtitle=f"{results.plan.choices.task}: a dot a tuning run, a line through the medians; "
        "ring: the chosen rate; ×: that many diverged"
        + ("; dash: stopped early, without hope" if data["stopped"].any() else ""),
    )
    return _dressed(alt.concat(*panels, columns=4, title=heading, spacing=18), paint)


CHARTS: dict[str, Callable[..., Any]] = {"curves": curves, "sensitivity": sensitivity}


def chart(results: Results, name: str) -> Any:
    """The chart of that name. Raises ``WrongCall`` if there is none."""
    if name not in CHARTS:
        raise unknown("chart", name, CHARTS)
    return CHARTS[name](results)


def save(chart: "alt.TopLevelMixin", path: Path) -> None:
    """Write a chart as ``.png``, twice as fine as a screen, or ``.svg``."""
    formats: dict[str, Literal["png", "svg"]] = {".png": "png", ".svg": "svg"}
    if path.suffix.lower() not in formats:
        raise unknown("picture format", path.suffix, formats)
    chart.save(str(path), format=formats[path.suffix.lower()], scale_factor=2)


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
        axis=alt.Axis(values=style.ticks(domain[0], domain[1]), labelExpr=SHORT, grid=False),
    )
    y = _loss("loss", scale, None)
    tooltip = [alt.Tooltip("learning_rate:Q"), alt.Tooltip("seed:N")]
    colour = look.colour
    line = (
        alt.Chart(_rounded(medians))
        .mark_line(color=colour, strokeDash=list(look.dash), strokeWidth=2)
        .encode(x=x, y=y)
    )
    # Hollow, so that three dots at one place are still seen to be there.
    dots = (
        alt.Chart(_rounded(rows[~lost & ~stopped]))
        .mark_point(stroke=colour, size=26, strokeWidth=1.2, opacity=0.9)
        .encode(x=x, y=y, tooltip=[*tooltip, alt.Tooltip("loss:Q", format=".4g")])
    )
    dashes = (
        alt.Chart(_rounded(rows[~lost & stopped]))
        .mark_point(shape="stroke", stroke=colour, size=50, strokeWidth=1.4, opacity=0.6)
        .encode(
            x=x, y=y, tooltip=[*tooltip, alt.Tooltip("loss:Q", format=".4g", title="stopped at")]
        )
    )
    ring = (
        alt.Chart(_rounded(medians[medians["learning_rate"] == chosen]))
        .mark_point(stroke=paint.ink, size=190, strokeWidth=1.5, opacity=1)
        .encode(x=x, y=y)
    )
    rail = (
        alt.Chart(pd.DataFrame({"unused": [0]}))
        .mark_rule(color=paint.muted, strokeDash=[1, 3], strokeWidth=1)
        .encode(x=alt.value(0), x2=alt.value("width"), y=alt.value(RAIL))
    )
    ends = rows.assign(lost=lost).groupby("learning_rate")["lost"].agg(["sum", "size"])
    ends = ends[ends["sum"] > 0].reset_index()
    ends["said"] = [f"{n} of {of}" for n, of in zip(ends["sum"], ends["size"], strict=True)]
    diverged = alt.Chart(ends[["learning_rate", "sum", "said"]]).encode(
        x=x, tooltip=[tooltip[0], alt.Tooltip("said:N", title="diverged")]
    )
    crosses = diverged.mark_point(
        shape=CROSS, stroke=colour, size=36, strokeWidth=1.8, opacity=1
    ).encode(y=alt.value(RAIL))
    counts = diverged.mark_text(color=paint.ink, fontSize=11, baseline="bottom").encode(
        y=alt.value(RAIL - 5), text="sum:Q"
    )
    heading = alt.TitleParams(
        title(rule), subtitle=f"chosen: {chosen:.3g}", limit=PANEL, fontSize=14, offset=6
    )
    layers = (rail, line, dashes, dots, ring, crosses, counts)
    return alt.layer(*layers, width=PANEL, height=PANEL_HEIGHT, title=heading)


def _ends(
    lines: "pd.DataFrame",
    ended: Mapping[str, float],
    scale: style.Axis,
    height: float,
    looks: Mapping[str, Any],
    paint: style.Paint,
) -> list["alt.Chart"]:
    """A label a line, to the right of the plot; a cross where a line stops before its time."""
    import altair as alt

    ends = lines.groupby("rule", sort=False).last().reset_index()
    ends["early"] = ends["rule"].map(lambda rule: math.isfinite(ended[rule]))
    at = [height * scale.height(min(loss, scale.high)) for loss in ends["median"]]
    placed = style.spread_out(at, LABEL_GAP, 4, height - 4)
    ends["label_at"] = [scale.value(y / height) for y in placed]
    ends["from"] = ends["label_at"].where(ends["early"], ends["median"])
    ends["label"] = [
        title(rule) + (" × not finite" if math.isfinite(ended[rule]) else "")
        for rule in ends["rule"]
    ]
    base = alt.Chart(_rounded(ends)).encode(color=looks["color"])
    lead = base.mark_rule(strokeWidth=2).encode(
        x=alt.value("width"),
        x2=alt.value(alt.expr(f"width + {LABEL_START - 4}")),
        y=_loss("from", scale),
        y2="label_at",
        strokeDash=looks["strokeDash"],
    )
    label = base.mark_text(align="left", dx=LABEL_START, limit=LABEL_LIMIT).encode(
        x=alt.value("width"),
        y=_loss("label_at", scale),
        text="label:N",
        color=alt.value(paint.ink),
    )
    cross = base.transform_filter("datum.early").mark_point(
        shape=CROSS, size=40, strokeWidth=2, opacity=1
    )
    return [lead, label, cross.encode(x="step:Q", y=_loss("median", scale))]


def _target(target: float, scale: style.Axis, paint: style.Paint) -> list["alt.Chart"]:
    import altair as alt
    import pandas as pd

    base = alt.Chart(pd.DataFrame({"target": [target]})).encode(y=_loss("target", scale))
    halo = base.mark_text(align="left", dy=-7, stroke=paint.surface, strokeWidth=4)
    words = base.mark_text(align="left", dy=-7, color=paint.ink)
    said = {"x": alt.value(5), "text": alt.value(f"target {target:.3g}")}
    return [
        base.mark_rule(color=paint.ink, strokeWidth=1),
        halo.encode(**said),
        words.encode(**said),
    ]


def _cursor(data: "pd.DataFrame", order: Sequence[str], period: int, paint: style.Paint) -> Any:
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
            x="left:Q",
            x2="right",
            y=alt.value(0),
            y2=alt.value("height"),
            opacity=alt.condition(here, alt.value(0.25), alt.value(0)),
            tooltip=tooltip,
        )
        .add_params(here)
    )


def _ended(rows: "pd.DataFrame") -> float:
    """The first step at which half the runs are no longer finite, or infinity."""
    lost = rows.loc[rows["median"].map(math.isinf), "step"]
    return float(lost.iloc[0]) if len(lost) else math.inf


def _loss(field: str, scale: style.Axis, heading: str | None = "test loss") -> "alt.Y":
    import altair as alt

    stretch = alt.Scale(type=scale.kind, domain=[scale.low, scale.high], nice=False)
    if scale.kind == "linear":
        return alt.Y(f"{field}:Q", title=heading, scale=stretch)
    ticks = alt.Axis(values=style.ticks(scale.low, scale.most * 1.05), labelExpr=SHORT)
    return alt.Y(f"{field}:Q", title=heading, scale=stretch, axis=ticks)


def _rounded(data: "pd.DataFrame") -> "pd.DataFrame":
    """Five digits are finer than a pixel; what is infinite is missing, so that lines break."""
    rounded = data.copy()
    for name in data.select_dtypes("float").columns:
        rounded[name] = [float(f"{v:.5g}") if math.isfinite(v) else math.nan for v in data[name]]
    return rounded


def _dressed(chart: Any, paint: style.Paint) -> Any:
    return chart.configure(**style.configuration(paint))
