"""What stands in the tables of a page: the leaderboard, and the numbers behind each chart."""

import math
import statistics
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ravine.analysis import TEST, VALIDATION, RuleResult, Spread, diverged_at, said_ratio, title
from ravine.analysis.results import REFERENCE
from ravine.experiment.curve import Curve
from ravine.reporting.charts.curves import bands
from ravine.reporting.charts.ecdf import arrivals
from ravine.reporting.charts.sensitivity import crowded, groups, tuning_ends
from ravine.reporting.charts.speedups import intervals
from ravine.reporting.charts.steps_vs_seconds import speedups
from ravine.reporting.charts.targets import steps_by_target
from ravine.reporting.charts.training import envelopes
from ravine.reporting.results import Results


class Row(NamedTuple):
    """A line: its heading, which is a rule's name if there is one, and its cells."""

    head: str
    cells: list[str]
    rule: str = ""


class Table(NamedTuple):
    """Headings of columns, the first being that of the rows' headings, and rows."""

    columns: list[str]
    rows: list[Row]
    texts: int = 0  # how many cells of a row, from the left, are words


def number(value: float) -> str:
    """A loss or a metric, as a cell of a table."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


def count(steps: float) -> str:
    """Steps, as a cell of a table."""
    return f"{steps:.7g}" if math.isfinite(steps) else "∞"


def seconds(value: float | None) -> str:
    """A time, in the unit that suits it.

    >>> seconds(0.0000561), seconds(0.0321), seconds(75.0), seconds(None)
    ('56 µs', '32 ms', '75 s', '–')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size or unit == "µs":
            scaled = value / size
            return f"{scaled:.2g} {unit}" if scaled < 100 else f"{scaled:.0f} {unit}"
    raise AssertionError(value)


def leaderboard(standing: RuleResult) -> dict[str, Any]:
    """A line of the leaderboard as text."""
    s, baseline = standing, standing.finding == REFERENCE
    steps, width = s.steps_to_target, s.sensitivity.width
    return {
        "rule": s.rule,
        "concluded": s.concluded,
        "relative": "1" if baseline else " ".join(said_ratio(s.speedup)),
        "speedup": "1" if baseline else _speedup(s.speedup),
        "speedup_seconds": "1" if baseline else _speedup(s.speedup_seconds),
        "conclusion": "" if baseline else s.finding,
        "reached": f"{s.reached}/{s.runs}",
        "diverged": f"{s.diverged}/{s.runs}",
        "steps": f"{count(steps.median)} [{_whole(steps.low)}, {_whole(steps.high)}]",
        "gradients": count(s.gradients_to_target.median),
        "seconds": seconds(s.seconds_to_target.median if s.seconds_to_target else None),
        "step": seconds(s.step_seconds),
        "memory": "–" if s.state_bytes is None else f"{s.state_bytes:g}",
        "learning_rate": f"{s.learning_rate:.3g}",
        "forgiving": f"{'≥ ' if width.at_edge else ''}{width.decades:.1f}",
        "cliff": "–" if s.sensitivity.cliff is None else f"{s.sensitivity.cliff:g}",
        "validation_loss": number(s.validation_loss),
        "final_loss": number(s.final_loss),
        "final_ratio": "" if baseline else _speedup(s.final_ratio),
        "loss_in_seconds": "–" if s.loss_in_seconds is None else number(s.loss_in_seconds),
        "loss_in_seconds_ratio": "" if baseline else _speedup(s.loss_in_seconds_ratio),
        "metrics": [number(value) for value in s.final_metrics.values()],
    }


