"""Whoever watches: a table that moves on a real terminal, plain lines elsewhere, or nothing."""

import os
import pickle
import pty
import subprocess
import sys
import threading
from io import StringIO

import pytest
from rich.console import Console

from ravine.experiment.cost import Cost
from ravine.reporting.live.display import Display, watched
from ravine.reporting.results import Results
from ravine.training.profile import Profile, Spent

COST = Cost(2, 1e-3, 0, 0, 1, 2, 0, 3e8, 1e8, 4e8, 2e8)
# A display of its own process, on the terminal that is its standard error.
SHOWN = """
import os, sys, pickle
from ravine.reporting.live.display import Display
plan, curves = pickle.load(sys.stdin.buffer)
with Display() as display:
    display.planned(plan, [])
    for curve in curves:
        display.advanced([curve.run], 0, plan.steps, [curve.measures])
        display.finished(curve.run, curve.measures[1:])
    display.trouble("a file was damaged")
    display._live.refresh()
    os.write(1, b"shown\\n")
    sys.stdin.buffer.read()
"""


def race_by(display: Display, results: Results) -> None:
    """Let a display see a whole race."""
    with display:
        display.doing(0, "building the model")
        display.doing(0, "timing what the race will take")
        display.measured(COST)
        display.planned(results.plan, [])
        for curve in results.curves:
            display.doing(0, f"training {curve.run.rule}")
            display.advanced([curve.run], 0, len(curve.losses), [curve.measures])
            display.finished(curve.run, curve.measures[1:])
        display.publishing()


def test_plain_lines_where_nobody_watches(results: Results) -> None:
    console = Console(file=StringIO(), force_terminal=False, width=80)
    race_by(Display(console=console), results)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(line.startswith("ravine: ") for line in lines)
    assert "\x1b" not in "".join(lines)
    assert 10 < len(lines) < 30
    assert lines[0] == "ravine: timing what the race will take"
    assert f"{results.plan.count} runs of {results.plan.steps} steps" in lines[1]
    assert "about" in lines[2]
    assert "of memory" in lines[2]
    assert f"{len(results.curves)}/{len(results.curves)} runs" in lines[-2]
    assert all("left" in line for line in lines[3:-2])


def test_silence_when_asked(results: Results, capfd: pytest.CaptureFixture[str]) -> None:
    race_by(Display(shown=False), results)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_colours_that_are_forced_on_a_pipe_are_no_terminal(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    assert not watched(Console(file=StringIO()))


def test_a_terminal_without_abilities_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours), os.fdopen(theirs, "w") as terminal:
        monkeypatch.setenv("TERM", "xterm-256color")
        assert watched(Console(file=terminal))
        monkeypatch.setenv("TERM", "dumb")
        assert not watched(Console(file=terminal))


@pytest.mark.parametrize("coloured", [True, False])
def test_a_real_terminal_has_its_screen_back_afterwards(results: Results, coloured: bool) -> None:
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    environment |= {} if coloured else {"NO_COLOR": "1"}
    words = [sys.executable, "-c", SHOWN]
    half = [curve for curve in results.curves if curve.run.stage == "tuning"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        seen: list[str] = []  # read all along: what nobody reads blocks whoever writes it
        reader = threading.Thread(target=lambda: seen.append(read_all(ours)))
        reader.start()
        assert process.stdin is not None
        assert process.stdout is not None
        pickle.dump((results.plan, half), process.stdin)
        process.stdin.flush()
        process.stdout.readline()
        process.stdin.close()
        reader.join()
    before, _, rest = seen[0].partition("\x1b[?1049h")
    table, _, after = rest.rpartition("\x1b[?1049l")
    assert f"{results.plan.count} runs of" in before
    assert f"{len(half)}/{results.plan.count} runs" in table
    assert "a file was damaged" in table
    assert "a file was damaged" in after
    assert ("\x1b[38;5;" in table) == coloured
    assert "\x1b[?25h" in rest  # the cursor is shown again


def read_all(descriptor: int) -> str:
    """What was written to the other end of a terminal, until nobody has it open any more."""
    parts = []
    try:
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
    except OSError:  # Linux's way to say that it is closed
        pass
    os.close(descriptor)
    return b"".join(parts).decode()


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
