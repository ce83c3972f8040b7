"""Room for tables where no terminal sets a limit."""

from rich.console import Console

PIPED = 140  # columns: what reads a pipe does not want its lines broken


def wide(console: Console) -> Console:
    """The console itself on a terminal; else one to the same place with more room."""
    return console if console.is_terminal else Console(file=console.file, width=PIPED)
