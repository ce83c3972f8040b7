"""What the written forms have in common: which operation binds tighter, so where brackets go."""

import math
from abc import ABC, abstractmethod
from itertools import groupby

from ravine.explain.notation.equations import Glyph
from ravine.explain.notation.node import FUNCTIONS, Node

# How tightly an expression holds together; it is bracketed where something tighter is needed.
LOOSE, SUM, QUOTIENT, PRODUCT, POWER, ATOM = range(6)
_CONSTANTS = {math.pi: "π", math.e: "e"}
_CALLS = ("gradient", "sign", "maximum", "minimum", "cos", "abs", "norm", *FUNCTIONS)
RELATIONS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}
Said = tuple[str, int]


class Writer(ABC):
    """Writes expressions in one form; a form says how each piece looks."""

    def write(self, node: Node, tightness: int = LOOSE) -> str:
        """The text of an expression, bracketed unless it is at least that tight."""
        text, own = self._said(node)
        return self._brackets(text) if own < tightness else text

    def _said(self, node: Node) -> Said:
        """The text of an expression, and how tightly it holds together."""
        kind, parts = node.kind, node.parts
        match kind:
            case "number" if node.value in _CONSTANTS:
                said = self._glyph(Glyph(_CONSTANTS[node.value])), ATOM
            case "number":
                said = self._number(node.value)
            case "symbol":
                said = self._glyph(node.value), ATOM
            case "+" | "-":
                right = SUM if kind == "+" and not _leads_with_minus(parts[1]) else QUOTIENT
                sign = self._operator(kind.replace("-", "−"))
                said = self.write(parts[0], SUM) + sign + self.write(parts[1], right), SUM
            case "negative":
                said = self._sign("−") + self.write(parts[0], QUOTIENT), SUM
            case "*":
                said = self._chain(node)
            case "/":
                said = self._fraction(*parts)
            case "power":
                said = self._power(*parts), POWER
            case "sqrt":
                said = self._root(parts[0]), POWER
            case "where":
                said = self._cases(*parts), LOOSE
            case _ if kind in _CALLS:
                said = self._call(kind, [self.write(part) for part in parts]), ATOM
            case _:
                relation = self._operator(RELATIONS[kind])
                said = self.write(parts[0], SUM) + relation + self.write(parts[1], SUM), LOOSE
        return said

    def _chain(self, node: Node) -> Said:
        """Factors side by side; a factor that is repeated at once becomes a power: g·g is g²."""
        factors = []
        for _, same in groupby(_factors(node), key=id):
            run = list(same)
            many = Node("number", value=float(len(run)))
            factors.append(run[0] if len(run) == 1 else Node("power", (run[0], many)))
        # Only a number may carry its minus unbracketed in front: −0.5 x.
        leads = factors[0].kind == "number" and _leads_with_minus(factors[0])
        texts = [self.write(f, PRODUCT if i or not leads else SUM) for i, f in enumerate(factors)]
        if len(texts) == 1:
            return self._said(factors[0])
        return self._product(texts), SUM if leads else PRODUCT

    @abstractmethod
    def _number(self, value: float) -> Said:
        """A constant."""

    @abstractmethod
    def _glyph(self, glyph: Glyph) -> str:
        """A name."""

    @abstractmethod
    def _operator(self, sign: str) -> str:
        """A sign between two operands."""

    @abstractmethod
    def _sign(self, sign: str) -> str:
        """A sign in front of one."""

    @abstractmethod
    def _brackets(self, text: str) -> str:
        """Round brackets about a text."""

    @abstractmethod
    def _product(self, factors: list[str]) -> str:
        """Factors side by side."""

    @abstractmethod
    def _fraction(self, over: Node, under: Node) -> Said:
        """A quotient."""

    @abstractmethod
    def _power(self, base: Node, exponent: Node) -> str:
        """A power."""

    @abstractmethod
    def _root(self, node: Node) -> str:
        """A square root."""

    @abstractmethod
    def _call(self, function: str, arguments: list[str]) -> str:
        """gradient, sign, maximum, minimum, abs, norm, cos or another function of texts."""

    @abstractmethod
    def _cases(self, condition: Node, x: Node, y: Node) -> str:
        """The first where the condition holds, else the second."""


def digits(value: float) -> tuple[str, str]:
    """A number as mantissa and power of ten, the latter empty where it is not needed.

    >>> digits(2.0), digits(0.96), digits(1e-8)
    (('2', ''), ('0.96', ''), ('1', '-8'))
    """
    mantissa, _, exponent = repr(abs(value)).partition("e")
    return mantissa.removesuffix(".0"), str(int(exponent)) if exponent else ""


def is_negative(value: float) -> bool:
    """Whether a number is written with a minus."""
    return repr(value).startswith("-")


def _leads_with_minus(node: Node) -> bool:
    if node.kind in ("+", "-", "*", "/"):
        return _leads_with_minus(node.parts[0])
    return node.kind == "negative" or (node.kind == "number" and is_negative(node.value))


def _factors(node: Node) -> list[Node]:
    if node.kind != "*":
        return [node]
    return [factor for part in node.parts for factor in _factors(part)]
