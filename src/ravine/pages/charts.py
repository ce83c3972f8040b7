"""The pictures of a race: how the loss fell, and how much the learning rate matters.

Statistics are taken in NumPy and a chart is handed what it draws: a few numbers an evaluation, not
every run.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from ravine.errors import unknown
from ravine.pages import style
from ravine.pages.results import Results
from ravine.verdict import TEST, VALIDATION, diverged_at, final, title

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
WIDTH, HEIGHT = 640, 400
PANEL, PANEL_HEIGHT = 190, 160
LABEL_GAP = 16  # pixels between the baselines of two labels
LABEL_START = 26  # pixels from the plot to its labels; a line leads there
LABEL_LIMIT = 170
RAIL = 18  # pixels from the top of a panel to the rail of diverged runs; their number is above it
CROSS = "M-1,-1L1,1M-1,1L1,-1"
SHORT = "datum.value < 0.001 ? format(datum.value, '.0e') : format(datum.value, '~g')"


class Axis(NamedTuple):
    """A vertical axis: logarithmic unless there is something that has no logarithm."""

    kind: str
    low: float
    high: float

    def height(self, value: float) -> float:
        """Where a value lies: 0 at the bottom, 1 at the top."""
        low, at, high = map(math.log if self.kind == "log" else float, (self.low, value, self.high))
        return (at - low) / (high - low)

    def value(self, height: float) -> float:
        """What lies at a height."""
        if self.kind == "log":
            return self.low ** (1 - height) * self.high**height
        return self.low + height * (self.high - self.low)


def axis(values: Sequence[float], above: float = 0.04) -> Axis:
    """An axis for the finite ones of some values, ``above``: the share to leave free on top."""
    finite = [v for v in values if math.isfinite(v)] or [1.0]
    low, high = min(finite), max(finite)
    kind = "log" if low > 0 else "linear"
    if kind == "log":
        tight = Axis(kind, low / 1.05, high * 1.05)
    else:
        margin = 0.05 * (high - low) or 1.0
        tight = Axis(kind, low - margin, high + margin)
    return Axis(kind, tight.value(-0.02), tight.value(1 / (1 - above)))


def spread_out(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least ``gap`` apart within ``[low, high]``, moved as little as can be.

    With the gaps taken out this is the least-squares fit of a rising sequence: neighbours that are
    out of order pool. Where there is no room for all, they run over the high end.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    pools: list[list[float]] = []
    for rank, i in enumerate(order):
        pools.append([positions[i] - rank * gap])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    most = max(low, high - (len(order) - 1) * gap)
    fitted = [min(max(fmean(pool), low), most) for pool in pools for _ in pool]
    placed = [0.0] * len(order)
    for rank, i in enumerate(order):
        placed[i] = fitted[rank] + rank * gap
    return placed


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
    """How each tuning run ended: rule, learning_rate, seed, loss (infinite where it diverged)."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "rule": c.run.rule,
                "learning_rate": c.run.learning_rate,
                "seed": c.run.seed,
                "loss": math.inf if diverged_at(c, VALIDATION) else final(c, VALIDATION),
            }
            for c in results.curves
            if c.run.stage == "tuning"
        ]
    )


