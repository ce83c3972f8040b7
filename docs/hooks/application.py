"""What the guide says of the stored race, taken from what the race left."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ravine.rules import RULES

FOLDER = Path(__file__).parents[1] / "results" / "digits-mlp"


def stored() -> dict[str, Any]:
    """The race's verdict.json."""
    found: dict[str, Any] = json.loads((FOLDER / "verdict.json").read_text(encoding="utf-8"))
    return found


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


PIECES: dict[str, Callable[[str], str]] = {
    "verdict": verdict,
    "warnings": warnings,
    "leaderboard": leaderboard,
}
