"""One rule in full: idea, equations, hyperparameters, source, and where others differ."""

import inspect
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ravine.errors import unknown
from ravine.notation import FORMS, plain
from ravine.pages.listings import idea
from ravine.update_rule import Rule


def show(rule: Rule, form: str | None, console: Console) -> None:
    """Print what there is to know about a rule, or the text of one of its ``notation.FORMS``."""
    if form is not None:
        if form not in FORMS:
            raise unknown("form", form, FORMS)
        console.out(FORMS[form](rule), highlight=False)
        return
    equations = plain.write(rule)  # before anything is printed: it may fail
    console.print(Text.assemble((str(rule), "bold"), "  ", idea(type(rule))))
    # A line too long for the terminal is left to it, which breaks none on the way to a file.
    console.out("\n" + "".join(f"  {line}\n" for line in equations.splitlines()), highlight=False)
    console.print(_table(rule))
    for paragraph in _paragraphs(type(rule)):
        console.print()
        console.print(Padding(Text(paragraph), (0, 0, 0, 2)))


def _table(rule: Rule) -> Table:
    defaults, letters = rule.defaults(), plain.letters(rule)
    changed = any(rule.values()[name] != defaults[name] for name in defaults)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  hyperparameter", no_wrap=True)
    for heading in ("", *(["here"] if changed else []), "default", "valid", "searched"):
        table.add_column(heading, no_wrap=True)
    table.add_column("unit")
    table.add_column("meaning")
    for name, declared in rule.hyperparameters().items():
        letter = "" if letters[name] == name else letters[name]
        here = [_said(rule.values()[name])] if changed else []
        searched = " … ".join(map(_said, declared.search or ()))
        cells = [letter, *here, _said(defaults[name]), declared.valid, searched, declared.unit]
        # As Text, because rich reads "[0, 1)" as markup.
        table.add_row(f"  {name}", *map(Text, cells), Text(declared.meaning))
    return table


def _said(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _paragraphs(kind: type[Rule]) -> list[str]:
    """What the rule's author says of its source and of others, unwrapped."""
    said = inspect.cleandoc(kind.__dict__.get("__doc__") or "")
    if said.startswith(f"{kind.__name__}("):
        return []  # dataclasses write a signature where there is no docstring
    paragraphs = said.replace("``", "").split("\n\n")
    return [" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip()]
