"""Commands about races that are finished: their pages again, side by side, for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ravine.cli.exits import exit_codes
from ravine.cli.options import AsJson, Folder
from ravine.errors import InvalidArgument

if TYPE_CHECKING:
    from ravine.results.ablation import Ablation
    from ravine.results.race import Race

COMPARE_EXAMPLES = """**Examples**

- `ravine compare ravine-runs/*`

- `ravine compare monday tuesday --out compared.html`

- `ravine compare monday tuesday --json > compared.json`
"""
EXPORT_EXAMPLES = """**Examples**

- `ravine export my-race --to csv`: every run and every measurement, in my-race/csv

- `ravine export my-race --to parquet --out tables`

- `ravine export my-race --to tensorboard`, then `tensorboard --logdir my-race/tensorboard`
"""


def report(folder: Folder, as_json: AsJson = False) -> None:
    """Print a finished race's leaderboard and write its pages again."""
    with exit_codes():
        from ravine.execution import ablation
        from ravine.results.ablation import Ablation
        from ravine.results.race import Race

        of_levers = ablation.is_levers(folder)
        found = Ablation(folder) if of_levers else Race.open(folder)
        found.publish()
        show(found, as_json=as_json)


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Two races or more.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write them as a page.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put several finished races side by side."""
    with exit_codes():
        from rich.console import Console

        from ravine.reporting import comparison
        from ravine.reporting.console import wide
        from ravine.results.race import Race

        if len(folders) < 2:
            raise InvalidArgument(f"one race, '{folders[0]}': give two or more to compare")
        if len({folder.resolve() for folder in folders}) < len(folders):
            raise InvalidArgument("the same race is named twice")
        short = {folder.resolve().name for folder in folders}
        names = [f.resolve().name if len(short) == len(folders) else str(f) for f in folders]
        races = {n: Race.open(f).results for n, f in zip(names, folders, strict=True)}
        if as_json:
            typer.echo(comparison.to_json(races), nl=False)
        else:
            comparison.show(races, wide(Console()))
        if out is not None:
            comparison.write(races, out)
            typer.echo(f"\nPage: {out}", err=as_json)


def export(
    folder: Folder,
    to: Annotated[str, typer.Option(metavar="FORMAT", help="csv, parquet or tensorboard.")] = "csv",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A new or empty folder. Default: DIR/FORMAT."),
    ] = None,
) -> None:
    """Write all that a finished race measured, for other programs."""
    with exit_codes():
        from ravine.reporting.export import export as write
        from ravine.results.race import Race
        from ravine.storage.race_dir import using

        results, place = Race.open(folder).results, out or folder / to
        with using(place):
            paths = write(results, to, place)
        typer.echo(f"{len(paths)} {'runs' if to == 'tensorboard' else 'files'} in {place}")


def show(race: "Race | Ablation", *, as_json: bool = False, quiet: bool = False) -> None:
    """Print what a race found: as JSON, the sentence alone, or the leaderboard."""
    from rich.console import Console

    from ravine.reporting import ablation_page, snippets, terminal
    from ravine.reporting.console import wide
    from ravine.results.race import Race
    from ravine.tasks.saved import MODEL

    if not isinstance(race, Race):
        if as_json:
            typer.echo(race.to_json(), nl=False)
        elif quiet:
            typer.echo(str(race.verdict))
        else:
            ablation_page.show(race.told, Console())
            typer.echo(f"\nReport: {race.folder / 'levers.html'}")
    elif as_json:
        typer.echo(race.results.to_json(), nl=False)
    elif quiet:
        typer.echo(race.results.verdict.sentence)
    else:
        results, console = race.results, wide(Console())
        terminal.show(results, console)
        if results.lines:
            snippets.show(results.lines, results.doubt, console)
        typer.echo(f"\nReport: {race.folder / 'report.html'}")
        if results.best.get("file"):
            bare = ", not compiled" if results.best["file"] == MODEL else ""
            typer.echo(f"Model:  {race.folder / results.best['file']}{bare}")
