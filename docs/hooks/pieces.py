"""Pieces that pages are put together from: ``<!-- equation adam -->`` becomes Adam's equation.

A repository's reader is told that something is missing; a copy could be wrong one day.
"""

import html
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import application
import architecture
import calibration
import command_line
import commands
import excerpts
import levers
import licences
import measurements

from ravine.explain.notation import mathml, plain
from ravine.frameworks.translate.translation import WRITERS, translation
from ravine.reporting import translated
from ravine.reporting.explorer.scenes import SCENES
from ravine.reporting.listings import idea, said
from ravine.rules import RULES, VARIANTS
from ravine.rules.update_rule import Rule

_PIECE = re.compile(r"^<!-- (\w+)(?: (.+))? -->$", re.MULTILINE)
# What a reader of the repository is told in its place; it is true there alone.
NOTE = re.compile(r"^\*In the repository this page lacks .*\*\n+", re.MULTILINE)
_ADDRESS = re.compile(r"(?<![(<\[])https?://[^\s)]+[^\s).,]")
KINDS: dict[str, type[Rule]] = {**RULES, **VARIANTS}


class Unknown(Exception):
    """A page asks for a piece that there is not."""


def put(markdown: str) -> str:
    """A page with its pieces in."""
    return _PIECE.sub(_piece, NOTE.sub("", markdown))


def lacking(markdown: str) -> bool:
    """Whether a page in the repository lacks something, or leads to what is only built."""
    built = re.search(r"^:::|\]\((?:\.\./)?(?:pages|rules)/", markdown, re.MULTILINE)
    return bool(built or _PIECE.search(markdown))


def _piece(asked: re.Match[str]) -> str:
    name, of = asked.groups()
    if name not in PIECES:
        raise Unknown(f"no piece is called {name}; there are {', '.join(PIECES)}")
    try:
        return PIECES[name](of or "")
    except (KeyError, StopIteration) as failed:
        raise Unknown(f"there is no {of} to take the {name} of") from failed


def equation(rule: str) -> str:
    """The tracer's MathML."""
    return f'<div class="equation" tabindex="0">{mathml.write(KINDS[rule]())}</div>'.replace(
        "\n", ""
    )


def code(rule: str) -> str:
    """The whole file that a rule stands in, which is what is raced."""
    path = Path(inspect.getfile(KINDS[rule]))
    where = path.relative_to(path.parents[3]).as_posix()
    return f'```python title="{where}"\n{path.read_text(encoding="utf-8")}```'


def hyperparameters(rule: str) -> str:
    """Name, letter, default, valid and searched values, unit, meaning."""
    kind = KINDS[rule]()
    letters, defaults = plain.letters(kind), kind.defaults()
    rows = ["| | letter | default | valid | searched | unit | |", "|---|---|---|---|---|---|---|"]
    for name, one in kind.hyperparameters().items():
        letter = "" if letters[name] == name else letters[name]
        searched = " … ".join(map(said, one.search or ()))
        cells = [
            f"`{name}`",
            letter,
            said(defaults[name]),
            one.valid,
            searched,
            one.unit,
            one.meaning,
        ]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def spellings(rule: str) -> str:
    """How Keras, PyTorch and Optax spell a rule at its defaults, or what comes nearest."""
    rows = ["| framework | the same path | |", "|---|---|---|"]
    for framework in WRITERS:
        found = translation(KINDS[rule](), framework)
        note = translated.verdict(found) or "the same path in every step"
        rows.append(f"| {translated.CALLED[framework]} | `{found.text}` | {html.escape(note)} |")
    return "\n".join(rows)


def source(rule: str) -> str:
    """What the rule's author says of its paper, and how the frameworks differ."""
    text = inspect.cleandoc(KINDS[rule].__dict__["__doc__"])
    return _ADDRESS.sub(r"<\g<0>>", text)


def scene(name: str) -> str:
    """A scene of the explorer: its question, its answer, and where to play with it."""
    one = next(scene for scene in SCENES if scene.name == name)
    address = f"../pages/explorer.html#scene={name}"
    return (
        f'!!! question "[{one.question}]({address})"\n\n    {one.answer}\n\n'
        f"    [Play with it: {one.title}]({address}){{ .md-button }}\n"
    )


PIECES: dict[str, Callable[[str], str]] = {
    "equation": equation,
    "code": code,
    "hyperparameters": hyperparameters,
    "spellings": spellings,
    "source": source,
    "scene": scene,
    "idea": lambda rule: idea(KINDS[rule]),
    "output": commands.output,
    "endings": commands.endings,
    "script": commands.script,
    "picture": commands.picture,
    **application.PIECES,
    **architecture.PIECES,
    **calibration.PIECES,
    **measurements.PIECES,
    **command_line.PIECES,
    **excerpts.PIECES,
    **levers.PIECES,
    **licences.PIECES,
}
