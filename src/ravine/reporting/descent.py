"""A descent in the terminal: the gradient in symbols and numbers, each path, how each ended."""

import json
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ravine.errors import InvalidArgument
from ravine.explain.surfaces.descent import Descent
from ravine.explain.surfaces.ending import Ending
from ravine.explain.surfaces.walk import Path
from ravine.reporting.charts import save
from ravine.reporting.numbers import number, numbers

ROWS = 16  # of a path; a longer one is thinned to about as many


def deliver(descent: Descent, as_json: bool, pictures: Mapping[str, FilePath | None]) -> None:
    """Print a descent, and draw it into the files given by format. Raises ``InvalidArgument``."""
    wanted = {suffix: file for suffix, file in pictures.items() if file is not None}
    for suffix, file in wanted.items():
        if file.suffix.lower() != suffix:
            raise InvalidArgument(
                f"--{suffix[1:]} writes a file that ends in '{suffix}', not '{file}'"
            )
    if wanted:
        from ravine.reporting.contours import picture

        drawn = picture(descent)
        for file in wanted.values():
            _save(drawn, file)
    if as_json:
        print(json.dumps(descent.to_json(), allow_nan=False))  # noqa: T201
    else:
        show(descent, Console())


def show(descent: Descent, console: Console) -> None:
    """Print a descent; a path of more than some twenty steps thinned, its first and last kept."""
    surface = descent.surface
    if surface.about:
        console.print(Text.assemble((surface.name, "bold"), f"  {surface.about}"))
        console.print()
    at = numbers(surface.start)
    lines = [
        f"  f(x, y) = {surface.formula.plain()}",
        f"  ∇f(x, y) = [{', '.join(part.plain() for part in surface.formula.gradient)}]",
        f"  at ({at}): f = {number(surface.value(*surface.start))}, "
        f"∇f = [{numbers(surface.gradient(*surface.start))}]",
    ]
    if surface.noise:
        said = f"with noise of standard deviation {number(surface.noise)} in each coordinate"
        lines.append(f"  each step is given ∇f {said}, seed {descent.seed}")
    # A line too long for the terminal is left to it, which breaks none on the way to a file.
    console.out("\n".join(lines) + "\n", highlight=False)
    for path in descent.paths:
        console.print(Text(str(path.rule), "bold"))
        console.print(_table(path))
        console.print()
    for path, end in zip(descent.paths, descent.endings, strict=True):
        console.print(Text.assemble(f"{end.mark} ", (str(path.rule), "bold"), f" {said_of(end)}"))


def said_of(end: Ending) -> str:
    """How a walk ended, as the end of a sentence that begins with its rule."""
    where = f"at ({numbers(end.point)}), f = {number(end.value)}"
    slope = f"slope {number(end.slope)}"
    ways = {
        "minimum": f"reached a minimum at step {end.step}: {where}",
        "local minimum": f"stopped in a local minimum at step {end.step}: {where}",
        "saddle": f"stopped near a saddle at step {end.step}: {where}, {slope}; "
        "but the surface falls off to a side",
        "maximum": f"stopped near a maximum at step {end.step}: {where}, {slope}; "
        "it goes down all around",
        "stalled": f"hardly moves any more, {where}, {slope}",
        "on its way": f"is still on its way after {end.step} steps, {where}, {slope}",
        "diverged": f"diverged at step {end.step}",
    }
    said = ways[end.kind]
    if end.kind != "diverged" and end.nearest is not None and end.distance is not None:
        said += f"; {number(end.distance)} from the minimum at ({numbers(end.nearest)})"
    return said


def thinned(count: int) -> list[int]:
    """Which of the rows 0 … count − 1 are shown: all of a few, else evenly, both ends kept.

    >>> thinned(3), thinned(51)
    ([0, 1, 2], [0, 1, 2, 3, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50])
    """
    if count <= ROWS + 5:
        return list(range(count))
    apart = next(
        step * 10**power
        for power in range(20)
        for step in (1, 2, 5)
        if count / (step * 10**power) < ROWS - 4
    )
    return sorted({0, 1, 2, 3, count - 1} | set(range(0, count, apart)))


def _save(drawn: Any, file: FilePath) -> None:
    try:
        save(drawn, file)
    except OSError as error:
        raise InvalidArgument(f"cannot write '{file}': {error.strerror or error}") from error


def _table(path: Path) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    ahead = path.rule.looks_ahead
    for heading in ("  step", "x", "y", "f"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("gradient, taken ahead" if ahead else "gradient", no_wrap=True)
    for step in thinned(len(path.values)):
        # The last point has had no gradient taken.
        slope = f"[{numbers(path.gradients[step])}]" if step < len(path.gradients) else ""
        cells = (str(step), *map(number, (*path.weights[step], path.values[step])), slope)
        table.add_row(*map(Text, cells))
    return table
