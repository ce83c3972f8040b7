"""How a command ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from ravine.errors import RavineError, WrongCall


@contextmanager
def exit_codes() -> Iterator[None]:
    """Errors become one line and an exit code: 2 wrong call, 1 failure, 130 interrupted."""
    try:
        yield
    except (RavineError, KeyboardInterrupt) as error:
        said = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        typer.echo("\n".join([f"ravine: {said}", *getattr(error, "__notes__", [])]), err=True)
        codes = {WrongCall: 2, RavineError: 1, KeyboardInterrupt: 130}
        sys.exit(next(code for kind, code in codes.items() if isinstance(error, kind)))
