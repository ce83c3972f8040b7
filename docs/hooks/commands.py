"""Commands run while the site is built, and what they print or draw."""

import contextlib
import io
import os
import runpy
import shlex
import tempfile
import zlib
from pathlib import Path
from unittest.mock import patch

import drawings
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
WIDTH = 96  # columns; what a page has room for


def output(line: str) -> str:
    """A command and what it prints."""
    return f"```console\n$ {line}\n{_run(shlex.split(line))}```"


def endings(line: str) -> str:
    """A walk's command, and the last that it prints: how each path ends."""
    printed = _run(shlex.split(line))
    first = min(printed.find(f"\n{mark} ") for mark in "●■○✕" if f"\n{mark} " in printed)
    return f"```console\n$ {line}\n…{printed[first:]}```"


def picture(line: str) -> str:
    """What a command draws: its words before ``|`` say what there is to see, to who cannot."""
    said, _, command = line.partition(" | ")
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "drawn.svg"
        _run([*shlex.split(command), "--svg", str(drawn)])
        # A command may be drawn twice on a page, but never under two names.
        name = f"drawn{zlib.crc32(command.encode()):x}"
        drawing = drawings.inline(drawn.read_text(encoding="utf-8"), said, name)
    return f"{drawing}\n\n*Drawn by `{command} --svg paths.svg`*"


def script(path: str) -> str:
    """An example, and what it prints."""
    printed = io.StringIO()
    with (
        tempfile.TemporaryDirectory() as folder,  # for what it leaves
        contextlib.chdir(folder),
        contextlib.redirect_stdout(printed),
    ):
        runpy.run_path(str(ROOT / path), run_name="__main__")
    return f"```console\n$ python {path}\n{printed.getvalue()}```"


def _run(words: list[str]) -> str:
    from ravine.cli.app import app

    with patch.dict(os.environ, {"COLUMNS": str(WIDTH), "NO_COLOR": "1"}):
        done = CliRunner().invoke(app, words[1:])
    if done.exit_code:
        raise RuntimeError(f"{shlex.join(words)} ended with {done.exit_code}: {done.output}")
    return "\n".join(map(str.rstrip, done.output.splitlines())) + "\n"
