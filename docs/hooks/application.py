"""What the guide says of the stored race, taken from what the race left."""

import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import drawings
import provenance
from altair.utils.schemapi import debug_mode

import ravine
from ravine.reporting import charts, tables, vega
from ravine.rules import RULES

FOLDER = Path(__file__).parents[1] / "results" / "digits-mlp"


def stored() -> dict[str, Any]:
    """The race's verdict.json."""
    found: dict[str, Any] = json.loads((FOLDER / "verdict.json").read_text(encoding="utf-8"))
    return found


def race() -> ravine.Race:
    """The race itself, judged once for all pages, as long as its file stays as it is."""
    return _opened((FOLDER / "race.sqlite").stat().st_mtime_ns)


@cache
def _opened(_: int) -> ravine.Race:
    # From a copy: a database that is read leaves files beside it.
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(FOLDER / "race.sqlite", folder)
        return ravine.Race.open(Path(folder))


def verdict(_: str) -> str:
    """The sentence."""
    return f"> {stored()['verdict']}"


def warnings(_: str) -> str:
    """What the race warns of."""
    return "\n".join(f"- {warning}." for warning in stored()["warnings"])


def leaderboard(_: str) -> str:
    """A row a rule, fastest first."""
    rows = [
        "| rule | learning rate | speed-up in steps | speed-up in seconds | reached | steps to "
        "target | finding | forgiving decades |",
        "|---|---:|---:|---:|---:|---:|---|---:|",
    ]
    return "\n".join([*rows, *map(_row, stored()["rules"])])


def _row(rule: dict[str, Any]) -> str:
    forgiving = rule["tuning"]["forgiving"]
    cells = [
        f"[{RULES[rule['rule']].__name__}](../rules/{rule['rule']}.md)",
        f"{rule['learning_rate']:g}",
        interval(rule["speedup"]),
        interval(rule["speedup_seconds"]),
        f"{rule['reached']}/{rule['runs']}",
        interval(rule["steps_to_target"], "g"),
        rule["finding"] or "",
        f"{forgiving['decades']:.1f}" if forgiving else "",
    ]
    return f"| {' | '.join(cells)} |"


def interval(given: dict[str, float | None] | None, form: str = ".2f") -> str:
    """A median with its interval.

    >>> interval({"median": 2.149, "low": 1.48, "high": 2.6316})
    '2.15 [1.48, 2.63]'
    """
    if given is None:
        return "–"
    median, low, high = (
        "∞" if given[key] is None else format(given[key], form) for key in ("median", "low", "high")
    )
    return f"{median} [{low}, {high}]"


def chart(name: str) -> str:
    """A chart of the race, drawn anew from its curves."""
    # What is drawn is tested; to validate it each time takes as long again.
    with debug_mode(False):
        drawn = race().chart(name).to_dict(validate=False)
    said = f"{charts.TITLES[name]}; the numbers are in the report"
    return drawings.inline(vega.svg(drawn), said, name)


def confirmation(_: str) -> str:
    """What came of training the winner by ``model.fit``, and a row a run that was done twice."""
    said = "\n>\n".join(f"> {found}" for found in race().confirmed)
    table = tables.BEHIND["confirmation"](race().results)
    rows = [table.columns, ["---"] * len(table.columns), *([r.head, *r.cells] for r in table.rows)]
    return f"{said}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def raced_by(_: str) -> str:
    """The race's command, the machine and the versions."""
    return provenance.line(race().results.command, stored())


PIECES: dict[str, Callable[[str], str]] = {
    "verdict": verdict,
    "warnings": warnings,
    "leaderboard": leaderboard,
    "chart": chart,
    "confirmation": confirmation,
    "raced_by": raced_by,
}
