"""What exists: the rules, the tasks and the surfaces, as tables in the terminal."""

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ravine.explain.surfaces import SURFACES
from ravine.rules import RULES, VARIANTS
from ravine.rules.update_rule import Rule, declared_defaults, declared_hyperparameters
from ravine.rules.wrappers import WRAPPING
from ravine.tasks import TASKS
from ravine.tasks.levers import OF_ANY_TASK, offered


def idea(rule: type[Rule]) -> str:
    """The first line of the file that a rule stands in: its idea in a sentence."""
    return (sys.modules[rule.__module__].__doc__ or "").strip().partition("\n")[0]


def show_rules() -> None:
    """Print every rule: name, idea, hyperparameters with default, meaning and valid values.

    Then the variants by name, and the rules that hold a rule with what they add to it.
    """
    console = Console()
    _show(RULES, console)
    if VARIANTS:
        console.print(Text.assemble(("Variants: ", "dim"), ", ".join(VARIANTS)))
        console.print()
    console.print(Text("About any of them, as decay(adam, weight_decay=0.01):", "dim"))
    console.print()
    _show(WRAPPING, console)


def _show(rules: Mapping[str, type[Rule]], console: Console) -> None:
    width = max(len(hyper) for kind in rules.values() for hyper in declared_hyperparameters(kind))
    for name, kind in rules.items():
        console.print(Text.assemble((name, "bold"), "  ", idea(kind)))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(min_width=width + 2)
        table.add_column(min_width=6)
        table.add_column(min_width=6)
        defaults = declared_defaults(kind)
        for hyper, declared in declared_hyperparameters(kind).items():
            table.add_row(
                f"  {hyper}", said(defaults[hyper]), Text(declared.valid), declared.meaning
            )
        console.print(table)
        console.print()


def said(value: object) -> str:
    """A hyperparameter's value in a table."""
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def show_tasks() -> None:
    """Print every task: name, what it is, how long it trains, its levers."""
    table, console = Table(box=None, pad_edge=False, header_style="dim"), Console()
    for heading in ("task", "what it is", "epochs", "batch size"):
        table.add_column(heading)
    by_levers: dict[tuple[str, ...], list[str]] = {}
    for name, task in TASKS.items():
        table.add_row(name, task.description, str(task.epochs), str(task.batch_size))
        own = tuple(lever for lever in offered(task) if lever not in OF_ANY_TASK)
        by_levers.setdefault(own, []).append(name)
    console.print(table)
    console.print()
    console.print(Text(f"Levers (--vary) of any task: {', '.join(OF_ANY_TASK)}", "dim"))
    for own, names in by_levers.items():
        if own:
            console.print(Text(f"and of {', '.join(names)}: {', '.join(own)}", "dim"))


def show_surfaces() -> None:
    """Print every surface: name, what it shows, formula."""
    console = Console()
    for name, surface in SURFACES.items():
        console.print(Text.assemble((name, "bold"), f"  {surface.about}"))
        console.out(f"  f(x, y) = {surface.formula.plain()}\n", highlight=False)