def failures(curves: Iterable[Curve]) -> list[dict[str, Any]]:
    """Every diverged run: tuning runs together by rule and rate, the others one by one."""
    found: dict[tuple[Any, ...], list[tuple[Curve, int]]] = {}
    tried: dict[tuple[Any, ...], int] = {}
    for curve in curves:
        run = curve.run
        key: tuple[Any, ...] = (run.stage, run.rule, run.configuration)
        if run.stage != "tuning":
            key += (run.seed,)
        tried[key] = tried.get(key, 0) + 1
        step = diverged_at(curve, VALIDATION if run.stage == "tuning" else TEST)
        if step is not None:
            found.setdefault(key, []).append((curve, step))
    return [
        {
            "stage": key[0],
            "rule": key[1],
            "learning_rate": key[2].learning_rate,
            "seeds": ", ".join(str(curve.run.seed) for curve, _ in cases),
            "runs": len(cases),
            "count": f"{len(cases)} of {tried[key]}",
            "step": min(step for _, step in cases),
            "how": _how([curve for curve, _ in cases]),
        }
        for key, cases in found.items()
    ]


def _how(cases: list[Curve]) -> str:
    import numpy as np

    finite = [bool(np.isfinite(curve.losses).all()) for curve in cases]
    if all(finite):
        return "ended above its start"
    return "not finite, or ended above its start" if any(finite) else "not finite"


def _three(ratio: float) -> str:
    return f"{ratio:.3g}" if math.isfinite(ratio) else number(ratio)


def _whole(steps: float) -> str:
    return f"{steps:.0f}" if math.isfinite(steps) else "∞"


def _speedup(found: Spread | None) -> str:
    return "–" if found is None else f"{found.median:.2f}× [{found.low:.2f}, {found.high:.2f}]"


def _curves(results: Results) -> Table:
    """A row a step, a cell a rule: median and quartiles."""
    rows: dict[int, list[str]] = {}
    data = bands(results)
    numbers = [data[name].tolist() for name in ("step", "median", "low", "high")]
    for step, median, low, high in zip(*numbers, strict=True):
        rows.setdefault(step, []).append(f"{number(median)} [{number(low)}, {number(high)}]")
    rules = [title(s.rule) for s in results.verdict.standings]
    return Table(["step", *rules], [Row(str(step), cells) for step, cells in rows.items()])


def _speedups(results: Results) -> Table:
    """A row a rule, best first."""
    rows = [
        Row(title(rule), [finding, *map(_three, numbers)], rule)
        for rule, finding, *numbers in intervals(results)[
            ["rule", "finding", "speedup", "low", "high"]
        ].itertuples(index=False, name=None)
    ]
    return Table(["rule", "conclusion", "speed-up", "from", "to"], rows, texts=1)


def _sensitivity(results: Results) -> Table:
    """A row a rule and learning rate: where each tuning run ended, and whether early."""
    data = tuning_ends(results)
    if crowded(data):
        return _groups(data)
    rows: dict[tuple[str, str], list[str]] = {}
    early: set[tuple[str, str]] = set()
    columns = (data[name] for name in ("rule", "configuration", "stopped", "loss"))
    for rule, configuration, stopped, loss in zip(*columns, strict=True):
        said = "diverged" if math.isinf(loss) else number(loss)
        rows.setdefault((rule, configuration), []).append(said)
        early |= {(rule, configuration)} if stopped else set()
    choices = results.plan.choices
    seeds = [f"run {i + 1}" for i in range(choices.tuning_seeds * choices.repetitions)]
    lines = []
    for (rule, configuration), losses in rows.items():
        said = configuration + (", stopped early" if (rule, configuration) in early else "")
        untried = ["–"] * (len(seeds) - len(losses))  # what is far behind has one run
        lines.append(Row(title(rule), [said, *losses, *untried], rule))
    return Table(["rule", "learning rate", *seeds], lines)


def _groups(data: Any) -> Table:
    """A row a rule and learning rate: where its runs ended that did not diverge."""
    numbers = ["least", "low", "median", "high", "most"]
    rows = [
        Row(title(rule), [f"{rate:g}", *map(number, ends)], rule)
        for rule, rate, *ends in groups(data)[["rule", "learning_rate", *numbers]].itertuples(
            index=False, name=None
        )
    ]
    heads = ["least", "lower quartile", "median", "upper quartile", "most"]
    return Table(["rule", "learning rate", *heads], rows)


