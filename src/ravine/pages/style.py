"""How a rule looks: one colour and one dash each, the same on every page."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ravine.rules import RULES

# petroff10 keeps neighbours apart under three colour-vision deficiencies; in these variants every
# colour also has a contrast of at least 3:1 on its surface. M. A. Petroff, arXiv:2107.02270.
_LIGHT = "0075ff ff5e00 ab000e 848284 832db6 a2635d e40000 b08d6c 646675 7798a6"
_DARK = "48a4e2 ffaf00 bd2800 90a1a1 932bce a67463 e46e00 c2c18a 726b80 6feaed"

# Lengths of strokes and gaps. Their number has no factor in common with that of the colours less
# one, so that colour and dash together repeat only after fifty rules.
DASHES = ((1, 0), (9, 3), (2, 2), (9, 2, 2, 2), (16, 4))


@dataclass(frozen=True)
class Paint:
    """What a page is painted with; each value is anything that CSS takes for a colour."""

    surface: str
    ink: str  # text
    muted: str  # text of second rank: axes, captions
    hairline: str  # grid lines and borders
    rules: tuple[str, ...]


class Look(NamedTuple):
    """How one rule is drawn."""

    colour: str
    dash: tuple[int, ...]


LIGHT = Paint("#ffffff", "#16181d", "#5b6066", "#e3e5e8", tuple(f"#{c}" for c in _LIGHT.split()))
DARK = Paint("#0e1013", "#eceef1", "#a3a9b1", "#2b2f36", tuple(f"#{c}" for c in _DARK.split()))
# The page itself decides: its style sheet gives these variables a value for light and for dark.
PAGE = Paint(
    "var(--surface)",
    "var(--ink)",
    "var(--muted)",
    "var(--hairline)",
    tuple(f"var(--rule-{i})" for i in range(len(LIGHT.rules))),
)


def variables(paint: Paint) -> dict[str, str]:
    """The names that ``PAGE`` refers to, with the values of another paint."""
    named = {key: getattr(paint, key) for key in ("surface", "ink", "muted", "hairline")}
    return named | {f"rule-{i}": colour for i, colour in enumerate(paint.rules)}


def looks(rules: Iterable[str], paint: Paint = LIGHT) -> dict[str, Look]:
    """Colour and dash of each rule, given in the order in which they appear.

    A registered rule has its own whoever else is there; others take the next ones.

    >>> looks(["adam", "sgd"])["sgd"].colour
    '#0075ff'
    """
    slots = {name: slot for slot, name in enumerate(RULES)}
    for rule in rules:
        slots.setdefault(rule, len(slots))
    return {rule: _look(slots[rule], paint) for rule in rules}


def _look(slot: int, paint: Paint) -> Look:
    colours = len(paint.rules)
    return Look(paint.rules[slot % colours], DASHES[(slot + slot // colours) % len(DASHES)])
