"""Text becomes an expression in x and y: a whitelist grammar, read by hand and never evaluated.

    sum     = product { ("+" | "-") product }
    product = ("-" | "+") product | signed { ("*" | "/") signed }
    signed  = ("-" | "+") signed | power
    power   = atom [ ("**" | "^") signed ]
    atom    = number | "x" | "y" | "pi" | "e" | function "(" sum ")" | "(" sum ")"

A superscript such as ² is a power too, and − × · ÷ π stand for - * * / pi.
"""

import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from ravine.errors import InvalidArgument
from ravine.explain.notation.node import FUNCTIONS, Node, Symbol

VARIABLES = ("x", "y")
CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}
CALLABLE = ("sqrt", "abs", "sign", "cos", *FUNCTIONS)
LONGEST, DEEPEST, NESTED = 1000, 200, 60  # characters, operations in one another, brackets
SHOWN = 72  # characters of a formula in an error

_ALIASES = {"−": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "^": "**"}
_OTHERS = {"ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "sgn": "sign"}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    rf"|(?P<name>[^\W\d_{''.join(_RAISED)}][^\W{''.join(_RAISED)}]*)"
    rf"|(?P<raised>[{''.join(_RAISED)}]+)"
    r"|(?P<sign>\*\*|[-+*/^(),−×·⋅÷])"
)


class WrongFormula(InvalidArgument):
    """A formula that cannot be read; ``position`` counts its characters from 0."""

    def __init__(self, formula: str, position: int, said: str) -> None:
        self.formula, self.position = formula, position
        super().__init__(
            f"cannot read the formula: {said}\n{_pointed(formula, position)}\n"
            f"allowed: numbers, x, y, pi, e, + - * / ** ^ ( ), {', '.join(CALLABLE)}"
        )


class Token(NamedTuple):
    """A piece of a formula; the kind of its end is ``"end"``."""

    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"'{self.text}'"


def parse(text: str) -> Node:
    """The expression that a text stands for; its symbols are x and y.

    Raises ``WrongFormula`` where it is none, and nothing else.

    >>> parse("2*x + y").kind
    '+'
    """
    reader = _Reader(text)
    node = reader.sum()
    reader.expect_end()
    return node


