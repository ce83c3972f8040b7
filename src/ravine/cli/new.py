"""The command that writes a file to start a task of one's own from."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ravine.cli.exits import exit_codes
from ravine.errors import InvalidArgument, unknown

KINDS = ("keras", "jax", "torch")
NEW_EXAMPLES = """**Examples**

- `ravine new my_task.py`, then `ravine race my_task.py:make_task`

- `ravine new my_task.py --kind jax`: two pure functions instead of a Keras model

- `ravine new my_task.py --kind torch`: a PyTorch module
"""


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    kind: Annotated[
        str,
        typer.Option(metavar="KIND", help="keras: a model; jax: pure functions; torch: a module."),
    ] = "keras",
) -> None:
    """Write a commented file with a task of your own, which runs as it is."""
    with exit_codes():
        if kind not in KINDS:
            raise unknown("kind", kind, KINDS)
        if not file.name:
            raise InvalidArgument(f"'{file}' is a folder: name a file, such as my_task.py")
        if not file.suffix:
            file = file.with_suffix(".py")
        if file.suffix != ".py":
            raise InvalidArgument(f"'{file}' is not a Python file: end its name with .py")
        text = Path(__file__).with_name("starting").joinpath(f"{kind}_task.py").read_text("utf-8")
        place = shlex.quote(f"{file}:make_task")
        try:
            with file.open("x", encoding="utf-8") as opened:
                opened.write(text.replace("FILE:make_task", place))
        except FileExistsError:
            raise InvalidArgument(
                f"'{file}' is there already; nothing is overwritten: name another"
            ) from None
        except OSError as error:
            raise InvalidArgument(f"cannot write '{file}': {error.strerror or error}") from error
        typer.echo(f"{file} is yours to change, and runs as it is: ravine race {place}")