def curves(results: Results, paint: style.Paint = style.LIGHT) -> "alt.LayerChart":
    """The test loss by step, one line a rule at its chosen learning rate, and the target."""
    import altair as alt
    import pandas as pd

    data, target = bands(results), results.verdict.target
    order = [s.rule for s in results.verdict.standings]
    drawn = style.looks(results.plan.choices.rules, paint)
    # A run that leaves for the sky must not flatten the others: 100 times the start is far enough.
    ceiling = 100 * max(data.groupby("rule")["median"].first().map(abs))
    seen = [*data["median"], *data["low"], *data["high"].clip(upper=ceiling), target]
    scale = axis([value for value in seen if value <= ceiling])
    height = max(HEIGHT, LABEL_GAP * (len(order) + 2))

    ended = {rule: _ended(data[data["rule"] == rule]) for rule in order}
    lines = pd.concat(
        [rows[rows["step"] < ended[rule]] for rule, rows in data.groupby("rule", sort=False)]
    )
    lines["high"] = lines["high"].clip(upper=scale.high)
    ends = lines.groupby("rule", sort=False).last().reset_index()
    ends["early"] = ends["rule"].map(lambda rule: math.isfinite(ended[rule]))
    at = [height * scale.height(min(v, scale.high)) for v in ends["median"]]
    placed = spread_out(at, LABEL_GAP, 4, height - 4)
    ends["label_at"] = [scale.value(y / height) for y in placed]
    ends["from"] = ends["label_at"].where(ends["early"], ends["median"])
    ends["label"] = [
        title(row.rule) + (" × not finite" if row.early else "") for row in ends.itertuples()
    ]

    colour = alt.Color("rule:N", scale=_scale(drawn, order, 0), legend=None)
    dash = alt.StrokeDash("rule:N", scale=_scale(drawn, order, 1), legend=None)
    x = alt.X(
        "step:Q",
        title="step",
        scale=alt.Scale(domain=[0, results.plan.steps], nice=False),
        axis=alt.Axis(grid=False, tickCount=8),
    )
    y = _loss("median", "test loss", scale)
    base = alt.Chart(_rounded(lines)).encode(x=x, color=colour)
    band = base.mark_area(opacity=0.1, clip=True).encode(
        y=_loss("low", "test loss", scale), y2="high"
    )
    line = base.mark_line(strokeWidth=2, clip=True).encode(y=y, strokeDash=dash)
    labels = alt.Chart(_rounded(ends)).encode(color=colour)
    lead = labels.mark_rule(strokeWidth=2).encode(
        x=alt.value("width"),
        x2=alt.value(alt.expr(f"width + {LABEL_START - 4}")),
        y=_loss("from", "test loss", scale),
        y2="label_at",
        strokeDash=dash,
    )
    text = labels.mark_text(align="left", dx=LABEL_START, limit=LABEL_LIMIT).encode(
        x=alt.value("width"),
        y=_loss("label_at", "test loss", scale),
        text="label:N",
        color=alt.value(paint.ink),
    )
    layers = [band, line, lead, text]
    if any(ends["early"]):
        stopped = labels.transform_filter("datum.early")
        layers.append(
            stopped.mark_point(shape=CROSS, size=40, strokeWidth=2, opacity=1).encode(x=x, y=y)
        )
    if math.isfinite(target):
        layers += _target(target, scale, paint)
    layers.append(_cursor(data, order, x, paint))
    choices = results.plan.choices
    heading = alt.TitleParams(
        "Test loss by step, each rule at its chosen learning rate",
        subtitle=f"{choices.task}: median and quartiles of {choices.fresh_seeds} fresh seeds, "
        "the same for every rule",
    )
    return _dressed(alt.layer(*layers, width=WIDTH, height=height, title=heading), paint)


