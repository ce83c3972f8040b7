"""A rule's equations in Unicode, for the terminal."""

import unicodedata

from ravine.explain.notation.equations import Glyph, Letters, Line, sections
from ravine.explain.notation.node import Node, Symbol
from ravine.explain.notation.writing import (
    ATOM,
    POWER,
    QUOTIENT,
    SUM,
    Said,
    Writer,
    digits,
    is_negative,
)
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers.partition import BIASES, parts

_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
_BELOW = str.maketrans("0123456789+-t", "₀₁₂₃₄₅₆₇₈₉₊₋ₜ")
_ABOVE = dict(zip("0123456789+−t() ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵗ⁽⁾ ", strict=True))
_CALLED = {"gradient": "∇J", "maximum": "max", "minimum": "min"}  # all else as it is
_BARS = {"abs": "|", "norm": "‖"}


def write(rule: Rule) -> str:
    """The equations of a rule, a line each, their equals signs below one another.

    Where a rule treats arrays differently, it says for which the equations below are.

    >>> from ravine import SGD
    >>> print(write(SGD()))
    gₜ = ∇J(wₜ₋₁)
    wₜ = wₜ₋₁ − α gₜ
    """
    return "\n\n".join(
        (f"{said}:\n" if said else "") + _aligned(rows) for said, rows in sections(rule)
    )


def _aligned(equations: list[list[Line]]) -> str:
    writer = Plain()
    rows = [
        [(writer.write(line.target), writer.write(line.value)) for line in row] for row in equations
    ]
    width = max(_width(row[0][0]) for row in rows)
    return "\n".join(
        " " * (width - _width(row[0][0])) + ",  ".join(f"{left} = {right}" for left, right in row)
        for row in rows
    )


def letters(rule: Rule) -> dict[str, str]:
    """How the equations write each of the rule's hyperparameters.

    >>> from ravine import Momentum
    >>> letters(Momentum())
    {'learning_rate': 'α', 'momentum': 'β', 'dampening': 'dampening'}
    """
    writer = Plain()
    found: dict[str, str] = {}
    for what, part in parts(rule).items():
        given, start = Letters(part), BIASES if what == "biases" else ""
        for name in part.values():
            found[start + name] = writer.write(given.symbol(Symbol("h", name)))
    return {name: found.get(name, name) for name in rule.values()}


class Plain(Writer):
    """Unicode on one line."""

    def _number(self, value: float) -> Said:
        mantissa, exponent = digits(value)
        text = f"{mantissa}e{exponent}".replace("-", "−") if exponent else mantissa
        return (f"−{text}", SUM) if is_negative(value) else (text, ATOM)

    def _glyph(self, glyph: Glyph) -> str:
        text = unicodedata.normalize("NFC", glyph.base + _ACCENTS.get(glyph.accent, ""))
        text += "′" * glyph.primes
        below = [glyph.step] if glyph.step else []
        if glyph.below:
            numeric = glyph.below.isdigit()
            below = [glyph.below, *below] if numeric else below
            text += "" if numeric else f"_{glyph.below}"
        return text + ",".join(below).translate(_BELOW)

    def _operator(self, sign: str) -> str:
        return f" {sign} "

    def _sign(self, sign: str) -> str:
        return sign

    def _brackets(self, text: str) -> str:
        return f"({text})"

    def _product(self, factors: list[str]) -> str:
        text = factors[0]
        for factor in factors[1:]:
            text += f" · {factor}" if factor[0].isdigit() else f" {factor}"
        return text

    def _fraction(self, over: Node, under: Node) -> Said:
        # −1 / x needs no bracket, but neither (−x) / y nor (a + b) / y may lose theirs.
        above = self.write(over, SUM if over.kind in ("number", "*", "/") else QUOTIENT)
        own = SUM if above.startswith("−") else QUOTIENT
        return f"{above} / {self.write(under, POWER)}", own

    def _power(self, base: Node, exponent: Node) -> str:
        above = self.write(exponent)
        if set(above) <= set(_ABOVE):
            # Superscripts need no spaces: βᵗ⁺¹.
            return self.write(base, ATOM) + "".join(_ABOVE[c] for c in above if c != " ")
        return f"{self.write(base, ATOM)}^{self.write(exponent, ATOM)}"

    def _root(self, node: Node) -> str:
        return f"√{self.write(node, ATOM)}"

    def _call(self, function: str, arguments: list[str]) -> str:
        if bar := _BARS.get(function):
            return f"{bar}{arguments[0]}{bar}"
        return f"{_CALLED.get(function, function)}({', '.join(arguments)})"

    def _cases(self, condition: Node, x: Node, y: Node) -> str:
        x_text, y_text = self.write(x, SUM), self.write(y, SUM)
        return f"{x_text} if {self.write(condition)} else {y_text}"


def _width(text: str) -> int:
    return sum(not unicodedata.combining(character) for character in text)
