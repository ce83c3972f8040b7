"""The report: one HTML file that says what a race found, and lets anyone check it."""

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ravine.pages import charts, paste, runs, style, tables
from ravine.pages.charts.reached import bounds
from ravine.pages.results import Results
from ravine.pages.templates import render
from ravine.racing.store import Curve
from ravine.verdict import title

# In reading order, before the failures and the single runs.
FIRST = ("curves", "sensitivity", "reached", "clocks", "tries", "targets")


def write(results: Results, path: str | os.PathLike[str]) -> None:
    """Write the report. It asks for nothing from anywhere, and can be read without scripts."""
    from markupsafe import Markup

    verdict, diverged = results.verdict, tables.failures(results.curves)
    datasets: dict[str, Any] = {}
    page = render(
        "report.html",
        {"hash": fingerprint, "number": tables.number},
        results=results,
        plan=results.plan,
        choices=results.plan.choices,
        verdict=verdict,
        looks=style.looks(results.plan.choices.rules, style.PAGE),
        stages=_stages(results.curves),
        lines=paste.lines(results.plan, verdict.leader) if not verdict.refused else [],
        rows=[tables.leaderboard(standing) for standing in results.verdict.standings],
        failures=diverged,
        diverged_runs=sum(case["runs"] for case in diverged),
        starts=_starts(results.curves),
        pictures=[_picture(results, name, datasets) for name in FIRST],
        training=_picture(results, "training", datasets),
        bounds=bounds(results),
        packed=_small(runs.packed(results)._asdict()),
        datasets=_small(datasets),
        runs_csv=_data("text/csv", _csv(runs.table(results))),
        curves_csv=_data("text/csv", _csv(charts.bands(results))),
        verdict_json=_data("application/json", results.to_json()),
        protocol=results.protocol,
        machine=_machine(results.machine),
        script=Markup(_source("report.js")),  # noqa: S704  # our own
        bundle=Markup(_bundle()),  # noqa: S704  # Vega, as vl-convert ships it
    )
    Path(path).write_text(page, encoding="utf-8", newline="\n")


def _stages(curves: Iterable[Curve]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for curve in curves:
        counts[curve.run.stage] = counts.get(curve.run.stage, 0) + 1
    return counts


def _starts(curves: Iterable[Curve]) -> list[Curve]:
    """One run of each fresh seed, to show what all of them set out from."""
    return list({c.run.seed: c for c in curves if c.run.stage == "fresh"}.values())


def _picture(results: Results, name: str, datasets: dict[str, Any]) -> dict[str, Any]:
    """A chart for the page: words, a still picture, and what Vega draws it from, in each way.

    Rows go to ``datasets``, once for all the ways that a chart can be drawn.
    """
    import vl_convert
    from altair.utils.schemapi import debug_mode
    from markupsafe import Markup

    found: dict[str, Any] = {"name": name, "why": charts.missing(results, name, {})}
    if found["why"]:
        return found | {"title": charts.TITLES[name]}
    specs: dict[str, Any] = {}
    still = ""
    with debug_mode(False):  # what is drawn is tested; to validate it each time takes as long again
        for chosen in charts.variants(results, name):
            chart = charts.chart(results, name, style.PAGE, **chosen)
            if not specs:
                words = chart.title.subtitle
                caption = words if isinstance(words, str) else words[0]  # the rest can be moved
                found |= {"title": charts.TITLES[name], "caption": caption}
            chart.title = ""
            spec = chart.to_dict()
            still = still or vl_convert.vegalite_to_svg(spec, vl_version=_version())
            datasets |= spec.pop("datasets", {})
            for param in spec.get("params", ()):
                param.pop("bind", None)  # the page has controls of its own
            specs["-".join(chosen.values())] = spec
    widest = max(len(title(s.rule)) for s in results.verdict.standings)
    options = {o: _values(specs, i) for i, o in enumerate(charts.options(name))}
    return found | {
        # Made by Vega-Lite, which escapes.
        "still": Markup(still),  # noqa: S704
        "specs": _script(specs),
        "options": options,
        "table": tables.BEHIND[name](results),
        # What the axis and the labels need beside the plot, in pixels.
        "beside": 95 + min(charts.LABEL_LIMIT, 8 * widest),
    }


def _values(specs: Iterable[str], place: int) -> list[str]:
    return list(dict.fromkeys(key.split("-")[place] for key in specs if key))


def _script(value: Any) -> Any:
    """JSON inside a script element: json escapes all but "<", which could end the script."""
    from markupsafe import Markup

    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704


def _small(value: Any) -> str:
    """JSON, deflated, in base64."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _csv(data: Any) -> str:
    return str(data.to_csv(index=False, lineterminator="\n"))


def _data(kind: str, text: str) -> str:
    """A file as an address, for a link that saves it without a script."""
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"


def _source(name: str) -> str:
    return (Path(__file__).parent / "template" / name).read_text(encoding="utf-8")


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
    import vl_convert

    script = vl_convert.javascript_bundle(vl_version=_version())  # type: ignore[call-arg]  # its stub is wrong
    # The same strings to JavaScript; in HTML they would end the script or hide its end.
    return str(script).replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _version() -> str:
    """Of Vega-Lite, for which the charts are written."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def fingerprint(script: str) -> str:
    """A script as a Content-Security-Policy names it: nothing else may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