def _meant(name: str) -> str:
    """What was probably meant by a name that no formula has, as the end of a sentence."""
    if set(name) <= set(VARIABLES):
        return f"; write {'*'.join(name)}"
    if power := re.fullmatch(r"([xy])_?([0-9]+)", name):
        return f"; write {power[1]}**{power[2]}"
    known = [*VARIABLES, *CONSTANTS, *CALLABLE]
    other = _OTHERS.get(name.lower())
    near = [other] if other else difflib.get_close_matches(name.lower(), known, 1, 0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


class _Reader:
    """Reads a formula from left to right."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise InvalidArgument(f"a formula is a text such as '5*x**2 + 2*x*y', not {text!r}")
        self._text = text
        if len(text) > LONGEST:
            self._fail(f"{len(text)} characters are too many; {LONGEST} are allowed", LONGEST)
        self._tokens = list(self._split())
        self._next = 0
        self._depths: dict[int, int] = {}  # of nodes, by id; they all live as long as the reader
        self._made: list[Node] = []
        self._brackets = 0

    def sum(self) -> Node:
        node = self.product()
        while sign := self._taken("+", "-"):
            node = self._node(sign.text, node, self.product(), at=sign)
        return node

    def product(self) -> Node:
        # -x*y is -(x*y), as mathematicians read it; the bits are those of (-x)*y.
        if sign := self._taken("-", "+"):
            return self._negated(sign, self._deeper(sign, self.product))
        node = self.signed()
        while sign := self._taken("*", "/"):
            node = self._node(sign.text, node, self.signed(), at=sign)
        return node

    def signed(self) -> Node:
        sign = self._taken("-", "+")
        if sign is None:
            return self.power()
        return self._negated(sign, self._deeper(sign, self.signed))

    def power(self) -> Node:
        base = self.atom()
        if sign := self._taken("**"):
            return self._node("power", base, self._deeper(sign, self.signed), at=sign)
        if self._token.kind == "raised":
            raised = self._take()
            digits = "".join(_RAISED[c] for c in raised.text)
            if not re.fullmatch("-?[0-9]+", digits):
                self._fail(f"{raised} is no exponent", raised.position)
            exponent = self._number(digits.removeprefix("-"), raised)
            if digits.startswith("-"):
                exponent = self._node("negative", exponent, at=raised)
            return self._node("power", base, exponent, at=raised)
        return base

    def atom(self) -> Node:
        if len(self._tokens) == 1:
            self._fail("it is empty; write one such as '5*x**2 + 2*x*y'", 0)
        token = self._take()
        match token.kind, token.text:
            case "number", text:
                node = self._number(text, token)
            case "name", name:
                node = self._named(name, token)
            case "sign", "(":
                node = self._deeper(token, self.sum)
                self._close(token)
            case _:
                self._fail(f"found {token} where a number, x, y or '(' is needed", token.position)
        return node

    def expect_end(self) -> None:
        token = self._token
        if token.text == ")":
            self._fail("found ')' without its '('", token.position)
        if token.text == ",":
            self._fail("found ','; write decimals with a point", token.position)
        if token.kind != "end":
            self._fail(f"found {token} where an operator is needed{self._hint()}", token.position)

    def _named(self, name: str, token: Token) -> Node:
        if name in VARIABLES:
            return self._node("symbol", at=token, value=Symbol("", name))
        if name in CONSTANTS:
            return self._node("number", at=token, value=CONSTANTS[name])
        if name not in CALLABLE:
            self._fail(f"unknown name '{name}'{_meant(name)}", token.position)
        opening = self._taken("(")
        if opening is None:
            following = self._token.text if self._token.text in VARIABLES else "…"
            self._fail(f"{name} is a function; write {name}({following})", token.position)
        inside = self._deeper(opening, self.sum)
        if self._token.text == ",":
            self._fail(f"{name} takes one number", self._token.position)
        self._close(opening)
        return self._node(name, inside, at=token)

    def _negated(self, sign: Token, node: Node) -> Node:
        return self._node("negative", node, at=sign) if sign.text == "-" else node

    def _close(self, opening: Token) -> None:
        if self._token.text == ")":
            self._take()
        elif self._token.kind == "end":
            self._fail("this '(' is never closed", opening.position)
        else:
            token = self._token
            self._fail(
                f"found {token} where an operator or ')' is needed{self._hint()}", token.position
            )

    def _hint(self) -> str:
        """What to write where two things stand side by side."""
        before, token = self._tokens[self._next - 1], self._token
        if token.kind not in ("number", "name") and token.text != "(":
            return ""
        left = "(…)" if before.text == ")" else before.text
        right = "(…)" if token.text == "(" else token.text
        right = "*".join(right) if set(right) <= set(VARIABLES) else right
        return f"; for a product write {left}*{right}"

    def _number(self, digits: str, token: Token) -> Node:
        value = float(digits)
        if math.isinf(value):
            self._fail(f"{token} is too large a number", token.position)
        return self._node("number", at=token, value=value)

    def _node(self, kind: str, *parts: Node, at: Token, value: object = None) -> Node:
        node = Node(kind, parts, value)
        self._made.append(node)
        depth = 1 + max((self._depths[id(part)] for part in parts), default=0)
        self._depths[id(node)] = depth
        if depth > DEEPEST:
            self._fail(f"more than {DEEPEST} operations within one another", at.position)
        return node

    def _deeper(self, at: Token, read: Callable[[], Node]) -> Node:
        """What is read within a bracket or behind a sign, unless these are too many."""
        self._brackets += 1
        if self._brackets > NESTED:
            self._fail(f"more than {NESTED} brackets or signs within one another", at.position)
        node = read()
        self._brackets -= 1
        return node

    def _split(self) -> Iterator[Token]:
        at = 0
        while at < len(self._text):
            if self._text[at].isspace():
                at += 1
                continue
            found = _TOKEN.match(self._text, at)
            if found is None:
                self._fail(f"found '{_printable(self._text[at])}', which is not allowed", at)
            kind = found.lastgroup or ""
            yield Token(kind, _ALIASES.get(found[0], found[0]), at)
            at = found.end()
        yield Token("end", "", at)

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _taken(self, *signs: str) -> Token | None:
        return self._take() if self._token.kind == "sign" and self._token.text in signs else None

    def _fail(self, said: str, position: int) -> NoReturn:
        raise WrongFormula(self._text, position, said)


def _pointed(formula: str, position: int) -> str:
    """The formula, or the part of it about a position, and a caret below that."""
    first = max(0, min(position - SHOWN // 2, len(formula) - SHOWN))
    part = formula[first : first + SHOWN]
    before, after = "…" if first else "", "…" if first + SHOWN < len(formula) else ""
    indent = " " * (len(before) + sum(map(_columns, formula[first:position])))
    return f"  {before}{''.join(map(_printable, part))}{after}\n  {indent}^"


def _printable(character: str) -> str:
    return character if character.isprintable() else "�"


def _columns(character: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
