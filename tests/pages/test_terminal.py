"""The terminal: live where someone watches, plain lines elsewhere, and a leaderboard."""

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from ravine.pages.results import Results
from ravine.pages.terminal import Display, show
from ravine.racing.profile import Profile, Spent


def watched(display: Display, results: Results) -> None:
    """Let a display see a whole race."""
    with display:
        display.doing(0, "building the model")
        display.planned(results.plan, [])
        for curve in results.curves:
            display.doing(0, f"training {curve.run.rule}")
            display.finished(curve.run, curve.measures[1:])
        display.publishing()


def test_a_live_display_shows_what_runs_and_the_standings(results: Results) -> None:
    console = Console(file=StringIO(), force_terminal=True, width=100, color_system=None)
    display = Display(console=console)
    with display:
        display.planned(results.plan, [])
        half = list(results.curves)[: results.plan.count // 2]
        for curve in half:
            display.doing(1, f"training {curve.run.rule}")
            display.finished(curve.run, curve.measures[1:])
        console.print(display._picture())
    seen = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"{len(half)}/{results.plan.count} runs, about" in seen
    assert f"training {half[-1].run.rule}" in seen
    assert f"{half[0].run.rule} " in seen


def test_plain_lines_where_nobody_watches(results: Results) -> None:
    console = Console(file=StringIO(), force_terminal=False, width=80)
    watched(Display(console=console), results)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(line.startswith("ravine: ") for line in lines)
    assert "\x1b" not in "".join(lines)
    assert 10 < len(lines) < 30
    assert f"{results.plan.count}/{results.plan.count} runs" in lines[-2]


def test_silence_when_asked(results: Results, capfd: pytest.CaptureFixture[str]) -> None:
    watched(Display(shown=False), results)
    assert capfd.readouterr() == ("", "")


def test_the_leaderboard_has_every_rule_and_the_sentence(results: Results) -> None:
    console = Console(file=StringIO(), width=120)
    show(results, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert str(results.verdict) in printed
    for standing in results.verdict.standings:
        assert f"{standing.learning_rate:g}" in printed
        assert f"{standing.reached}/{standing.runs}" in printed
        assert np.isfinite(standing.final_loss) == (f"{standing.final_loss:.4f}" in printed)


def test_a_profile_is_printed_where_it_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    profile = Profile(workers=1, clock=iter([0.0, 8.0, 8.0, 8.0]).__next__)
    profile.segment("adam", 3.0, Spent(1.0, 2.0, 5, 0.1))
    profile.lanes[4] = 12
    Display(shown=False).profiled(profile)
    assert capsys.readouterr().err == ""
    Display(shown=False, profiling=True).profiled(profile)
    said = capsys.readouterr().err
    assert [line.split() for line in said.splitlines()][1:3] == [
        ["training", "1.5", "19%"],
        ["evaluating", "0.5", "6%"],
    ]
    assert "12 with 4" in said
