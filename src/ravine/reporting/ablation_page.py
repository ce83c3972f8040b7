"""What levers were found to do: a page, tables in the terminal, and JSON for other programs."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ravine.analysis import Spread, title
from ravine.analysis.ablation import Values
from ravine.analysis.ablation_text import HOW, said_effect, said_interval, said_values
from ravine.errors import unknown
from ravine.experiment.target import SPLITS
from ravine.reporting import ablation_charts, charts, style, vega
from ravine.reporting.ablation_results import Told, effect_row
from ravine.reporting.console import wide
from ravine.reporting.results import finite
from ravine.reporting.tables import number
from ravine.reporting.templates import render

PICTURES = {"effects": "levers", "gradients": "gradients"}  # with the names of their files


def to_json(told: Told, asked: Mapping[str, Any]) -> str:
    """``levers.json``. What is infinite or not a number is null."""
    found = told.compared
    content: dict[str, Any] = {
        "verdict": told.sentence,
        "warnings": list(told.warnings),
        "notes": list(told.notes),
        "how": HOW,
        "asked": asked,
        "levers": {name: list(values) for name, values in told.levers.items()},
        "target": told.target.value,
        "target_measure": told.measure,
        "clock": found and found.clock,
        "effects": [effect_row(e) for e in found.effects] if found else [],
        "under_single_combinations": [
            {k: v for k, v in effect_row(e).items() if k not in ("p_value", "finding")}
            | {"within": dict(e.within)}
            for e in (found.within if found else ())
        ],
        "combinations": [
            {
                "values": dict(values),
                "folder": name,
                "verdict": told.results[name].verdict.sentence,
                **_combination(told, values),
                **told.tried_out[name],
            }
            for name, values in told.values.items()
        ],
        "changes_of_winner": [
            {**c._asdict(), "within": dict(c.within)} for c in (found.changes if found else ())
        ],
    }
    return json.dumps(finite(content), indent=2, ensure_ascii=False) + "\n"


def _combination(told: Told, values: Values) -> dict[str, Any]:
    if told.compared is None:
        return {}
    one = next(c for c in told.compared.combinations if c.values == values)
    times = {rule: spread._asdict() for rule, spread in one.times.items()}
    return {"winner": one.winner or None, "tied_for_first": list(one.ties), "times": times}


def chart(told: Told, name: str, paint: style.Paint = style.LIGHT) -> Any:
    """One of the ``PICTURES``."""
    if name not in PICTURES:
        raise unknown("chart", name, PICTURES)
    if name == "effects":
        return ablation_charts.effects(told.found, paint)
    return ablation_charts.gradients(_models(told), paint)


def _models(told: Told) -> dict[str, list[tuple[str, float]]]:
    """The gradient by layer of each model that differs, by the levers that make it so."""
    found: dict[str, list[tuple[str, float]]] = {}
    for name, values in told.values.items():
        own = {k: v for k, v in values.items() if k != "batch_size"}
        slopes = [(s["layer"], s["size"]) for s in told.tried_out[name]["slopes"]]
        found.setdefault(", ".join(own.values()) or "the model", slopes)
    return found


def save(told: Told, folder: Path) -> None:
    """Write the pictures as PNG and SVG."""
    for name, file in PICTURES.items():
        if name != "effects" or (told.compared and told.compared.effects):
            charts.save(chart(told, name), folder / f"{file}.png", folder / f"{file}.svg")


def write(told: Told, path: Path) -> None:
    """Write ``levers.html``: no scripts, nothing from anywhere."""
    found = told.compared
    page = render(
        "levers.html",
        {"effect": said_effect, "interval": said_interval, "values": said_values, "time": _time},
        told=told,
        found=found,
        how=HOW,
        looks=style.looks(found.rules if found else (), style.PAGE),
        effects_still=_still(told, "effects") if found and found.effects else "",
        gradients_still=_still(told, "gradients"),
        models=_models(told),
        goal=f"{SPLITS[told.target.split]} {told.measure} of {number(told.target.value)}",
    )
    path.write_text(page, encoding="utf-8", newline="\n")


def _still(told: Told, name: str) -> Any:
    from markupsafe import Markup

    picture = chart(told, name, style.PAGE)
    picture.title = ""
    drawn = vega.still(picture.to_dict(), name)
    return Markup(drawn)  # noqa: S704  # made by Vega-Lite, which escapes


def _time(spread: Spread) -> str:
    if math.isinf(spread.median):
        return "∞"
    return f"{spread.median:.3g}" if spread.median < 100 else f"{spread.median:.0f}"


def show(told: Told, console: Console) -> None:
    """Print the effects, who is first under each combination, and the sentence."""
    console, found = wide(console), told.compared
    if found is not None:
        if found.effects:
            table = _table("lever", "value", "rule", f"times the {found.clock}, 95 %", "finding")
            for e in found.effects:
                ratio = f"{said_effect(e)} {said_interval(e.speedup)}"
                value = f"{e.value} instead of {e.base}"
                table.add_row(*map(Text, (e.lever, value, title(e.rule), ratio, e.finding)))
            console.print(table)
            console.print()
        firsts = _table(*found.levers, "first", f"its {found.clock}", "cannot be told apart")
        for c in found.combinations:
            own = (title(c.winner), _time(c.times[c.winner])) if c.winner else ("nobody", "∞")
            row = (*c.values.values(), *own, ", ".join(map(title, c.ties)))
            firsts.add_row(*map(Text, row))
        console.print(firsts)
        console.print()
    for line in told.notes:
        console.print(Text(line, "dim"), soft_wrap=not console.is_terminal)
    for line in told.warnings:
        console.print(Text(f"Warning: {line}", "yellow"), soft_wrap=not console.is_terminal)
    console.print(Text(told.sentence, "bold"), soft_wrap=not console.is_terminal)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
