"""Every written form reads back as what it was made of: no bracket is missing or moved."""

import operator
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.explain.notation import latex, mathml, plain
from ravine.explain.notation.equations import Glyph
from ravine.explain.notation.node import Node

# Roots, signs and absolute values are given other meanings, which fractions can hold, so that
# "equal" is exact.
GLYPHS = {
    Glyph("a"): Fraction(3, 2),
    Glyph("b", "hat", "1", "t-1"): Fraction(-5, 7),
    Glyph("word", step="t"): Fraction(11, 3),
    Glyph("c", primes=1): Fraction(1, 9),
    Glyph("t"): Fraction(2),
}
MEANING = {
    "sqrt": lambda x: 7 - x,
    "sign": lambda x: 2 * x + 5,
    "abs": lambda x: 3 - x / 2,
    "norm": lambda x: 4 - 3 * x,
    "cos": lambda x: 3 * x - 1,
    "max": lambda x, y: x - 2 * y,
    "min": lambda x, y: 5 * x + y,
}


LATEX_SIGNS = {
    r"\left|": "⌈",
    r"\right|": "|",
    r"\left\|": "⟦",
    r"\right\|": "‖",
    r"\left": "",
    r"\right": "",
    r"\sqrt": "√",
    r"\cdot": "·",
    r"\max": "max",
    r"\min": "min",
    r"\cos": "cos",
    r"\,": "",
    "-": "−",
}


CALCULATED: dict[str, Any] = MEANING | {
    "maximum": MEANING["max"],
    "minimum": MEANING["min"],
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "power": operator.pow,
    "negative": operator.neg,
}


def value_of(node: Node) -> Any:
    if node.is_leaf:
        return GLYPHS[node.value] if node.kind == "symbol" else Fraction(repr(node.value))
    return CALCULATED[node.kind](*map(value_of, node.parts))


