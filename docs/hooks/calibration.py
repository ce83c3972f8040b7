"""What ``benchmarks.calibration`` left in ``docs/results``, as a table."""

import json
from collections.abc import Callable

import drawings


def simulated(_: str) -> str:
    """A row a task and a way its rules are: what whole races decided, and how often they erred."""
    found = json.loads((drawings.DOCS / "results" / "calibration.json").read_text(encoding="utf-8"))
    rows = [
        "| task | rules | decided (+ as fast) | something false | all hold | runs (90 %) |",
        "|---|---|---|---:|---:|---:|",
    ]
    for task, ways in found["tasks"].items():
        for way, came in ways.items():
            cells = [
                f"{task} | {way}",
                f"{came['decided']} (+ {came['equal']}) of {came['comparisons']}",
                f"{came['any_false']:.1%}",
                f"{came['all_intervals_hold']:.1%}",
                f"{came['runs']['mean']} ({came['runs']['p90']})",
            ]
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


PIECES: dict[str, Callable[[str], str]] = {"calibration": simulated}
