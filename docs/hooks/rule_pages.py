"""One page a rule, made from its code, and a page that lists them."""

import pieces

from ravine.reporting.listings import idea
from ravine.rules import RULES, VARIANTS

_PAGE = """# {name}

**<!-- idea -->**

## Equation

<!-- equation {rule} -->

## Code

This file is what is raced, and what `ravine.to_keras`, `to_optax` and `to_torch` make
an optimizer of.

<!-- code {rule} -->

## Hyperparameters

<!-- hyperparameters {rule} -->

*Searched* is the range in which a race looks for a value: the learning rate always, others where
`--search` names them.

## In other frameworks

<!-- spellings {rule} -->

`ravine translate` does the same for any values, and says by how much the nearest is off.

## Source

<!-- source {rule} -->
"""


def navigation() -> list[dict[str, str] | str]:
    """The pages in the order of the lists."""
    return ["rules/index.md", *({_name(rule): f"rules/{rule}.md"} for rule in pieces.KINDS)]


def pages() -> dict[str, str]:
    """Every page by where it lies."""
    made = {f"rules/{rule}.md": _page(rule) for rule in pieces.KINDS}
    return {"rules/index.md": _list(), **made}


def _name(rule: str) -> str:
    return pieces.KINDS[rule].__name__


def _page(rule: str) -> str:
    text = _PAGE.format(name=_name(rule), rule=rule)
    return text.replace("<!-- idea -->", idea(pieces.KINDS[rule]))


def _list() -> str:
    lines = ["# The rules", "", "Each page is made from the file that is raced.", ""]
    for title, kinds in (("", RULES), ("Variants", VARIANTS)):
        lines += [f"## {title}", ""] if title else []
        lines += [f"- [{_name(rule)}]({rule}.md): {idea(kind)}" for rule, kind in kinds.items()]
        lines += [""]
    return "\n".join(lines)