def sensitivity(results: Results, paint: style.Paint = style.LIGHT) -> "alt.ConcatChart":
    """The final validation loss over the learning rate: a panel a rule, a dot a tuning run."""
    import altair as alt

    data = tuning_ends(results)
    scale = axis(list(data["loss"]), above=(RAIL + 12) / PANEL_HEIGHT)
    drawn = style.looks(results.plan.choices.rules, paint)
    panels = [
        _panel(data[data["rule"] == s.rule], s.rule, s.learning_rate, drawn[s.rule], scale, paint)
        for s in results.verdict.standings
    ]
    heading = alt.TitleParams(
        "Final validation loss over the learning rate",
        subtitle=f"{results.plan.choices.task}: a dot a tuning run, a line through the medians; "
        "ring: the chosen rate; ×: that many diverged",
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
    formats = {".png": "png", ".svg": "svg"}
    if path.suffix.lower() not in formats:
        raise unknown("picture format", path.suffix, formats)
    chart.save(str(path), format=formats[path.suffix.lower()], scale_factor=2)


def _panel(
    rows: "pd.DataFrame",
    rule: str,
    chosen: float,
    look: style.Look,
    scale: Axis,
    paint: style.Paint,
) -> "alt.LayerChart":
    import altair as alt
    import pandas as pd

    medians = rows.groupby("learning_rate")["loss"].median().reset_index()
    lost = rows["loss"].map(math.isinf)
    domain = [rows["learning_rate"].min() / 1.6, rows["learning_rate"].max() * 1.6]
    x = alt.X(
        "learning_rate:Q",
        title=None,
        scale=alt.Scale(type="log", domain=domain, nice=False),
        axis=alt.Axis(values=_ticks(domain[0], domain[1], (1,)), labelExpr=SHORT, grid=False),
    )
    y = _loss("loss", "", scale)
    tooltip = [alt.Tooltip("learning_rate:Q"), alt.Tooltip("seed:N")]
    colour = look.colour
    line = (
        alt.Chart(_rounded(medians))
        .mark_line(color=colour, strokeDash=list(look.dash), strokeWidth=2)
        .encode(x=x, y=y)
    )
    # Hollow, so that three dots at one place are still seen to be there.
    dots = (
        alt.Chart(_rounded(rows[~lost]))
        .mark_point(stroke=colour, size=26, strokeWidth=1.2, opacity=0.9)
        .encode(x=x, y=y, tooltip=[*tooltip, alt.Tooltip("loss:Q", format=".4g")])
    )
    ring = (
        alt.Chart(_rounded(medians[medians["learning_rate"] == chosen]))
        .mark_point(stroke=paint.ink, size=190, strokeWidth=1.5, opacity=1)
        .encode(x=x, y=y)
    )
    rail = (
        alt.Chart(pd.DataFrame({"unused": [0]}))
        .mark_rule(color=paint.hairline)
        .encode(x=alt.value(0), x2=alt.value("width"), y=alt.value(RAIL))
    )
    ends = rows.assign(lost=lost).groupby("learning_rate")["lost"].agg(["sum", "size"])
    ends = ends[ends["sum"] > 0].reset_index()
    ends["said"] = [f"{n}/{of}" for n, of in zip(ends["sum"], ends["size"], strict=True)]
    diverged = alt.Chart(ends[["learning_rate", "said"]]).encode(
        x=x, tooltip=[tooltip[0], alt.Tooltip("said:N", title="diverged")]
    )
    crosses = diverged.mark_point(
        shape=CROSS, stroke=colour, size=36, strokeWidth=1.8, opacity=1
    ).encode(y=alt.value(RAIL))
    counts = diverged.mark_text(color=paint.ink, fontSize=11, baseline="bottom").encode(
        y=alt.value(RAIL - 5), text="said:N"
    )
    heading = alt.TitleParams(
        title(rule), subtitle=f"chosen: {chosen:.3g}", limit=PANEL, fontSize=14, offset=6
    )
    layers = (rail, line, dots, ring, crosses, counts)
    return alt.layer(*layers, width=PANEL, height=PANEL_HEIGHT, title=heading)


def _target(target: float, scale: Axis, paint: style.Paint) -> list["alt.Chart"]:
    import altair as alt
    import pandas as pd

    base = alt.Chart(pd.DataFrame({"target": [target]})).encode(
        y=_loss("target", "test loss", scale)
    )
    halo = base.mark_text(align="left", dy=-7, stroke=paint.surface, strokeWidth=4)
    words = base.mark_text(align="left", dy=-7, color=paint.ink)
    said = {"x": alt.value(5), "text": alt.value(f"target {target:.3g}")}
    return [
        base.mark_rule(color=paint.ink, strokeWidth=1),
        halo.encode(**said),
        words.encode(**said),
    ]


def _cursor(
    data: "pd.DataFrame", order: Sequence[str], x: "alt.X", paint: style.Paint
) -> "alt.Chart":
    """A line that follows the pointer and reads every rule out at that step.

    The numbers are text and the columns numbered: Vega would show a missing number as 0, and read
    a dot or bracket in a rule's spelling as a path into the data.
    """
    import altair as alt

    read = data.assign(
        said=[f"{row.median:.4g} [{row.low:.4g}, {row.high:.4g}]" for row in data.itertuples()],
        column=data["rule"].map({rule: f"r{i}" for i, rule in enumerate(order)}),
    )
    wide = read.pivot_table(index="step", columns="column", values="said", aggfunc="first")
    near = alt.selection_point(
        name="near",
        on="pointerover",
        clear="pointerout",
        nearest=True,
        encodings=["x"],
        empty=False,
    )
    tooltip = [alt.Tooltip("step:Q", format="d")]
    tooltip += [alt.Tooltip(f"r{i}:N", title=title(rule)) for i, rule in enumerate(order)]
    return (
        alt.Chart(wide.reset_index())
        .mark_rule(color=paint.muted)
        .encode(x=x, opacity=alt.condition(near, alt.value(0.7), alt.value(0)), tooltip=tooltip)
        .add_params(near)
    )


def _ended(rows: "pd.DataFrame") -> float:
    """The first step at which half the runs are no longer finite, or infinity."""
    lost = rows.loc[rows["median"].map(math.isinf), "step"]
    return float(lost.iloc[0]) if len(lost) else math.inf


def _loss(field: str, heading: str, scale: Axis) -> "alt.Y":
    import altair as alt

    decades = math.log10(scale.high / scale.low) if scale.kind == "log" else 0.0
    # 1, 2, 5 as far as they do not crowd.
    digits = (1, 2, 5) if decades < 2.5 else (1,)
    values = _ticks(scale.low, scale.high, digits) if decades else alt.Undefined
    return alt.Y(
        f"{field}:Q",
        title=heading or None,
        scale=alt.Scale(type=scale.kind, domain=[scale.low, scale.high], nice=False, zero=False),
        axis=alt.Axis(labelExpr=SHORT if decades else alt.Undefined, values=values),
    )


def _ticks(low: float, high: float, digits: Sequence[int]) -> list[float]:
    """Round numbers between two bounds; of many decades, every second, third, …"""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = 1 + (last - first) // 8
    every = [float(f"{d}e{e}") for e in range(first, last + 1) if e % stride == 0 for d in digits]
    return [tick for tick in every if low <= tick <= high]


def _scale(drawn: Any, order: Sequence[str], part: int) -> "alt.Scale":
    import altair as alt

    return alt.Scale(domain=list(order), range=[drawn[rule][part] for rule in order])


def _rounded(data: "pd.DataFrame") -> "pd.DataFrame":
    """Five digits are finer than a pixel; what is infinite is missing, so that lines break."""
    numbers = {
        name: [float(f"{v:.5g}") if math.isfinite(v) else None for v in data[name]]
        for name in data.select_dtypes("float")
    }
    return data.assign(**numbers)


def _dressed(chart: Any, paint: style.Paint) -> Any:
    quiet = {"labelColor": paint.muted, "titleColor": paint.muted, "gridColor": paint.hairline}
    lines = {"domainColor": paint.muted, "tickColor": paint.muted, "labelFontSize": 12}
    return chart.configure(
        background=paint.surface,
        font=FONT,
        padding=12,
        mark={"aria": False},  # the table behind the chart reads better than 700 marks
        view={"stroke": None},
        axis={**quiet, **lines, "titleFontSize": 12, "titleFontWeight": "normal"},
        text={"fontSize": 13},
        title={
            **{"anchor": "start", "color": paint.ink, "fontSize": 16, "fontWeight": 600},
            **{"subtitleColor": paint.muted, "subtitleFontSize": 13, "offset": 12},
        },
    )
