r"""A rule's equations as LaTeX: an ``aligned`` block for any maths mode that has amsmath."""

import re
from itertools import pairwise

from ravine.explain.notation.equations import GREEK, Glyph, sections
from ravine.explain.notation.node import Node
from ravine.explain.notation.writing import (
    ATOM,
    POWER,
    PRODUCT,
    SUM,
    Said,
    Writer,
    digits,
    is_negative,
)
from ravine.rules.update_rule import Rule

_COMMANDS = {letter: rf"\{name}" for name, letter in GREEK.items()}
_COMMANDS |= {"π": r"\pi", "ε": r"\varepsilon", "φ": r"\varphi", "ο": "o"}
_SIGNS = {"−": "-", "≤": r"\le", "≥": r"\ge", "≠": r"\ne"}
_SPECIAL = {
    **{character: rf"\{character}" for character in "_{}$&#%"},
    "\\": r"\backslash{}",
    "^": r"\hat{}",
    "~": r"\sim{}",
}
_TALL = re.compile(r"\\(frac|sqrt|begin|left)")
_CALLED = {"gradient": r"\nabla J", "sign": r"\operatorname{sign}", "maximum": r"\max"}
_CALLED |= {"minimum": r"\min", "asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan"}


def write(rule: Rule) -> str:
    r"""The equations of a rule, to stand between ``\[`` and ``\]``.

    >>> from ravine import SGD
    >>> print(write(SGD()))
    \begin{aligned}
    g_{t} &= \nabla J(w_{t-1}) \\
    w_{t} &= w_{t-1} - \alpha g_{t}
    \end{aligned}
    """
    writer = Latex()
    rows = []
    for said, lines in sections(rule):
        rows += [rf"&\text{{{said}:}}"] if said else []
        for line in lines:
            (target, value), *more = [(writer.write(left), writer.write(x)) for left, x in line]
            rows.append(rf"{target} &= {value}" + "".join(rf",\quad {l} = {r}" for l, r in more))
    body = " \\\\\n".join(rows)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


class Latex(Writer):
    """LaTeX's maths mode."""

    def _number(self, value: float) -> Said:
        mantissa, exponent = digits(value)
        minus = "-" if is_negative(value) else ""
        if not exponent:
            return minus + mantissa, SUM if minus else ATOM
        times = "" if mantissa == "1" else rf"{mantissa} \cdot "
        return f"{minus}{times}10^{{{exponent}}}", SUM if minus else PRODUCT

    def _glyph(self, glyph: Glyph) -> str:
        text = _letters(glyph.base)
        if glyph.accent:
            text = rf"\{glyph.accent}{{{text}}}"
        text += "'" * glyph.primes
        index = glyph.below if glyph.below.isdigit() else glyph.below and _letters(glyph.below)
        below = ",".join(part for part in (index, glyph.step) if part)
        return f"{text}_{{{below}}}" if below else text

    def _operator(self, sign: str) -> str:
        return f" {_SIGNS.get(sign, sign)} "

    def _sign(self, sign: str) -> str:
        return _SIGNS[sign]

    def _brackets(self, text: str) -> str:
        return rf"\left({text}\right)" if _TALL.search(text) else f"({text})"

    def _product(self, factors: list[str]) -> str:
        text = factors[0]
        for before, factor in pairwise(factors):
            # Figures would run together, and words.
            sign = r" \cdot" if factor[0].isdigit() else ""
            thin = r" \," if r"\mathrm" in before + factor else ""
            text += f"{sign or thin} {factor}"
        return text

    def _fraction(self, over: Node, under: Node) -> Said:
        return rf"\frac{{{self.write(over)}}}{{{self.write(under)}}}", POWER

    def _power(self, base: Node, exponent: Node) -> str:
        text = self.write(base, ATOM)
        # A prime is a superscript already, and TeX takes one only.
        text = f"{{{text}}}" if base.kind == "symbol" and base.value.primes else text
        return f"{text}^{{{self.write(exponent)}}}"

    def _root(self, node: Node) -> str:
        return rf"\sqrt{{{self.write(node)}}}"

    def _call(self, function: str, arguments: list[str]) -> str:
        inside = ", ".join(arguments)
        if function in ("abs", "norm"):
            bar = "|" if function == "abs" else r"\|"
            return rf"\left{bar}{inside}\right{bar}"
        return _CALLED.get(function, f"\\{function}") + self._brackets(inside)

    def _cases(self, condition: Node, x: Node, y: Node) -> str:
        return (
            rf"\begin{{cases}} {self.write(x)} & \text{{if }} {self.write(condition)} \\ "
            rf"{self.write(y)} & \text{{otherwise}} \end{{cases}}"
        )


def _letters(name: str) -> str:
    """A letter of the alphabet or a Greek one as it is, all else upright."""
    if name in _COMMANDS:
        return _COMMANDS[name]
    if len(name) == 1 and name.isascii() and name.isalpha():
        return name
    escaped = "".join(_SPECIAL.get(character, character) for character in name)
    return rf"\mathrm{{{escaped}}}" if name.isascii() else rf"\text{{{escaped}}}"
