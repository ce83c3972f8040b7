"""What pictures have in common: a rule's colour and dash, paint, axes, and places for labels."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ravine.analysis import title
from ravine.rules import RULES

if TYPE_CHECKING:
    from rich.text import Text

FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
# petroff10 keeps neighbours apart under three colour-vision deficiencies; in these variants every
# colour also has a contrast of at least 3:1 on its surface. M. A. Petroff, arXiv:2107.02270.
_LIGHT = "0075ff ff5e00 ab000e 848284 832db6 a2635d e40000 b08d6c 646675 7798a6"
_DARK = "48a4e2 ffaf00 bd2800 90a1a1 932bce a67463 e46e00 c2c18a 726b80 6feaed"

# Lengths of strokes and gaps. Their number has no factor in common with that of the colours less
# one, so that colour and dash together repeat only after fifty rules.
DASHES = ((1, 0), (9, 3), (2, 2), (9, 2, 2, 2), (16, 4))
# By Vega's name, with how a page draws each in a box of 10 by 10 and what a terminal prints.
MARKS = {
    "circle": ("M9,5A4,4 0 1 1 1,5A4,4 0 1 1 9,5Z", "●"),
    "square": ("M1.5,1.5H8.5V8.5H1.5Z", "■"),
    "triangle-up": ("M5,1L9.5,9H.5Z", "▲"),
    "diamond": ("M5,0L10,5L5,10L0,5Z", "◆"),
    "triangle-down": ("M5,9L9.5,1H.5Z", "▼"),
    "cross": ("M3.5,1H6.5V3.5H9V6.5H6.5V9H3.5V6.5H1V3.5H3.5Z", "✚"),
    "triangle-right": ("M9,5L1,9.5V.5Z", "▶"),
    "triangle-left": ("M1,5L9,9.5V.5Z", "◀"),
}


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
    mark: str = "circle"  # one of ``MARKS``

    @property
    def outline(self) -> str:
        """The mark as a path in a box of 10 by 10."""
        return MARKS[self.mark][0]

    @property
    def glyph(self) -> str:
        """The mark as a character."""
        return MARKS[self.mark][1]


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
    """Colour, dash and mark of each rule, given in the order in which they appear.

    A registered rule has its own whoever else is there; others take the next ones.

    >>> looks(["adam", "sgd"])["sgd"].colour
    '#0075ff'
    """
    rules, slots = list(rules), {name: slot for slot, name in enumerate(RULES)}
    for rule in rules:
        slots.setdefault(rule, len(slots))
    return {rule: _look(slots[rule], paint) for rule in rules}


def marked(rule: str, look: Look) -> "Text":
    """A rule's name behind its mark in its colour, for a terminal."""
    from rich.text import Text

    return Text.assemble((look.glyph, look.colour), " ", title(rule))


def _look(slot: int, paint: Paint) -> Look:
    colours = len(paint.rules)
    marks = list(MARKS)
    return Look(
        paint.rules[slot % colours],
        DASHES[(slot + slot // colours) % len(DASHES)],
        marks[(slot + slot // colours) % len(marks)],
    )


def configuration(paint: Paint) -> dict[str, Any]:
    """What every chart has in common, as Vega-Lite's configuration."""
    return {
        "background": paint.surface,
        "font": FONT,
        "padding": 12,
        "mark": {"aria": False},  # the table behind a chart reads better than 700 marks
        "view": {"stroke": None},
        "text": {"fontSize": 13},
        "axis": {
            "labelColor": paint.muted,
            "titleColor": paint.muted,
            "gridColor": paint.hairline,
            "domainColor": paint.muted,
            "tickColor": paint.muted,
            "labelFontSize": 12,
            "labelSeparation": 6,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
        },
        "title": {
            "anchor": "start",
            "offset": 12,
            "color": paint.ink,
            "fontSize": 16,
            "fontWeight": 600,
            "subtitleColor": paint.muted,
            "subtitleFontSize": 13,
        },
    }


class Axis(NamedTuple):
    """A vertical axis: logarithmic unless there is something that has no logarithm."""

    kind: Literal["log", "linear"]
    low: float
    high: float
    most: float  # ticks end here; what is above is left free

    def height(self, value: float) -> float:
        """Where a value lies: 0 at the bottom, 1 at the top."""
        if self.kind == "log":
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, height: float) -> float:
        """What lies at a height."""
        if self.kind == "log":
            return float(self.low ** (1 - height) * self.high**height)
        return self.low + height * (self.high - self.low)


def axis(values: Iterable[float], free: float = 0.04, kind: str = "log") -> Axis:
    """An axis for the finite ones of some values, with a share of it left free on top.

    ``kind="linear"`` asks for a linear one; it is that, too, where something has no logarithm.
    """
    finite = [v for v in values if math.isfinite(v)] or [1.0]
    low, high = min(finite), max(finite)
    if low > 0 and kind == "log":
        tight = Axis("log", low / 1.05, high * 1.05, high)
    else:
        margin = 0.05 * (high - low) or 1.0
        tight = Axis("linear", low - margin, high + margin, high)
    return tight._replace(low=tight.value(-0.02), high=tight.value(1 / (1 - free)))


def spread_out(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least ``gap`` apart within ``[low, high]``, moved as little as can be.

    With the gaps taken out this is the least-squares fit of a rising sequence: neighbours that are
    out of order pool. Where there is no room for all, they run over the high end.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    pools: list[list[float]] = []
    for rank, i in enumerate(order):
        pools.append([positions[i] - rank * gap])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    most = max(low, high - (len(order) - 1) * gap)
    fitted = [min(max(fmean(pool), low), most) for pool in pools for _ in pool]
    placed = [0.0] * len(order)
    for rank, i in enumerate(order):
        placed[i] = fitted[rank] + rank * gap
    return placed


def ticks(low: float, high: float) -> list[float]:
    """Up to a dozen round numbers between two bounds, for a logarithmic axis.

    As coarse as leaves three: powers of ten (of many decades every second, third and so on), then
    1, 2 and 5, and so on.
    """
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high))
    found: list[float] = []
    for digits in (("1",), "125", "123456789", [f"{k / 10}" for k in range(10, 100)]):
        found = [float(f"{d}e{e}") for e in range(first, last + 1) for d in digits]
        found = [tick for tick in found if low <= tick <= high]
        if len(found) >= 3:
            break
    return found[:: 1 + len(found) // 12]