def _reached(results: Results) -> Table:
    """A row a rule: how many of its runs are at the target, and after how many steps half are."""
    rows = []
    for rule, times in arrivals(results, results.verdict.target).items():
        there = sum(map(math.isfinite, times))
        said = [f"{there} of {len(times)}", count(statistics.median(times))]
        rows.append(Row(title(rule), said, rule))
    return Table(["rule", "reached the target", "median steps"], rows)


def _clocks(results: Results) -> Table:
    found: dict[str, list[str]] = {}
    data = speedups(results)
    for rule, speedup, rank in zip(data["rule"], data["speedup"], data["rank"], strict=True):
        found.setdefault(rule, []).extend([f"{speedup:.2f}", f"{rank:.0f}"])
    rows = [Row(title(rule), cells, rule) for rule, cells in found.items()]
    return Table(["rule", "speed-up in steps", "rank", "speed-up in seconds", "rank"], rows)


def _tries(results: Results) -> Table:
    after = {s.rule: s.sensitivity.after for s in results.verdict.standings}
    most = max(map(len, after.values()))
    rows = [
        Row(title(rule), [number(x) for x in losses] + ["–"] * (most - len(losses)), rule)
        for rule, losses in after.items()
    ]
    tries = [f"{k} {'try' if k == 1 else 'tries'}" for k in range(1, most + 1)]
    return Table(["rule", *tries], rows)


def _targets(results: Results) -> Table:
    """Who leads, then every tenth of the targets that are drawn."""
    data = steps_by_target(results).pivot_table(
        index="target", columns="rule", values="steps", sort=False, dropna=False
    )
    rules = [s.rule for s in results.verdict.standings]
    leads = results.verdict.leads_by_target
    rows = []
    for target, *steps in data[rules].iloc[::8].itertuples(name=None):
        leader = next((s.rule for s in leads if s.low <= target), leads[-1].rule)
        rows.append(Row(f"{target:.4g}", [title(leader), *map(count, steps)]))
    return Table(["target", "fewest steps", *map(title, rules)], rows, texts=1)


def _training(results: Results) -> Table:
    """A row a rule: its training loss at the start, the middle and the end, and its peak."""
    rows = []
    for rule, own in envelopes(results).groupby("rule", sort=False):
        median = own[own["part"] == "median"].iloc[0]
        high = own[own["part"] == "high"].iloc[0]
        peak = max(range(len(high["loss"])), key=lambda i: high["loss"][i], default=None)
        found = [median["loss"][0], median["loss"][-1]] if median["loss"] else [math.nan] * 2
        said = "–" if peak is None else f"{number(high['loss'][peak])} at step {high['at'][peak]}"
        rows.append(Row(title(str(rule)), [*map(number, found), said], str(rule)))
    return Table(["rule", "median at step one", "median at the end", "highest of any run"], rows)


def _confirmation(results: Results) -> Table:
    """A row a run that was done twice."""
    heads = ["seed", "steps to the target, in the race", "by model.fit", "agree", "time of fit"]
    heads += ["without building the graph", "losses apart, at most"]
    rows = [
        Row(
            title(pair.rule),
            [
                found.name,
                str(pair.seed),
                count(pair.steps),
                count(pair.steps_there),
                "yes" if found.agrees(pair) else "no",
                seconds(pair.seconds_there),
                seconds(pair.seconds_there - pair.building),
                f"{pair.difference:.2g}",
            ],
            pair.rule,
        )
        for found in results.confirmed
        for rule in found.rules
        for pair in found.of(rule)
    ]
    return Table(["rule", "framework", *heads], rows, texts=1)


BEHIND: dict[str, Callable[[Results], Table]] = {
    "speedups": _speedups,
    "curves": _curves,
    "sensitivity": _sensitivity,
    "reached": _reached,
    "clocks": _clocks,
    "tries": _tries,
    "targets": _targets,
    "confirmation": _confirmation,
    "training": _training,
}
