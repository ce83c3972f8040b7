"""The report: one HTML file that says what a race found, and lets anyone check it."""

import base64
import hashlib
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ravine.pages import charts, style
from ravine.pages.results import Results
from ravine.pages.templates import render
from ravine.racing.choices import BASELINE
from ravine.racing.store import Curve
from ravine.verdict import (
    TEST,
    VALIDATION,
    Standing,
    diverged_at,
    said_ratio,
    title,
)


def write(results: Results, path: str | os.PathLike[str]) -> None:
    """Write the report. It asks for nothing from anywhere, and can be read without scripts."""
    from markupsafe import Markup

    diverged = failures(results.curves)
    page = render(
        "report.html",
        {"hash": fingerprint, "number": number},
        results=results,
        plan=results.plan,
        choices=results.plan.choices,
        verdict=results.verdict,
        looks=style.looks(results.plan.choices.rules, style.PAGE),
        stages=_stages(results.curves),
        rows=[_row(standing) for standing in results.verdict.standings],
        failures=diverged,
        diverged_runs=sum(case["runs"] for case in diverged),
        starts=_starts(results.curves),
        pictures=[_picture(results, "curves"), _picture(results, "sensitivity")],
        curves=_curves_table(results),
        sensitivity=_sensitivity_table(results),
        infinity=math.inf,
        protocol=results.protocol,
        machine=_machine(results.machine),
        download=base64.b64encode(results.to_json().encode()).decode(),
        bundle=Markup(_bundle()),  # noqa: S704  # Vega, as vl-convert ships it
    )
    Path(path).write_text(page, encoding="utf-8", newline="\n")


def number(value: float) -> str:
    """A loss or a metric, as a cell of a table."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


def failures(curves: Iterable[Curve]) -> list[dict[str, Any]]:
    """Every diverged run: tuning runs together by rule and rate, the others one by one."""
    found: dict[tuple[Any, ...], list[tuple[Curve, int]]] = {}
    tried: dict[tuple[Any, ...], int] = {}
    for curve in curves:
        run = curve.run
        key: tuple[Any, ...] = (run.stage, run.rule, run.learning_rate)
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
            "learning_rate": key[2],
            "seeds": ", ".join(str(curve.run.seed) for curve, _ in cases),
            "runs": len(cases),
            "count": f"{len(cases)} of {tried[key]}",
            "step": min(step for _, step in cases),
            "how": _how([curve for curve, _ in cases]),
        }
        for key, cases in found.items()
    ]


def _how(cases: Sequence[Curve]) -> str:
    import numpy as np

    finite = [bool(np.isfinite(curve.losses).all()) for curve in cases]
    if all(finite):
        return "ended above its start"
    return "not finite, or ended above its start" if any(finite) else "not finite"


def _stages(curves: Iterable[Curve]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for curve in curves:
        counts[curve.run.stage] = counts.get(curve.run.stage, 0) + 1
    return counts


def _starts(curves: Iterable[Curve]) -> list[Curve]:
    """One run of each fresh seed, to show what all of them set out from."""
    return list({c.run.seed: c for c in curves if c.run.stage == "fresh"}.values())


def _row(s: Standing) -> dict[str, Any]:
    """A line of the leaderboard as text."""
    steps = s.steps_to_target
    baseline = s.rule == BASELINE
    interval = f"[{s.speedup.low:.2f}, {s.speedup.high:.2f}]"
    return {
        "rule": s.rule,
        "learning_rate": f"{s.learning_rate:g}",
        "relative": "1" if baseline else " ".join(said_ratio(s.speedup)),
        "speedup": "1" if baseline else f"{s.speedup.median:.2f}× {interval}",
        "p_value": "" if baseline else f"{s.p_value:.2g}",
        "reached": f"{s.reached}/{s.runs}",
        "steps": f"{_steps(steps.median)} [{_steps(steps.low)}, {_steps(steps.high)}]",
        "diverged": f"{s.diverged}/{s.runs}",
        "final_loss": number(s.final_loss),
        "metrics": [number(value) for value in s.final_metrics.values()],
    }


def _steps(steps: float) -> str:
    return f"{steps:.7g}" if math.isfinite(steps) else "∞"


def _curves_table(results: Results) -> list[tuple[int, list[str]]]:
    """A row a step, a cell a rule: median and quartiles."""
    rows: dict[int, list[str]] = {}
    data = charts.bands(results)
    numbers = [data[name].tolist() for name in ("step", "median", "low", "high")]
    for step, median, low, high in zip(*numbers, strict=True):
        rows.setdefault(step, []).append(f"{number(median)} [{number(low)}, {number(high)}]")
    return list(rows.items())


def _sensitivity_table(results: Results) -> list[tuple[str, float, list[float], bool]]:
    """A row a rule and learning rate: where each tuning run ended, and whether early."""
    rows: dict[tuple[str, float, bool], list[float]] = {}
    data = charts.tuning_ends(results)
    columns = (data[name] for name in ("rule", "learning_rate", "stopped", "loss"))
    for rule, rate, stopped, loss in zip(*columns, strict=True):
        rows.setdefault((rule, rate, stopped), []).append(loss)
    return [(rule, rate, losses, stopped) for (rule, rate, stopped), losses in rows.items()]


def _picture(results: Results, name: str) -> dict[str, Any]:
    """A chart for the page: its words, a still picture, and the specification Vega draws from."""
    from markupsafe import Markup

    chart = charts.CHARTS[name](results, style.PAGE)
    words = chart.title
    chart.title = ""
    still = io.StringIO()
    chart.save(still, format="svg")
    spec = json.dumps(chart.to_dict(), separators=(",", ":"), allow_nan=False)
    widest = max(len(title(s.rule)) for s in results.verdict.standings)
    return {
        "name": name,
        "title": words.text,
        "caption": words.subtitle,
        # Both are made by Vega-Lite and json, which escape; "<" could still end the script.
        "still": Markup(still.getvalue()),  # noqa: S704
        "spec": Markup(spec.replace("<", "\\u003c")),  # noqa: S704
        # What the axis and the labels need beside the plot, in pixels.
        "beside": 95 + min(charts.LABEL_LIMIT, 8 * widest),
    }


def _machine(machine: Mapping[str, Any]) -> str:
    """The hardware in a line."""
    said = [f"{v} {k}" if isinstance(v, int) else str(v) for k, v in machine.items()]
    return " · ".join(said)


def prepare() -> None:
    """Load what pages are made with, which takes seconds: while other things are going on."""
    import vl_convert

    _bundle()
    # The first picture starts the machinery.
    vl_convert.vegalite_to_svg({"mark": "point", "data": {"values": [{}]}})


def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, of the version that wrote the charts."""
    import altair as alt
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    script = vl_convert.javascript_bundle(vl_version=version)  # type: ignore[call-arg]  # its stub is wrong
    # The same strings to JavaScript; in HTML they would end the script or hide its end.
    return str(script).replace("</script", "<\\/script").replace("<!--", "<\\!--")


def fingerprint(script: str) -> str:
    """A script as a Content-Security-Policy names it: nothing else may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
