"""One rule in full: idea, equations, hyperparameters, source, and where others differ."""

import inspect
from collections.abc import Mapping

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ravine.errors import unknown
from ravine.explain.notation import FORMS, plain
from ravine.frameworks.translate.translation import WRITERS, translation
from ravine.reporting import translated
from ravine.reporting.listings import idea, said
from ravine.rules.update_rule import Rule

MEANING = 24  # columns of the terminal; what is least asked for makes room


def show(rule: Rule, form: str | None, console: Console, notes: Console | None = None) -> None:
    """Print what there is to know about a rule, or its text in one form or framework.

    Of a framework's line ``notes``, the standard error if not given, gets how good it is, so that
    the line alone can be piped.
    """
    if form in WRITERS:
        translated.show(translation(rule, form), console, notes or Console(stderr=True))
        return
    if form is not None:
        if form not in FORMS:
            raise unknown("form", form, [*FORMS, *WRITERS])
        console.out(FORMS[form](rule), highlight=False)
        return
    equations = plain.write(rule)  # before anything is printed: it may fail
    console.print(Text.assemble((str(rule), "bold"), "  ", idea(type(rule))))
    # A line too long for the terminal is left to it, which breaks none on the way to a file.
    console.out("\n" + "".join(f"  {line}\n" for line in equations.splitlines()), highlight=False)
    console.print(_table(rule, console.width))
    console.print()
    console.print(translated.spellings(rule))
    for paragraph in _paragraphs(type(rule)):
        console.print()
        console.print(Padding(Text(paragraph), (0, 0, 0, 2)))


def _table(rule: Rule, width: int) -> Table:
    defaults, letters, values = rule.defaults(), plain.letters(rule), rule.values()
    declared = rule.hyperparameters()
    columns = {
        "  hyperparameter": [f"  {name}" for name in declared],
        "": ["" if letters[name] == name else letters[name] for name in declared],
        "here": [said(values[name]) for name in declared],
        "default": [said(defaults[name]) for name in declared],
        "valid": [one.valid for one in declared.values()],
        "searched": [" … ".join(map(said, one.search or ())) for one in declared.values()],
        "unit": [one.unit for one in declared.values()],
    }
    if columns["here"] == columns["default"]:
        del columns["here"]
    for heading in ("searched", "unit"):
        if width - _measure(columns) < MEANING:
            del columns[heading]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in columns:
        table.add_column(heading, no_wrap=True)
    table.add_column("meaning", overflow="fold")
    meanings = [one.meaning for one in declared.values()]
    for *cells, meaning in zip(*columns.values(), meanings, strict=True):
        # As Text, because rich reads "[0, 1)" as markup.
        table.add_row(*map(Text, cells), Text(meaning))
    return table


def _measure(columns: Mapping[str, list[str]]) -> int:
    return sum(2 + max(map(cell_len, [heading, *cells])) for heading, cells in columns.items())


def _paragraphs(kind: type[Rule]) -> list[str]:
    """What the rule's author says of its source and of others, unwrapped."""
    text = inspect.cleandoc(kind.__dict__.get("__doc__") or "")
    if text.startswith(f"{kind.__name__}("):
        return []  # dataclasses write a signature where there is no docstring
    paragraphs = text.replace("``", "").split("\n\n")
    return [" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip()]
