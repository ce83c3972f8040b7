"""A formula in x and y: its value, its derivatives, and the forms in which it is written."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from ravine.explain.notation import javascript, latex, mathml
from ravine.explain.notation.equations import Glyph
from ravine.explain.notation.node import Node
from ravine.explain.notation.plain import Plain
from ravine.explain.notation.writing import is_negative
from ravine.explain.surfaces.arithmetic import evaluate, lowered
from ravine.explain.surfaces.parsing import VARIABLES, parse

# One object a letter: the writers make a power of a factor that is repeated.
_LETTERS = {name: Node("symbol", value=Glyph(name)) for name in VARIABLES}
_TIGHTNESS = {"+": 1, "-": 1, "negative": 2, "*": 3, "/": 3, "power": 4}


@dataclass(frozen=True)
class Formula:
    """A function of two variables, as somebody wrote it. Two are equal if they read alike.

    ``formula(x, y)`` takes floats, or arrays whose shapes broadcast, of float64; it gives the
    same. It is infinite or NaN, not an error, where the formula has no finite value.

    >>> bowl = Formula.read("5*x**2 + 2*x*y + 3*y**2")
    >>> bowl(1.0, 1.0), [part.plain() for part in bowl.gradient]
    (10.0, ['10x + 2y', '2x + 6y'])
    """

    text: str  # which reads back as this formula
    node: Node = field(repr=False, compare=False)

    @classmethod
    def read(cls, text: str) -> "Formula":
        """The formula of a text such as ``5*x**2 + 2*x*y``. Raises ``InvalidArgument`` with a
        caret.
        """
        return cls.of(parse(text))

    @classmethod
    def of(cls, node: Node) -> "Formula":
        """The formula of an expression whose symbols are x and y."""
        return cls(_text(node), node)

    def __call__(self, x: Any, y: Any) -> Any:
        """The value at a point, or at many."""
        result = evaluate(self._steps, x, y)
        if not (hasattr(x, "shape") or hasattr(y, "shape")):
            return result
        import numpy as np

        shape = np.broadcast_shapes(np.shape(x), np.shape(y))
        # Of one variable alone, or of none, it has another shape until now.
        return result if np.shape(result) == shape else np.array(np.broadcast_to(result, shape))

    @cached_property
    def gradient(self) -> "tuple[Formula, Formula]":
        """The partial derivatives by x and by y."""
        return self._derivative("x"), self._derivative("y")

    @cached_property
    def hessian(self) -> "tuple[tuple[Formula, Formula], tuple[Formula, Formula]]":
        """The second derivatives, by x and y in rows."""
        by_x, by_y = self.gradient
        mixed = by_x._derivative("y")
        return (by_x._derivative("x"), mixed), (mixed, by_y._derivative("y"))

    def javascript(self) -> str:
        """An expression in ``x`` and ``y`` with the bits of this formula on Python's floats.

        Of ``power`` and ``sign`` it may call the functions in ``notation.javascript.HELPERS``.
        Math.exp, log, sin and their like differ from Python's in the last bit of some results.

        >>> Formula.read("x**2 - y").javascript()
        'x * x - y'
        """
        return javascript.expression(self._steps)

    def plain(self) -> str:
        """Unicode on one line, for the terminal: ``5x² + 2xy + 3y²``."""
        return _Tight().write(_with_letters(self.node))

    def latex(self) -> str:
        """LaTeX, for any maths mode."""
        return latex.Latex().write(_with_letters(self.node))

    def mathml(self) -> str:
        """MathML Core, one ``<math>`` element."""
        return f"<math>{mathml.MathML().write(_with_letters(self.node))}</math>"

    @cached_property
    def _steps(self) -> Node:
        return lowered(self.node)

    def _derivative(self, by: str) -> "Formula":
        from ravine.explain.surfaces.symbolic import (
            derivative,  # SymPy, which takes a while to import
        )

        return Formula.of(derivative(self.node, by))


class _Tight(Plain):
    """Unicode without a space between what cannot be mistaken for a word: 2xy."""

    def _product(self, factors: list[str]) -> str:
        text = factors[0]
        for before, factor in pairwise(factors):
            if factor[0].isdigit():
                text += f" · {factor}"
            else:
                word = factor[:2].isalpha() and len(factor) > 1
                # After x^y another letter would seem to be part of the exponent.
                text += f" {factor}" if word or "^" in before else factor
        return text


def _with_letters(node: Node) -> Node:
    if node.kind == "symbol":
        return _LETTERS[node.value.name]
    return Node(node.kind, tuple(map(_with_letters, node.parts)), node.value)


def _text(node: Node, tightness: int = 0) -> str:
    """What the parser reads back as the same expression, bracketed where it must be."""
    kind, parts = node.kind, node.parts
    if kind == "number":
        own, text = 2 if is_negative(node.value) else 5, _number(node.value)
    elif kind == "symbol":
        own, text = 5, node.value.name
    elif kind not in _TIGHTNESS:
        own, text = 5, f"{kind}({_text(parts[0])})"
    elif kind == "negative":
        own, text = 2, f"-{_text(parts[0], 2)}"
    elif kind == "power":
        own, text = 4, f"{_text(parts[0], 5)}**{_text(parts[1], 4)}"
    else:
        own = _TIGHTNESS[kind]
        sign = f" {kind} " if own == 1 else kind
        text = f"{_text(parts[0], own)}{sign}{_text(parts[1], own + 1)}"
    return f"({text})" if own < tightness else text


def _number(value: float) -> str:
    named = {math.pi: "pi", math.e: "e"}
    return named[value] if value in named else javascript.number(value)
