"""A translation in the terminal: the line to use, and what there is to know about it."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ravine.frameworks.names import CALLED
from ravine.frameworks.translate.translation import STEPS, WRITERS, Translation, translation
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import Scheduled


def show(given: Translation, out: Console, notes: Console) -> None:
    """Print the expression alone to ``out``, so that it can be piped, and all else to ``notes``."""
    out.out(given.text, highlight=False)
    notes.print()
    for note in _notes(given):
        if isinstance(note, str):
            notes.out(f"    {note}", highlight=False)  # code, which nothing breaks
        else:
            notes.print(Padding(note, (0, 0, 0, 2)))


def spellings(rule: Rule) -> Table:
    """How each framework spells a rule, or what comes nearest there."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for framework in WRITERS:
        found = translation(rule, framework)
        table.add_row(f"  {CALLED[framework]}", Text(found.text))
        said = verdict(found)
        if said and said != before:
            table.add_row("", Text(said, style="dim"))
        before = said
    return table


def verdict(found: Translation) -> str:
    """One line on how good the translation is; none where it is the same path."""
    if found.native is None:
        return found.reason
    if not found.exact and not found.settles:
        return f"nearest native: {found.native}, off by {_largest(found.differences)} of the way"
    if not found.exact:
        return "ε beside the bias correction: the same path but for the first steps"
    return "" if found.under_schedules else "the same path while the learning rate stays"


def _notes(given: Translation) -> list[Text | Table | str]:
    """Sentences, tables and, as plain strings, code."""
    name = CALLED[given.framework]
    if isinstance(given.rule, Scheduled):
        steps = f"the {given.rule.steps:,.0f} steps of its schedule"
        said = f"The same path, as long as {steps}."
        if given.reason:
            said = f"The same path: {given.reason}."
        elif not given.exact:
            said = f"The same path, as long as {steps}, but for the first ones: ε is beside the "
            said += "bias correction."
        return [Text(f"{said} {given.caveat}".strip())]
    if given.native is None:
        return [Text(f"No optimizer of {name} walks this path: {given.reason}.")]
    if given.under_schedules:
        return [Text(f"The same path, whatever the learning rate does ({_how_exact(given)}).")]
    if given.exact:
        said = f"The same path while the learning rate stays ({_how_exact(given)}). When it swings "
        said += (
            f"by half they part by {_largest(given.scheduled)} of the way, as one of them keeps "
        )
        said += "past rates in its velocity. The same path whatever it does:"
        return [Text(said), given.ours]
    if given.settles:
        said = f"The same path but for the first steps: {name} has ε on the other side of the bias "
        fades = round(1 / (1 - given.rule.values()["beta_2"]))
        said += f"correction, which wears off in some {fades} steps. In {STEPS} steps they part by "
        said += "this share of the way:"
        exactly = Text("The same path in every step:")
        return [Text(said), _table(given.differences), exactly, given.ours]
    said = f"No optimizer of {name} walks this path. The nearest is"
    then = f"and in {STEPS} steps it departs by this share of the way:"
    return [Text(said), given.native, Text(then), _table(given.differences)]


def _how_exact(given: Translation) -> str:
    worst = max(given.differences.values())
    return f"apart by {worst:.0e} of the way in {STEPS} steps" if worst else "the same arithmetic"


def _table(differences: dict[float, float]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for size, difference in differences.items():
        table.add_row(f"  gradients about {size:g}", _share(difference))
    return table


def _largest(differences: dict[float, float]) -> str:
    return "up to " + _share(max(differences.values()))


def _share(difference: float) -> str:
    if difference < 1:
        return f"{100 * difference:.2g} %"
    return f"{difference:.1f} times" if difference < 10 else f"{difference:.0f} times"
