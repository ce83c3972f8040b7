"""Whether who is fastest changes when seconds are counted instead of steps."""

from typing import TYPE_CHECKING, Any

from ravine.analysis import title
from ravine.reporting import style
from ravine.reporting.charts import drawing
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import pandas as pd

APART = 260  # pixels between the two axes
BESIDE = 190  # pixels left and right of them for labels


def speedups(results: Results) -> "pd.DataFrame":
    """Median speed-ups over gradient descent: rule, clock (steps or seconds), speedup, rank."""
    import pandas as pd

    rows = [
        {"rule": s.rule, "clock": clock, "speedup": spread.median}
        for s in results.verdict.standings
        for clock, spread in (("steps", s.speedup), ("seconds", s.speedup_seconds))
        if spread
    ]
    found = pd.DataFrame(rows)
    found["rank"] = found.groupby("clock")["speedup"].rank(ascending=False, method="min")
    return found


def flips(results: Results) -> list[tuple[str, str]]:
    """The pairs of rules of which one is faster in steps and the other in seconds."""
    found = speedups(results).pivot_table(index="rule", columns="clock", values="speedup")
    steps, seconds = found["steps"].to_dict(), found["seconds"].to_dict()
    # A speed-up that is not a number has no place in such a table.
    rules = [s.rule for s in results.verdict.standings if s.rule in steps]
    return [
        (one, other)
        for i, one in enumerate(rules)
        for other in rules[i + 1 :]
        if (steps[one] - steps[other]) * (seconds[one] - seconds[other]) < 0
    ]


def said_flips(results: Results, most: int = 3) -> str:
    """The same in a sentence."""
    pairs = flips(results)
    if not pairs:
        return "No two rules change places when seconds are counted instead of steps"
    listed = ", ".join(f"{title(one)} and {title(other)}" for one, other in pairs[:most])
    more = f" and {len(pairs) - most} more pairs" if len(pairs) > most else ""
    return f"{listed}{more} change places when seconds are counted instead of steps"


def clocks(results: Results, paint: style.Paint = style.LIGHT) -> Any:
    """A line a rule, from its speed-up in steps to that in seconds: where lines cross, ranks do."""
    import altair as alt
    import pandas as pd

    data = speedups(results)
    reached = data.loc[data["speedup"] > 0, "speedup"]
    least = float(reached.min()) / 2 if len(reached) else 1.0
    data["shown"] = data["speedup"].clip(lower=least)  # 0, a miss, has no logarithm
    scale = style.axis([*data["shown"], 1.0])
    height = max(260, drawing.LABEL_GAP * (len(results.verdict.standings) + 3))
    parts = []
    for clock, part in data.groupby("clock", sort=False):
        at = [height * scale.height(value) for value in part["shown"]]
        placed = style.spread_out(at, drawing.LABEL_GAP + 2, 4, height - 4)
        left = clock == "steps"
        parts.append(
            part.assign(
                x=0.0 if left else 1.0,
                label_at=[scale.value(y / height) for y in placed],
                label=[
                    f"{title(rule)}  {ratio:.2f}×" if left else f"{ratio:.2f}×  {title(rule)}"
                    for rule, ratio in zip(part["rule"], part["speedup"], strict=True)
                ],
            )
        )
    data = pd.concat(parts, ignore_index=True)
    looks = drawing.encodings(results, paint)
    width = APART + 2 * BESIDE
    edges = [-BESIDE / APART, 1 + BESIDE / APART]
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=edges, nice=False))
    y = alt.Y(
        "shown:Q",
        axis=None,
        scale=alt.Scale(type="log", domain=[scale.low, scale.high], nice=False),
    )
    base = alt.Chart(drawing.rounded(data)).encode(x=x, color=looks["color"])
    lines = base.mark_line(strokeWidth=2).encode(y=y, strokeDash=looks["strokeDash"])
    marks = base.mark_point(filled=True, size=55, opacity=1).encode(y=y, shape=looks["shape"])
    layers = [_one(scale, edges, paint), lines, marks]
    for left in (True, False):
        side = alt.Chart(drawing.rounded(data[data["x"] == (0.0 if left else 1.0)])).encode(x=x)
        text = side.mark_text(
            align="right" if left else "left",
            dx=-22 if left else 22,
            limit=BESIDE - 24,
            color=paint.ink,
        )
        layers.append(text.encode(y=alt.Y("label_at:Q", axis=None), text=alt.Text("label:N")))
    heads = pd.DataFrame({"x": [0.0, 1.0], "head": ["in steps", "in seconds"]})
    layers.append(
        alt.Chart(heads)
        .mark_text(color=paint.muted, fontSize=12, baseline="bottom")
        .encode(x=x, y=alt.YValue(-4), text=alt.Text("head:N"))
    )
    heading = drawing.heading(
        "Speed-up over gradient descent, in steps and in seconds",
        f"{results.plan.choices.task}: {said_flips(results)}",
    )
    return drawing.dressed(layers, paint, width=width, height=height, title=heading)


def _one(scale: style.Axis, edges: list[float], paint: style.Paint) -> Any:
    """Where a rule is as fast as gradient descent."""
    import altair as alt
    import pandas as pd

    data = pd.DataFrame({"shown": [1.0], "x": [0.0], "to": [1.0]})
    return (
        alt.Chart(data)
        .mark_rule(color=paint.muted, strokeDash=[1, 3])
        .encode(
            x=alt.X("x:Q", axis=None, scale=alt.Scale(domain=edges, nice=False)),
            x2=alt.X2("to"),
            y=alt.Y("shown:Q", axis=None),
        )
    )
