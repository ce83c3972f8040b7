"""Names and numbers that nobody means: one line that says so, and exit code 2."""

import pytest
from typer.testing import CliRunner

from ravine.cli.app import app

LONG = "x" * 5000  # no system has names of that length


@pytest.mark.parametrize(
    "words",
    [
        ["new", ""],
        ["new", "."],
        ["new", "/"],
        ["new", LONG],
        ["report", LONG],
        ["resume", LONG],
        ["compare", LONG, f"{LONG}y"],
        ["export", LONG, "--to", "csv"],
        ["replicate", LONG],
        ["crosscheck", LONG, "--in", "torch"],
        ["race", "digits-mlp", "--out", LONG],
        ["race", f"{LONG}.py:task"],
        ["race", "digits-mlp", "--vary", "activation=relu", "--out", LONG],
        ["suite", "--out", LONG],
        ["race", ":"],
        ["report", "\0"],
        ["descend", "x**2", "--steps", "1000000000"],
        ["race", "diabetes-linear", "--learning-rates", "1e308:1.7e308:3"],
    ],
    ids=lambda words: " ".join(word[:12] for word in words),
)
def test_it_is_a_wrong_call(words: list[str]) -> None:
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code == 2


def test_a_page_that_cannot_be_written_is_a_failure() -> None:
    done = CliRunner().invoke(app, ["explore", "--no-open", "--out", LONG])
    assert done.exit_code == 1
    assert "cannot write" in done.output
