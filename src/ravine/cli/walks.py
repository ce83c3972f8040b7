"""Commands about walking down a surface: in the terminal, and on a page."""

from pathlib import Path
from typing import Annotated

import typer

from ravine.cli.exits import exit_codes

DESCEND_EXAMPLES = """**Examples**

- `ravine descend "5*x**2 + 2*x*y + 3*y**2" --from 1,1 --rule adam --steps 50`

- `ravine descend elongated-bowl --rule sgd,adagrad --learning-rate 0.4 --png paths.png`

- `ravine descend rosenbrock --rule "momentum,adam(beta_1=0.8)" --steps 2000 --json`

- `ravine descend "x**2 - y**2" --from=-1,0 --learning-rate 0.1`: down to a saddle

- `ravine surfaces`: the surfaces that have a name
"""


def descend(
    surface: Annotated[
        str,
        typer.Argument(
            metavar="FORMULA|NAME",
            help="A formula in x and y, or a surface that 'ravine surfaces' lists.",
        ),
    ],
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="X,Y", help="Default: the surface's; of a formula 1,1."),
    ] = None,
    rule: Annotated[
        str, typer.Option(metavar="LIST", help="Rules, such as 'sgd,adam(beta_1=0.8)'.")
    ] = "sgd",
    steps: Annotated[int, typer.Option(metavar="N", help="How many steps.")] = 50,
    learning_rate: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Of every rule. Default: as the rule is spelled."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of a noisy surface.")] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="Print all of it, for other programs.")
    ] = False,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the paths.")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="The same, as SVG.")] = None,
) -> None:
    """Walk rules down a function of x and y: its gradient, every path, how each ends."""
    with exit_codes():
        from ravine.explain.surfaces.descent import Descent
        from ravine.reporting.descent import deliver

        found = Descent.read(surface, start, rule, learning_rate, steps, seed)
        deliver(found, json, {".png": png, ".svg": svg})


EXPLORE_EXAMPLES = """**Examples**

- `ravine explore`: a curved ravine, six rules, every start

- `ravine explore rosenbrock --rules sgd,adam`

- `ravine explore "x**2 + 10*y**2" --from 1,1 --rules "momentum(momentum=0.8)"`

- `ravine explore --no-open --out explorer.html`: to send to someone
"""


def explore(
    surface: Annotated[
        str,
        typer.Argument(
            metavar="FORMULA|NAME",
            help="A formula in x and y, or a surface that 'ravine surfaces' lists.",
        ),
    ] = "ravine",
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="X,Y", help="Default: the surface's; of a formula 1,1."),
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Rules to begin with, such as 'sgd,adam(beta_1=0.8)'."),
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", help="How many steps.")] = 200,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A file that does not exist. Default: one for temporary use."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser.")] = True,
) -> None:
    """See why: one page on which every rule walks down a surface from a start that you drag."""
    with exit_codes():
        from ravine import api
        from ravine.reporting.explorer.delivery import deliver

        page = api.explore(surface, rules=rules, start=start, steps=steps)
        typer.echo(f"Explorer: {deliver(page, out, show)}")


def surfaces() -> None:
    """List the surfaces that have a name, with their formulas."""
    from ravine.reporting import listings

    listings.show_surfaces()