def extended(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    exponent = st.one_of(
        st.sampled_from([2.0, 3.0]).map(lambda n: Node("number", value=n)),
        st.just(Node("symbol", value=Glyph("t"))),
        st.just(Node("symbol", value=Glyph("t"))).map(lambda t: t + 1),
    )
    two = [st.builds(lambda a, b, k=k: Node(k, (a, b)), inner, inner) for k in "+-*/"]
    one = [
        st.builds(lambda a, k=k: Node(k, (a,)), inner)
        for k in ("negative", "sqrt", "sign", "abs", "cos", "norm")
    ]
    return st.one_of(
        *two,
        *one,
        st.builds(lambda a, b: Node("maximum", (a, b)), inner, inner),
        st.builds(lambda a, b: Node("minimum", (a, b)), inner, inner),
        st.builds(lambda a, b: Node("power", (a, b)), inner, exponent),
        inner.map(lambda a: a * a),
    )


SYMBOLS = [Node("symbol", value=g) for g in GLYPHS]  # the same objects, so that a·a can be a²
NUMBERS = st.sampled_from([2.0, 0.5, -0.25, -3.0, 1e-8, -2.5e-8])
TREES = st.recursive(
    st.one_of(st.sampled_from(SYMBOLS), NUMBERS.map(lambda x: Node("number", value=x))),
    extended,
    max_leaves=12,
)


class Reader:
    """Reads tokens strictly: side by side binds tighter than /, which takes one factor below."""

    def __init__(self, tokens: list[Any]) -> None:
        self.tokens = [*tokens, None]

    def take(self, token: Any) -> bool:
        found = self.tokens[0] == token
        if found:
            self.tokens.pop(0)
        return found

    def whole(self) -> Fraction:
        value = self.sum()
        assert self.tokens == [None], f"left over: {self.tokens}"
        return value

    def sum(self) -> Fraction:
        value = -self.quotient() if self.take("−") else self.quotient()
        while self.tokens[0] in ("+", "−"):
            sign = 1 if self.tokens.pop(0) == "+" else -1
            value += sign * self.quotient()
        return value

    def quotient(self) -> Fraction:
        value = self.factor()
        while self.take("·") or self.tokens[0] not in (None, "+", "−", "/", ")", ",", "|", "‖"):
            value *= self.factor()
        while self.take("/"):
            value /= self.factor()
        return value

    def factor(self) -> Fraction:
        if self.take("sqrt"):
            return MEANING["sqrt"](self.atom())
        base = self.atom()
        return base ** self.atom() if self.take("^") else base  # type: ignore[return-value]

    def atom(self) -> Fraction:
        token = self.tokens.pop(0)
        if isinstance(token, Fraction):
            return token
        if token in ("⌈", "⟦"):
            value = MEANING["abs" if token == "⌈" else "norm"](self.sum())
            assert self.take("|" if token == "⌈" else "‖")
            return value
        function = token if token in MEANING else ""
        assert token == "(" or (function and self.take("(")), f"{token} before {self.tokens}"
        values = [self.sum()]
        while self.take(","):
            values.append(self.sum())
        assert self.take(")")
        return MEANING[function](*values) if function else values[0]


def plain_tokens(node: Node) -> Iterator[Any]:
    text = plain.Plain().write(node)
    above = {v: k for k, v in plain._ABOVE.items() if k != " "}
    raised = "".join(above)
    text = re.sub(f"[{raised}]+", lambda m: "^(" + "".join(above[c] for c in m[0]) + ")", text)
    names = {plain.Plain()._glyph(g): value for g, value in GLYPHS.items()}
    yield from tokens(text, names)


def latex_tokens(node: Node) -> Iterator[Any]:
    text = latex.Latex().write(node)
    names = {}
    # Letters before all else: their braces and hyphens mean something else.
    for i, g in enumerate(sorted(GLYPHS, key=lambda g: -len(latex.Latex()._glyph(g)))):
        letter = re.escape(latex.Latex()._glyph(g))
        text = re.sub(rf"(?<![\\A-Za-z]){letter}(?![A-Za-z])", f"§{i}§", text)
        names[f"§{i}§"] = GLYPHS[g]
    text = re.sub(r"{(§\d§)}\^", r"\1^", text)  # {c'}^{2}
    text = text.replace(r"\operatorname{sign}", "sign")
    before = ""
    while text != before:  # from the inside out
        before = text
        text = re.sub(r"\\frac{([^{}]*)}{([^{}]*)}", r"((\1) / (\2))", text)
        text = re.sub(r"(\\sqrt|\^){([^{}]*)}", r"\1(\2)", text)
    for old, new in LATEX_SIGNS.items():
        text = text.replace(old, new)
    yield from tokens(text, names)


def tokens(text: str, names: dict[str, Fraction]) -> Iterator[Any]:
    """Tokens of the one-line notation; a bar opens unless it stands behind an operand."""
    opening = str.maketrans("|‖", "⌈⟦")
    text = re.sub(r"(?:(?<=[ (√−,⌈⟦])|^)[|‖]+", lambda m: m[0].translate(opening), text)
    known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    for token in re.findall(rf"{known}|\d[\d.]*(?:e−\d+)?|sign|max|min|cos|\S", text):
        if token in names:
            yield names[token]
        elif token[0].isdigit():
            yield Fraction(token.replace("−", "-"))
        else:
            yield {"√": "sqrt"}.get(token, token)


def mathml_tokens(node: Node) -> Iterator[Any]:
    names = {
        ElementTree.tostring(ElementTree.fromstring(mathml.MathML()._glyph(g))): value
        for g, value in GLYPHS.items()
    }
    text = mathml.MathML().write(node)
    yield from elements(ElementTree.fromstring(f"<mrow>{text}</mrow>"), names)


def elements(element: ElementTree.Element, names: dict[bytes, Fraction]) -> Iterator[Any]:
    element.tail = None
    bars = 0
    if (name := ElementTree.tostring(element)) in names:
        yield names[name]
    elif element.tag == "mn":
        yield Fraction(element.text or "")
    elif element.tag in ("mo", "mi"):
        sign = (element.text or "").strip("\u2061\u2062")
        yield from [{"⋅": "·"}.get(sign, sign)] if sign else []
    elif element.tag in ("mrow", "msqrt"):
        yield from ["sqrt", "("] if element.tag == "msqrt" else []
        for child in element:
            if child.tag == "mo" and child.text in ("|", "‖"):
                bars += 1
                yield {"|": "⌈", "‖": "⟦"}[child.text] if bars == 1 else child.text
            else:
                yield from elements(child, names)
        yield from [")"] if element.tag == "msqrt" else []
    elif element.tag == "msubsup":
        inner = ElementTree.Element("msub")
        inner.extend(element[:2])
        yield from [*elements(inner, names), "^", "(", *elements(element[2], names), ")"]
    elif element.tag in ("mfrac", "msup"):
        above, below = ([*elements(child, names)] for child in element)
        if element.tag == "mfrac":
            yield from ["(", "(", *above, ")", "/", "(", *below, ")", ")"]
        else:
            # What is raised must be one thing as it stands: a letter, or bracketed.
            yield from [*above, "^", "(", *below, ")"]
    else:
        assert element.tag == "mspace"


@pytest.mark.parametrize("form", [plain_tokens, latex_tokens, mathml_tokens])
@given(node=TREES)
def test_every_form_reads_back_as_what_was_meant(form: Any, node: Node) -> None:
    try:
        expected = value_of(node)
    except ZeroDivisionError:
        return
    assert Reader(list(form(node))).whole() == expected
