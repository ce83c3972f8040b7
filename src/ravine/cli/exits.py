"""How a command ends."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import typer

from ravine.errors import InvalidArgument, RavineError, WorkerTraceback

VERBOSE = ContextVar("verbose", default=False)  # whether tracebacks are printed


@contextmanager
def exit_codes() -> Iterator[None]:
    """Errors become one line and an exit code: 2 wrong call, 1 failure, 130 interrupted."""
    try:
        yield
    except (RavineError, KeyboardInterrupt) as error:
        said = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        lines = [f"ravine: {said}", *getattr(error, "__notes__", [])]
        if error.__cause__ is not None:
            if VERBOSE.get():
                lines[:0] = traceback.format_exception(error.__cause__)
            elif isinstance(error.__cause__, WorkerTraceback):
                lines.append("ravine --verbose … shows the traceback")
        typer.echo("\n".join(lines), err=True)
        codes = {InvalidArgument: 2, RavineError: 1, KeyboardInterrupt: 130}
        sys.exit(next(code for kind, code in codes.items() if isinstance(error, kind)))
