"""Drawings as part of a page, in the page's own colours: light or dark, as its reader has it.

Charts are stored and drawn in light paint, as whatever shows the repository wants them. Here each
of its colours becomes a variable, which the style sheet gives a value for light and for dark.
"""

import html
import re
from pathlib import Path

from ravine.reporting import style

DOCS = Path(__file__).parents[1]
_IMAGE = re.compile(r"^!\[([^\]]*)\]\(([^)]+\.svg)\)$", re.MULTILINE)
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_NAMED = re.compile(r'( id="|url\(#)([^")]+)')
_SIZE = re.compile(r'(<svg [^>]*?) width="(\d+)" height="\d+"')
_VARIABLES = {
    colour: f"var(--drawn-{name})" for name, colour in style.variables(style.LIGHT).items()
}
_SURFACE, _MUTED = (
    int(style.variables(style.LIGHT)[name][1:3], 16) for name in ("surface", "muted")
)
LEAST = 0.62  # of its size that a drawing may shrink to; then it scrolls


def stored(markdown: str, page: str) -> str:
    """A page with the drawings in that it shows. ``page``: where it lies."""

    def drawn(image: re.Match[str]) -> str:
        said, where = image.groups()
        file = (DOCS / page).parent / where
        return inline(file.read_text(encoding="utf-8"), said, file.stem)

    return _IMAGE.sub(drawn, markdown)


def inline(svg: str, said: str, name: str) -> str:
    """An SVG in light paint as HTML; ``said`` tells what there is to see, to who cannot."""
    svg = _NAMED.sub(rf"\1{name}-\2", _COLOUR.sub(_variable, svg)).replace("\n", " ")
    svg = _SIZE.sub(
        lambda at: f'{at[1]} style="width:{at[2]}px;min-width:{LEAST * int(at[2]):.0f}px"', svg, 1
    )
    # Words of a drawing are no words of the page: the search need not find them.
    return (
        f'<div class="drawn" role="img" aria-label="{html.escape(said)}" tabindex="0" '
        f"data-search-exclude>{svg}</div>"
    )


def style_sheet() -> str:
    """The variables' values, for a light and a dark page; a drawing's ground is the page's."""
    sheets = []
    for scheme, paint in (("default", style.LIGHT), ("slate", style.DARK)):
        values = style.variables(paint) | {"surface": "var(--md-default-bg-color)"}
        lines = "".join(f"--drawn-{name}:{value};" for name, value in values.items())
        sheets.append(f'[data-md-color-scheme="{scheme}"]{{{lines}}}\n')
    return "".join(sheets)


def _variable(colour: re.Match[str]) -> str:
    """The variable for a colour of the paint; of a shade between ground and text, its mixture."""
    if colour[0] in _VARIABLES:
        return _VARIABLES[colour[0]]
    parts = [int(colour[0][i : i + 2], 16) for i in (1, 3, 5)]
    if max(parts) - min(parts) > 16:
        return colour[0]
    share = (_SURFACE - parts[0]) / (_SURFACE - _MUTED)
    return (
        f"color-mix(in srgb, {_VARIABLES[style.LIGHT.muted]} {share:.0%}, {_VARIABLES['#ffffff']})"
    )
