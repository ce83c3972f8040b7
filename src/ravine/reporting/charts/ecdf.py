"""Which share of a rule's runs had reached the target by then; the target can be moved."""

import math
from typing import TYPE_CHECKING, Any

from ravine.analysis import SMOOTHING, TEST, diverged_at, title
from ravine.analysis.curves import series, trailing_means
from ravine.experiment.curve import Curve
from ravine.experiment.plan import SHORTER
from ravine.reporting import style
from ravine.reporting.charts import drawing
from ravine.reporting.results import Results

if TYPE_CHECKING:
    import pandas as pd

ROW = 38  # pixels a rule
FULL = 0.78  # of a row: how high all of a rule's runs are
MOST_RECORDS = 30_000  # of all runs together: what a page can carry


def records(results: Results) -> "pd.DataFrame":
    """When each evaluation run was as good as never before: rule, run, lists of steps and values.

    The value is the trailing mean of three measurements, of the target's measure: a run is
    at a target from its first record on that is. Of a rule whose rate decays, the steps are those
    of whole runs and the values their ends. Of very many runs, not every record.
    """
    import pandas as pd

    runs: dict[tuple[str, int], list[Curve]] = {}
    for curve in results.curves:
        if curve.run.stage in ("evaluation", SHORTER):
            runs.setdefault((curve.run.rule, curve.run.seed), []).append(curve)
    fresh = {
        (c.run.rule, c.run.seed): c.run.configuration
        for c in results.curves
        if c.run.stage == "evaluation"
    }
    rows = []
    for (rule, seed), configuration in fresh.items():
        own = [c for c in runs[rule, seed] if c.run.configuration == configuration]
        steps, values = _records(results, rule, own)
        thin = max(1, -(-len(steps) * len(runs) // MOST_RECORDS))
        kept = sorted({*range(0, len(steps), thin), *_decisive(values, results)})
        thinned = {"step": [steps[i] for i in kept], "value": [values[i] for i in kept]}
        rows.append({"rule": rule, "run": seed, **thinned})
    return pd.DataFrame(rows)


def _decisive(values: list[float], results: Results) -> set[int]:
    target, rising = results.verdict.target, results.verdict.rising
    there = (i for i, v in enumerate(values) if (v >= target if rising else v <= target))
    return {len(values) - 1, next(there, len(values) - 1)} if values else set()


def arrivals(results: Results, target: float) -> dict[str, list[float]]:
    """Steps of each evaluation run to a target, by rule; infinite for a run that is never there."""
    found: dict[str, list[float]] = {s.rule: [] for s in results.verdict.standings}
    data = records(results)
    for rule, steps, values in zip(data["rule"], data["step"], data["value"], strict=True):
        there = (v >= target if results.verdict.rising else v <= target for v in values)
        found[rule].append(next((s for s, at in zip(steps, there, strict=True) if at), math.inf))
    return found


def bounds(results: Results) -> tuple[float, float]:
    """The easiest and the hardest target that there is something to say about."""
    found = records(results)
    firsts = [values[0] for values in found["value"] if values]
    lasts = [values[-1] for values in found["value"] if values]
    worst, best = (min, max) if results.verdict.rising else (max, min)
    ends = worst(firsts, default=1.0), best(lasts, default=0.0)
    if not math.isfinite(results.verdict.target):
        return ends
    return worst(ends[0], results.verdict.target), best(ends[1], results.verdict.target)


def reached(results: Results, paint: style.Paint = style.LIGHT, by: str = "steps") -> Any:
    """A row a rule, filled as high as the share of its runs that is at the target."""
    import altair as alt
    import pandas as pd

    verdict, pace = results.verdict, drawing.paces(results, by)
    order = [s.rule for s in verdict.standings]
    runs = {s.rule: s.runs for s in verdict.standings}
    data = records(results)
    data["at"] = [
        [float(f"{step * pace[rule]:.6g}") for step in steps]
        for rule, steps in zip(data["rule"], data["step"], strict=True)
    ]
    data = data.drop(columns="step")
    data["weight"] = [1 / runs[rule] for rule in data["rule"]]
    edges = [
        {"rule": rule, "run": -1 - i, "weight": 0.0, "at": [at], "value": [None]}
        for rule in order
        for i, at in enumerate((0.0, results.plan.steps * pace[rule]))
    ]
    data = pd.concat([data, pd.DataFrame(edges)], ignore_index=True)
    data["base"] = [float(len(order) - 1 - order.index(rule)) for rule in data["rule"]]

    easiest, hardest = bounds(results)
    low, high = sorted((easiest, hardest))
    first = verdict.target if math.isfinite(verdict.target) else hardest
    goal = alt.param(
        name="target",
        value=first,
        bind=alt.binding_range(min=low, max=high, step=(high - low) / 400 or 1.0, name="target "),
    )
    at_target = f"datum.value {'>=' if verdict.rising else '<='} target"
    rows = (
        alt.Chart(data)
        .transform_flatten(["at", "value"])
        .transform_filter(f"!isValid(datum.value) || {at_target}")
        .transform_aggregate(at="min(at)", groupby=["rule", "run", "weight", "base"])
        .transform_window(
            share="sum(weight)",
            sort=[alt.SortField("at"), alt.SortField("run")],
            frame=[None, 0],
            groupby=["rule"],
        )
        .transform_calculate(top=f"datum.base + {FULL} * datum.share")
    )
    x = drawing.clock_axis(results, by, results.plan.steps * max(pace.values()))
    y = alt.Y("top:Q", axis=None, scale=alt.Scale(domain=[0, len(order)], nice=False))
    colour = drawing.encodings(results, paint)["color"]
    area = rows.mark_area(interpolate="step-after", opacity=0.25).encode(
        x=x, y=y, y2=alt.Y2("base:Q"), color=colour
    )
    edge = rows.mark_line(interpolate="step-after", strokeWidth=2).encode(x=x, y=y, color=colour)
    names = pd.DataFrame({"rule": order, "label": [title(rule) for rule in order]})
    names["base"] = [len(order) - 1.0 - i for i in range(len(order))]
    names["middle"] = names["base"] + FULL / 2
    ground = alt.Chart(names).encode(y=alt.Y("base:Q", axis=None))
    floor = ground.mark_rule(color=paint.hairline, strokeWidth=1).encode(
        x=alt.XValue(0), x2=alt.X2Value(alt.expr("width"))
    )
    label = (
        alt.Chart(names)
        .mark_text(
            limit=drawing.LABEL_LIMIT,
            baseline="middle",
            dx=drawing.LABEL_START - 10,
            align="left",
            color=paint.ink,
        )
        .encode(
            x=alt.XValue(alt.expr("width")),
            y=alt.Y("middle:Q", axis=None),
            text=alt.Text("label:N"),
        )
    )
    clock = drawing.CLOCKS[by]
    heading = alt.TitleParams(
        f"Share of runs that reached the target by then, by {clock}",
        subtitle=[
            f"{results.plan.choices.task}: of {results.judged_on}, from none to all in each row",
            f"target: a {verdict.metric} of {first:.4g}",
        ],
    )
    layers = [floor, area, edge, label]
    return drawing.dressed(
        layers, paint, width=drawing.WIDTH, height=ROW * len(order), title=heading
    ).add_params(goal)


def _records(results: Results, rule: str, own: list[Curve]) -> tuple[list[int], list[float]]:
    import numpy as np

    plan = results.plan
    goal = results.verdict.goal(plan.facts.measures)
    rising = goal.rising
    if rule in plan.decaying:
        ends = {
            c.run.steps: float(series(c, goal.split, goal.measure)[-1])
            for c in own
            if not c.failure and diverged_at(c, TEST) is None
        }
        steps, values = np.array(sorted(ends)), np.array([ends[at] for at in sorted(ends)])
    else:
        values = trailing_means(own[0], goal.split, goal.measure)
        steps = (np.arange(len(values)) + SMOOTHING) * plan.period
    worst = -math.inf if rising else math.inf
    values = np.where(np.isnan(values), worst, values) if values.size else np.empty(0)
    best = (np.maximum if rising else np.minimum).accumulate(values)
    before = np.concatenate([[worst], best[:-1]]) if best.size else best
    kept = best > before if rising else best < before
    return steps[kept].tolist(), [float(f"{value:.9g}") for value in best[kept]]
