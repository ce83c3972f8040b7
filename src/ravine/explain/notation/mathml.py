"""A rule's equations as MathML Core: no script, no fonts, no style sheet."""

import html
import re
from itertools import pairwise

from ravine.explain.notation.equations import Glyph, Line, sections
from ravine.explain.notation.node import Node
from ravine.explain.notation.writing import ATOM, POWER, SUM, Said, Writer, digits, is_negative
from ravine.rules.update_rule import Rule

_ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~"}
_TIMES = "<mo>&#x2062;</mo>"  # invisible
_APPLY = "<mo>&#x2061;</mo>"  # between a function and its argument, invisible
# MathML Core leaves the alignment of columns to CSS; Chromium aligns maths by its own words alone.
_RIGHT = "padding-right: 0; text-align: right; text-align: -webkit-right"
_LEFT = "padding-left: 0; text-align: left; text-align: -webkit-left"
_TALL = re.compile("<(mfrac|msqrt|mtable)")
_CALLED = {
    "gradient": "<mo>∇</mo><mi>J</mi>",
    "maximum": f"<mi>max</mi>{_APPLY}",
    "minimum": f"<mi>min</mi>{_APPLY}",
}


def write(rule: Rule) -> str:
    """The equations of a rule as one ``<math>`` element, to stand anywhere in HTML.

    >>> from ravine import SGD
    >>> write(SGD())[:22]
    '<math display="block">'
    """
    rows = []
    for said, lines in sections(rule):
        rows += [_pair("", f"<mtext>{said}:</mtext>")] if said else []
        rows += map(_row_of, lines)
    table = "".join(rows)
    return f'<math display="block"><mtable displaystyle="true">\n{table}</mtable></math>'


def _row_of(row: list[Line]) -> str:
    writer = MathML()
    (target, value), *more = [(writer.write(left), writer.write(right)) for left, right in row]
    also = "".join(
        f'<mo separator="true">,</mo><mspace width="1em"/>{left}<mo>=</mo>{right}'
        for left, right in more
    )
    return _pair(target, f"<mrow><mi></mi><mo>=</mo>{value}{also}</mrow>")


def _pair(left: str, right: str) -> str:
    return f'<mtr><mtd style="{_RIGHT}">{left}</mtd><mtd style="{_LEFT}">{right}</mtd></mtr>\n'


class MathML(Writer):
    """MathML Core. Every text is one element, or several that stand in a row."""

    def _number(self, value: float) -> Said:
        mantissa, exponent = digits(value)
        text = f"<mn>{mantissa}</mn>"
        if exponent:
            ten = f"<msup><mn>10</mn>{_row(self._whole(int(exponent)))}</msup>"
            text = ten if mantissa == "1" else f"{text}<mo>⋅</mo>{ten}"
        if is_negative(value):
            return f"<mo>−</mo>{text}", SUM
        return text, ATOM if not exponent else POWER

    def _glyph(self, glyph: Glyph) -> str:
        text = f"<mi>{html.escape(glyph.base)}</mi>"
        if glyph.accent:
            accent = f'<mo stretchy="false">{_ACCENTS[glyph.accent]}</mo>'
            text = f'<mover accent="true">{text}{accent}</mover>'
        below = []
        if glyph.below:
            tag = "mn" if glyph.below.isdigit() else "mi"
            below.append(f"<{tag}>{html.escape(glyph.below)}</{tag}>")
        if glyph.step:
            below.append("".join(map(_small, glyph.step.replace("-", "−"))))
        under, primes = _row("<mo>,</mo>".join(below)), f"<mo>{'′' * glyph.primes}</mo>"
        if below and glyph.primes:
            return f"<msubsup>{text}{under}{primes}</msubsup>"
        if glyph.primes:
            return f"<msup>{text}{primes}</msup>"
        return f"<msub>{text}{under}</msub>" if below else text

    def _operator(self, sign: str) -> str:
        return f"<mo>{html.escape(sign)}</mo>"

    def _sign(self, sign: str) -> str:
        return f"<mo>{sign}</mo>"

    def _brackets(self, text: str) -> str:
        # A bracket that may stretch stands off from what it holds, even where it need not.
        opening = "<mo>" if _TALL.search(text) else '<mo stretchy="false">'
        return f"<mrow>{opening}(</mo>{text}{opening})</mo></mrow>"

    def _product(self, factors: list[str]) -> str:
        text = factors[0]
        for before, factor in pairwise(factors):
            figure = factor.startswith(("<mn>", "<msup><mn>"))
            words = re.search(r"<mi>\w\w", before + factor)
            text += "<mo>⋅</mo>" if figure else _TIMES
            text += f'<mspace width="0.17em"/>{factor}' if words else factor
        return text

    def _fraction(self, over: Node, under: Node) -> Said:
        return f"<mfrac>{_row(self.write(over))}{_row(self.write(under))}</mfrac>", POWER

    def _power(self, base: Node, exponent: Node) -> str:
        text, above = self.write(base, ATOM), _row(self.write(exponent))
        if base.kind == "symbol" and text.startswith("<msub>"):
            return f"<msubsup>{text[6:-7]}{above}</msubsup>"  # one above the other
        return f"<msup>{_row(text)}{above}</msup>"

    def _root(self, node: Node) -> str:
        return f"<msqrt>{self.write(node)}</msqrt>"

    def _call(self, function: str, arguments: list[str]) -> str:
        inside = '<mo separator="true">,</mo>'.join(arguments)
        if bar := {"abs": "|", "norm": "‖"}.get(function):
            return f"<mrow><mo>{bar}</mo>{inside}<mo>{bar}</mo></mrow>"
        called = _CALLED.get(function, f"<mi>{function}</mi>{_APPLY}")
        return f"<mrow>{called}{self._brackets(inside)}</mrow>"

    def _cases(self, condition: Node, x: Node, y: Node) -> str:
        rows = [
            (self.write(x), f"<mtext>if&#xa0;</mtext>{self.write(condition)}"),
            (self.write(y), "<mtext>otherwise</mtext>"),
        ]
        cells = "".join(
            f"<mtr><mtd style='text-align: left'>{a}</mtd><mtd>{b}</mtd></mtr>" for a, b in rows
        )
        return f'<mrow><mo form="prefix">{{</mo><mtable>{cells}</mtable></mrow>'

    def _whole(self, value: int) -> str:
        return ("<mo>−</mo>" if value < 0 else "") + f"<mn>{abs(value)}</mn>"


def _small(character: str) -> str:
    """A part of "t−1": an index leaves no space about its sign."""
    if character.isalnum():
        tag = "mn" if character.isdigit() else "mi"
        return f"<{tag}>{character}</{tag}>"
    return f'<mo lspace="0" rspace="0">{character}</mo>'


def _row(text: str) -> str:
    """One element, as scripts and fractions want; a bare letter or number is one already."""
    return text if text.count("<") == 2 else f"<mrow>{text}</mrow>"
