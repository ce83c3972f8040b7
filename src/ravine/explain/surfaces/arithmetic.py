"""The value of an expression in x and y, on Python floats and on NumPy arrays.

On floats it has the bits that its JavaScript has: both calculate :func:`lowered` in the order
written. Only what the libraries of the two languages round each in their own way differs, and in
the last bit: exp, log, the circular and hyperbolic functions, and powers whose exponent is not a
whole constant. Where Python's floats raise (1 / 0, log(0), exp(1000)) IEEE 754's value stands.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from ravine.explain.notation.node import FUNCTIONS, Node
from ravine.rules import ops

_FLOATS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "negative": operator.neg,
    "power": ops.power,
    "abs": abs,
    "sign": ops.sign,
    "sqrt": math.sqrt,
    "cos": math.cos,
}
_FLOATS |= {name: getattr(math, name) for name in FUNCTIONS}
# The same in NumPy, where it is not called alike.
_NUMPY = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
MULTIPLIED = 4  # powers up to here of x or y are written as products


def evaluate(node: Node, x: Any, y: Any) -> Any:
    """A float of floats, an array of arrays. Infinite or NaN where the expression is."""
    if node.kind == "number":
        return node.value
    if node.kind == "symbol":
        return x if node.value.name == "x" else y
    return apply(node.kind, *(evaluate(part, x, y) for part in node.parts))


def apply(kind: str, *values: Any) -> Any:
    """One operation on floats or arrays."""
    if all(map(ops.is_number, values)):
        try:
            return _FLOATS[kind](*values)
        except (ArithmeticError, ValueError):
            pass  # 1 / 0, log(0), exp(1000), (−1) ** 0.5: NumPy knows what they are
    import numpy as np

    function = getattr(np, _NUMPY.get(kind, kind))
    with np.errstate(all="ignore"):
        result = function(*values)
    return float(result) if all(map(ops.is_number, values)) else result


def lowered(node: Node) -> Node:
    """The same with whole constant powers as products or quotients, as they are calculated.

    x² is x · x, and x⁻² is 1 / (x · x): no library's ``pow`` has a say in them.
    """
    parts = tuple(map(lowered, node.parts))
    if node.kind != "power":
        return Node(node.kind, parts, node.value) if parts else node
    base, exponent = parts
    whole = whole_number(exponent)
    if whole is None:
        return Node("power", parts)
    if whole < 0:
        return Node("/", (Node("number", value=1.0), _power(base, -whole)))
    return _power(base, whole)


def whole_number(node: Node) -> int | None:
    """A whole constant, one with a minus in front too; None for anything else."""
    if node.kind == "negative":
        inside = whole_number(node.parts[0])
        return None if inside is None else -inside
    if node.kind == "number" and float(node.value).is_integer():
        return int(node.value)
    return None


def _power(base: Node, exponent: int) -> Node:
    if not base.is_leaf or not 1 <= exponent <= MULTIPLIED:
        return Node("power", (base, Node("number", value=float(exponent))))
    if exponent == 1:
        return base
    # As ravine.ops.power squares: the half first, so that both have the same bits.
    half = _power(base, exponent // 2)
    square = Node("*", (half, half))
    return Node("*", (base, square)) if exponent % 2 else square
