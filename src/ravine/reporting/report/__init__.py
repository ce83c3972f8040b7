"""The report: one HTML file that says what a race found, and lets anyone check it."""

import base64
import gzip
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ravine.analysis import Spread, naming, said_ratio, title
from ravine.experiment.curve import Curve
from ravine.experiment.engines import called
from ravine.reporting import charts, runs, style, tables, vega
from ravine.reporting.charts.ecdf import bounds
from ravine.reporting.results import Results
from ravine.reporting.scripts import fingerprint, joined, lean
from ravine.reporting.templates import render

# In reading order, before the failures and the single runs.
FIRST = (
    "speedups",
    "curves",
    "sensitivity",
    "reached",
    "clocks",
    "tries",
    "targets",
    "confirmation",
)
PANELS = ("sensitivity", "training")  # a panel a rule, which its title names
# Of the page's script; each uses what stands before it.
MODULES = ("packing", "charts", "target", "runs", "copying")
# Pixels that a still picture is made for: what a window has room for, from 1,200 on.
ROOM = 1104


def write(results: Results, path: str | os.PathLike[str]) -> None:
    """Write the report. It asks for nothing from anywhere, and can be read without scripts."""
    from markupsafe import Markup

    verdict, diverged = results.verdict, tables.failures(results.curves)
    live: dict[str, Any] = {"datasets": {}, "specs": {}}
    first = [name for name in FIRST if name != "confirmation" or results.confirmed]
    pictures = {name: _picture(results, name, live) for name in (*first, "training")}
    page = render(
        "report.html",
        {"hash": fingerprint, "number": tables.number, "ratio": _ratio},
        results=results,
        plan=results.plan,
        choices=results.plan.choices,
        reference=naming.called(results.verdict.reference),
        verdict=verdict,
        looks=style.looks(results.plan.choices.rules, style.PAGE),
        stages=_stages(results.curves),
        lines=results.lines,
        rows=[tables.leaderboard(standing) for standing in results.verdict.standings],
        failures=diverged,
        diverged_runs=sum(case["runs"] for case in diverged),
        starts=_starts(results.curves),
        pictures=[pictures[name] for name in first],
        training=pictures["training"],
        bounds=bounds(results),
        packed=_small(runs.packed(results)),
        live=_small(json.dumps(live, separators=(",", ":"), allow_nan=False).encode()),
        runs_csv=_file(_csv(runs.table(results))),
        curves_csv=_file(_csv(charts.bands(results))),
        verdict_json=_file(results.to_json()),
        protocol=results.protocol,
        machine=_machine(results.machine),
        engine=called(results.plan.facts.engine),
        script=Markup(lean(joined(__package__, MODULES))),  # noqa: S704  # our own
        vega=_small(vega.script().encode()),
        vega_hash=fingerprint(vega.script()),
    )
    Path(path).write_text(page, encoding="utf-8", newline="\n")


def _ratio(speedup: Spread) -> str:
    """A speed-up the other way round, with its interval."""
    return " ".join(said_ratio(speedup))


def _stages(curves: Iterable[Curve]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for curve in curves:
        counts[curve.run.stage] = counts.get(curve.run.stage, 0) + 1
    return counts


def _starts(curves: Iterable[Curve]) -> list[Curve]:
    """One run of each evaluation seed, to show what all of them set out from."""
    return list({c.run.seed: c for c in curves if c.run.stage == "evaluation"}.values())


def _picture(results: Results, name: str, live: dict[str, Any]) -> dict[str, Any]:
    """A chart for the page: words and a still picture.

    What Vega draws it from goes to ``live``: a specification for each way that the chart can be
    drawn, and the rows, once for all of them.
    """
    from altair.utils.schemapi import debug_mode
    from markupsafe import Markup

    found: dict[str, Any] = {"name": name, "title": charts.TITLES[name]}
    found["why"] = charts.missing(results, name, {})
    if found["why"]:
        return found
    found["beside"] = _beside(results, name)
    specs: dict[str, Any] = {}
    live["specs"][name] = specs
    with debug_mode(False):  # what is drawn is tested; to validate it each time takes as long again
        for chosen in charts.variants(results, name):
            chart = charts.chart(results, name, style.PAGE, **chosen)
            subtitle, chart.title = chart.title.subtitle, ""
            spec = chart.to_dict(validate=False)
            if not specs:
                # The second line says what can be moved here.
                found["caption"] = subtitle if isinstance(subtitle, str) else subtitle[0]
                # Made by Vega-Lite, which escapes.
                found["still"] = Markup(vega.still(_fitted(name, spec, found["beside"]), name))  # noqa: S704
            live["datasets"] |= spec.pop("datasets", {})
            for param in spec.get("params", ()):
                param.pop("bind", None)  # the page has controls of its own
            specs["-".join(chosen.values())] = spec
    options = {o: _values(specs, i) for i, o in enumerate(charts.options(name))}
    return found | {"options": options, "table": tables.BEHIND[name](results)}


def _beside(results: Results, name: str) -> int:
    """What the axis and the labels need beside the plot, or each of its panels, in pixels."""
    rules = [s.rule for s in results.verdict.standings]
    if name == "confirmation":
        rules = [rule for found in results.confirmed for rule in found.rules]
    elif name == "speedups":
        return 40
    elif name in PANELS:
        return 58
    return 95 + min(charts.LABEL_LIMIT, 8 * max(len(title(rule)) for rule in rules))


def _fitted(name: str, spec: dict[str, Any], beside: int) -> dict[str, Any]:
    """As wide as a desk has room for; ``fit`` in charts.js does so for other rooms."""
    if name == "clocks":
        return spec  # between two columns of labels, and no more
    if "concat" in spec:
        width = ROOM // spec["columns"] - beside
        return spec | {"concat": [panel | {"width": width} for panel in spec["concat"]]}
    return spec | {"width": ROOM - beside}


def _values(specs: Iterable[str], place: int) -> list[str]:
    return list(dict.fromkeys(key.split("-")[place] for key in specs if key))


def _small(content: bytes) -> str:
    """Deflated, in base64."""
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _csv(data: Any) -> str:
    return str(data.to_csv(index=False, lineterminator="\n"))


def _file(text: str) -> str:
    """A file, gzipped, as an address: a link saves it without a script."""
    packed = gzip.compress(text.encode(), mtime=0)
    return f"data:application/gzip;base64,{base64.b64encode(packed).decode()}"


def _machine(machine: Mapping[str, Any]) -> str:
    """The hardware in a line."""
    said = [f"{v} {k}" if isinstance(v, int) else str(v) for k, v in machine.items()]
    return " · ".join(said)
