"""The report: one HTML file that says what a race found, and lets anyone check it."""

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ravine.pages import charts, paste, runs, style, tables
from ravine.pages.charts.reached import bounds
from ravine.pages.results import Results
from ravine.racing.store import Curve
from ravine.verdict import title

# In reading order, before the failures and the single runs.
FIRST = ("curves", "sensitivity", "reached", "clocks", "tries", "targets")


def write(results: Results, path: str | os.PathLike[str]) -> None:
    """Write the report. It asks for nothing from anywhere, and can be read without scripts."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("ravine.pages", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"hash": _hash, "number": tables.number, "name": title}
    diverged = tables.failures(results.curves)
    datasets: dict[str, Any] = {}
    page = environment.get_template("report.html").render(
        results=results,
        plan=results.plan,
        choices=results.plan.choices,
        verdict=results.verdict,
        looks=style.looks(results.plan.choices.rules, style.PAGE),
        light=style.variables(style.LIGHT),
        dark=style.variables(style.DARK),
        stages=_stages(results.curves),
        lines=paste.lines(results.plan, results.verdict.leader),
        rows=[tables.leaderboard(standing) for standing in results.verdict.standings],
        failures=diverged,
        diverged_runs=sum(case["runs"] for case in diverged),
        audits=audits(results.curves),
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
        sheet=Markup(_source("report.css")),  # noqa: S704  # our own
        bundle=Markup(_bundle()),  # noqa: S704  # Vega, as vl-convert ships it
    )
    Path(path).write_text(page, encoding="utf-8", newline="\n")


def audits(curves: Sequence[Curve]) -> list[tuple[str, list[str]]]:
    """What must be the same for all rules on a seed, each with the runs where it is not."""
    import numpy as np

    def starts_alike(a: Curve, b: Curve) -> bool:
        # Each rule's program computes it anew: the same but for rounding.
        return bool(np.allclose(a.measures[0], b.measures[0], rtol=1e-5, equal_nan=True))

    checks = {
        "initial weights": lambda a, b: a.weights_digest == b.weights_digest,
        "batch order": lambda a, b: a.batches_digest == b.batches_digest,
        "loss before step one": starts_alike,
    }
    first: dict[tuple[str, int], Curve] = {}
    for curve in curves:
        first.setdefault((curve.run.stage, curve.run.seed), curve)
    found = []
    for what, alike in checks.items():
        pairs = [(first[curve.run.stage, curve.run.seed], curve) for curve in curves]
        found.append(
            (
                what,
                [
                    f"{title(b.run.rule)} at {b.run.learning_rate:g}, {b.run.stage} seed "
                    f"{b.run.seed}: not the {what} of {title(a.run.rule)}"
                    for a, b in pairs
                    if not alike(a, b)
                ],
            )
        )
    return found


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


def _hash(script: str) -> str:
    """A script as a Content-Security-Policy names it: nothing else may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
