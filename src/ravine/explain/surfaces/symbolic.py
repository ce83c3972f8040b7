"""Derivatives, by SymPy, of an expression in x and y; they come back as expressions.

SymPy sorts terms as it likes. So it is asked for the derivative alone; a formula that somebody
wrote is calculated and shown in the order in which it was written.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import sympy

from ravine.errors import RavineError
from ravine.explain.notation.node import FUNCTIONS, Node, Symbol
from ravine.explain.surfaces.arithmetic import evaluate

_SYMBOLS = {name: sympy.Symbol(name) for name in "xy"}
LARGEST = 1000  # SymPy writes out 9 ** n for whole n; beyond this it is given n as a decimal
FINEST = 12  # digits; a fraction that needs more as a decimal stays a fraction
LARGEST = 10**308  # a number that a float can hold


class Sign(sympy.Function):  # type: ignore[misc]  # SymPy has no types
    """The sign. SymPy's own has Dirac's delta for a derivative."""

    def fdiff(self, argindex: int = 1) -> Any:
        """0 wherever there is one."""
        return sympy.Integer(0)


class Size(sympy.Function):  # type: ignore[misc]  # SymPy has no types
    """The absolute value. SymPy's own allows for complex arguments, and so does its derivative."""

    def fdiff(self, argindex: int = 1) -> Any:
        """The sign."""
        return Sign(self.args[0])


_TO: dict[str, Any] = {name: getattr(sympy, name) for name in ("sqrt", "cos", *FUNCTIONS)}
_TO |= {"abs": Size, "sign": Sign}
_FROM = {function: name for name, function in _TO.items()}
_OPERATIONS: dict[str, Any] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "negative": lambda a: -a,
}


def derivative(node: Node, by: str) -> Node:
    """The partial derivative by ``"x"`` or ``"y"``, simplified so far that it reads well."""
    expression = to_sympy(node)
    if expression.has(sympy.nan, sympy.zoo):
        return _number(math.nan)  # and SymPy would say that NaN is a constant
    return from_sympy(sympy.diff(expression, _SYMBOLS[by]))


def to_sympy(node: Node) -> Any:
    """SymPy's expression; decimals become the fractions that they stand for."""
    if node.kind == "number":
        return _exact(node.value)
    if node.kind == "symbol":
        return _SYMBOLS[node.value.name]
    if all(one.kind != "symbol" for one in node.inside()):
        value = evaluate(node, 0.0, 0.0)
        if node.kind == "power" or not math.isfinite(value):
            return _exact(value)  # or SymPy would write out 9 ** 9 ** 9
    parts = [to_sympy(part) for part in node.parts]
    if node.kind == "power":
        base, exponent = parts
        if exponent.is_Integer and abs(exponent) > LARGEST:
            exponent = sympy.Float(exponent)
        return base**exponent
    return (_OPERATIONS | _TO)[node.kind](*parts)


def from_sympy(expression: Any) -> Node:
    """An expression that calculates the same; NaN for what has no real value."""
    if expression.is_number and expression.is_finite and not expression.is_real:
        return _number(math.nan)
    for kind, write in _WRITERS.items():
        if getattr(expression, f"is_{kind}"):
            return write(expression)
    if expression.func not in _FROM:
        raise RavineError(f"there is no way to write the derivative {expression}")
    return Node(_FROM[expression.func], (from_sympy(expression.args[0]),))


def _sum(expression: Any) -> Node:
    """The terms in SymPy's order for print; the first with a plus leads."""
    terms = [(term.as_coeff_Mul()[0].is_negative, term) for term in expression.as_ordered_terms()]
    leader = next((i for i, (negative, _) in enumerate(terms) if not negative), None)
    if leader is not None:
        terms.insert(0, terms.pop(leader))
    (_, first), *rest = terms
    node = from_sympy(first)
    for negative, term in rest:
        node = Node("-" if negative else "+", (node, from_sympy(-term if negative else term)))
    return node


def _product(expression: Any) -> Node:
    coefficient, rest = expression.as_coeff_Mul()
    if coefficient.is_negative:
        return Node("negative", (from_sympy(-coefficient * rest),))
    over: list[Node] = []
    under: list[Node] = []
    if coefficient.is_Rational and not _is_decimal(coefficient):
        over += [_fraction(sympy.Integer(coefficient.p))] if coefficient.p != 1 else []
        under += [_fraction(sympy.Integer(coefficient.q))]
    elif coefficient != 1:
        over.append(_fraction(coefficient))
    for factor in rest.as_ordered_factors():
        if factor.is_Pow and factor.exp.is_Rational and factor.exp.is_negative:
            under.append(from_sympy(factor.base**-factor.exp))
        else:
            over.append(from_sympy(factor))
    above = _times(over) if over else _number(1.0)
    return Node("/", (above, _times(under))) if under else above


def _power(expression: Any) -> Node:
    base, exponent = expression.base, expression.exp
    if exponent == sympy.Rational(1, 2):
        return Node("sqrt", (from_sympy(base),))
    if exponent.is_Rational and exponent.is_negative:
        return Node("/", (_number(1.0), from_sympy(base**-exponent)))
    return Node("power", (from_sympy(base), from_sympy(exponent)))


def _symbol(expression: Any) -> Node:
    return Node("symbol", value=Symbol("", expression.name))


def _constant(value: Any) -> Node:
    """π, e, or infinity and NaN, which are none."""
    return _number(float(value) if value.is_finite else math.nan)


def _fraction(value: Any) -> Node:
    """A decimal number where that is short and exact, else a quotient."""
    if value.is_negative:
        return Node("negative", (_fraction(-value),))
    small = value.is_Rational and max(value.p, value.q) < LARGEST
    if small and not _is_decimal(value):
        return Node("/", (_number(float(value.p)), _number(float(value.q))))
    return _constant(value)


def _is_decimal(value: Any) -> bool:
    if value.is_Integer:
        return True
    digits = repr(float(value))
    return len(digits) <= FINEST + 2 and sympy.Rational(digits) == value


def _exact(value: float) -> Any:
    if not math.isfinite(value):
        return sympy.nan
    known = {math.pi: sympy.pi, math.e: sympy.E}
    return known[value] if value in known else sympy.Rational(repr(value))


def _number(value: float) -> Node:
    return Node("number", value=value)


def _times(factors: list[Node]) -> Node:
    return reduce(lambda a, b: Node("*", (a, b)), factors)


# SymPy's own word for what an expression is; the first that holds decides.
_WRITERS: dict[str, Callable[[Any], Node]] = {
    "Symbol": _symbol,
    "NumberSymbol": _constant,
    "Number": _fraction,
    "Add": _sum,
    "Mul": _product,
    "Pow": _power,
}
