"""What exists: the rules and the tasks, as tables in the terminal."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ravine.rules import RULES
from ravine.tasks import TASKS
from ravine.update_rule import Rule


def idea(rule: type[Rule]) -> str:
    """The first line of the file that a rule stands in: its idea in a sentence."""
    return (sys.modules[rule.__module__].__doc__ or "").strip().partition("\n")[0]


def show_rules() -> None:
    """Print every rule: name, idea, hyperparameters with default, meaning and valid values."""
    console = Console()
    width = max(len(hyper) for rule in RULES.values() for hyper in rule.hyperparameters())
    for name, rule in RULES.items():
        console.print(Text.assemble((name, "bold"), "  ", idea(rule)))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(min_width=width + 2)
        table.add_column(min_width=6)
        table.add_column(min_width=6)
        defaults = rule.defaults()
        for hyper, declared in rule.hyperparameters().items():
            default = "–" if defaults[hyper] is None else f"{defaults[hyper]:g}"
            table.add_row(f"  {hyper}", default, Text(declared.valid), declared.meaning)
        console.print(table)
        console.print()


def show_tasks() -> None:
    """Print every task: name, what it is, how long it trains."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("task", "what it is", "epochs", "batch size"):
        table.add_column(heading)
    for name, task in TASKS.items():
        table.add_row(name, task.description, str(task.epochs), str(task.batch_size))
    Console().print(table)
