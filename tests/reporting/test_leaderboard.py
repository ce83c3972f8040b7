"""The leaderboard in a terminal, as a table of data and as JSON: one set of numbers."""

import json
import math
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ravine.reporting.results import Results
from ravine.reporting.terminal import show
from ravine.rules import RULES

DOCS = Path(__file__).parents[2] / "docs" / "verdict-json.md"


@pytest.fixture
def everyone(make_results, lost) -> Results:
    """All of ravine's rules, their steps timed; each loses a run."""
    speed = dict(zip(RULES, (0.02, 0.03, 0.03, 0.025, 0.05, 0.09, 0.085, 0.08), strict=True))
    seconds = {rule: 1e-4 * (1 + i / 4) for i, rule in enumerate(RULES)}
    return make_results(
        lambda c: lost(c, 101) if c.run.seed == 2_000_003 else c, speed, step_seconds=seconds
    )


def printed(results: Results, width: int = 100) -> list[str]:
    console = Console(file=StringIO(), width=width)
    show(results, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_it_fits_a_hundred_columns(everyone) -> None:
    lines = printed(everyone)
    heading, *rows = lines[: len(RULES) + 1]
    assert heading.split()[:3] == ["rule", "rate", "forgiving"]
    assert heading.rstrip().endswith("diverged")
    assert max(map(len, lines[: len(RULES) + 1])) <= 100
    assert [row.split()[0].lower() for row in rows] == [s.rule for s in everyone.verdict.standings]
    assert "…" not in "".join(lines)


def test_what_else_was_found_is_a_line_each(everyone) -> None:
    text = "\n".join(printed(everyone))
    assert re.search(r"^lowest expected loss, from tuning, .* \w+ after 1( to \d)?", text, re.M)
    assert re.search(r"^fewest steps to other test losses: ", text, re.M)
    assert re.search(r"^optimizer memory, bytes a parameter: .*Adam 8.*others 0", text, re.M)
    assert re.search(r"^speed-up in seconds: .*Adam \d\.\d\d \[", text, re.M)
    assert str(everyone.verdict) in text


def test_every_field_of_the_json_is_documented_and_no_other(everyone) -> None:
    content = json.loads(everyone.to_json())
    found = [set(content), set(content["rules"][0]), set(content["rules"][0]["tuning"])]
    tables = re.split(r"\n\n(?=\| field)", DOCS.read_text(encoding="utf-8"))[1:]
    documented = [set(re.findall(r"^\| `(\w+)` \|", table, re.M)) for table in tables]
    assert documented == found


def test_data_and_json_agree(everyone) -> None:
    rows = everyone.leaderboard().to_dict("records")
    entries = json.loads(everyone.to_json())["rules"]
    for row, entry in zip(rows, entries, strict=True):
        flat = {
            **entry,
            **{f"final_{name}": value for name, value in entry["final_metrics"].items()},
            "speedup": entry["speedup"]["median"],
            "speedup_low": entry["speedup"]["low"],
            "speedup_high": entry["speedup"]["high"],
            "speedup_seconds": entry["speedup_seconds"]["median"],
            "steps_to_target": entry["steps_to_target"]["median"],
            "gradients_to_target": entry["gradients_to_target"]["median"],
            "seconds_to_target": entry["seconds_to_target"]["median"],
            "forgiving_decades": entry["tuning"]["forgiving"]["decades"],
            "cliff": entry["tuning"]["cliff"],
        }
        for name, value in row.items():
            infinite = isinstance(value, float) and not math.isfinite(value)
            assert flat[name] == (None if infinite else value), name


def test_what_was_not_measured_is_missing_not_zero(results) -> None:
    """Steps that nobody timed, and a rule whose memory cannot be known by its name."""
    row = results.leaderboard().iloc[0]
    assert row["rule"].startswith("mine")
    assert all(math.isnan(row[x]) for x in ("speedup_seconds", "seconds_to_target", "state_bytes"))
    entry = json.loads(results.to_json())["rules"][0]
    assert entry["step_seconds"] is entry["speedup_seconds"] is entry["state_bytes"] is None
    assert not any("seconds" in line for line in printed(results))
