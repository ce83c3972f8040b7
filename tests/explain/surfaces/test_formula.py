"""Formulas: read by a whitelist, calculated as written, differentiated, written down again."""

import math
import re
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.explain.surfaces.formula import Formula
from ravine.explain.surfaces.parsing import CALLABLE, LONGEST, WrongFormula

ARTICLE = "5*x**2 + 2*x*y + 3*y**2"
PLACES = [(0.7, -1.3), (1.0, 1.0), (-2.25, 0.1)]


def made(*parts: st.SearchStrategy[str], text: str) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda given: text.format(*given))


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Arithmetic with every pair of brackets, as Python reads it too."""
    operator = st.sampled_from(["+", "-", "*", "/"])
    return st.one_of(
        made(inner, operator, inner, text="({} {} {})"),
        made(inner, st.sampled_from(["-", "+"]), text="({1}{0})"),
        made(inner, st.integers(0, 3), text="({} ** {})"),
    )


LEAVES = st.one_of(
    st.sampled_from(["x", "y", "pi", "e"]),
    st.floats(0, 1e6, allow_nan=False).map(repr),
    st.integers(0, 99).map(lambda n: f"{n}.0"),  # Python would write 99 ** 99 ** 99 out
)
ARITHMETIC = st.recursive(LEAVES, larger, max_leaves=12)
# Without brackets the grammar decides; it is Python's.
LOOSE = st.lists(
    st.tuples(LEAVES, st.sampled_from(["+", "-", "*", "/", "**", "*-", "-+-"])), min_size=1
)


def by_python(text: str, x: float, y: float) -> float | None:
    """Python's own arithmetic, of a text that the strategies above made; None where it raises."""
    try:
        # Whole numbers as floats: Python would work out 9**9**9 to its last digit.
        floats = re.sub(r"(?<![\w.])(?<!\de[-+])(\d+)(?![\w.])", r"\1.0", text)
        result = eval(floats, {"__builtins__": {}}, {"x": x, "y": y, "pi": math.pi, "e": math.e})
    except (ArithmeticError, ValueError):
        return None
    return None if isinstance(result, complex) else float(result)


@given(ARITHMETIC)
def test_arithmetic_is_pythons(text: str) -> None:
    formula = Formula.read(text)
    for x, y in PLACES:
        expected = by_python(text, x, y)
        if expected is not None and math.isfinite(expected):
            # Python's pow is C's, which may round x ** 3 otherwise than a product does; a
            # difference of two such numbers may then be off by as much as they are.
            scale = max(abs(expected), 1e-9 * max(map(abs, numbers_in(text, x, y))) ** 3)
            assert formula(x, y) == pytest.approx(expected, rel=1e-9, abs=1e-12 * scale)


def numbers_in(text: str, x: float, y: float) -> list[float]:
    return [
        1.0,
        x,
        y,
        *(float(n) for n in text.replace("(", " ").replace(")", " ").split() if n[0].isdigit()),
    ]


@given(LOOSE, LEAVES)
def test_precedence_is_pythons(pieces: list[tuple[str, str]], last: str) -> None:
    text = "".join(f"{leaf}{operator}" for leaf, operator in pieces) + last
    expected = by_python(text, 1.5, 0.75)
    if expected is not None and math.isfinite(expected) and abs(expected) > 1e-6:
        assert Formula.read(text)(1.5, 0.75) == pytest.approx(expected, rel=1e-6)


@given(ARITHMETIC)
def test_what_is_written_reads_back(text: str) -> None:
    formula = Formula.read(text)
    again = Formula.read(formula.text)
    assert again == formula
    assert again.text == formula.text
    for x, y in PLACES:
        assert np.array_equal(again(x, y), formula(x, y), equal_nan=True)


@given(st.one_of(st.text(), st.text("xy01.+-*/^() ,esinpqrt²⁻−_", max_size=40)))
@settings(max_examples=500)
def test_any_text_is_read_or_refused(text: str) -> None:
    error = refusal(text)
    if error is not None:
        assert "^" in str(error)
        assert 0 <= error.position <= len(text)
        return
    formula = Formula.read(text)
    formula(0.0, 0.0)
    assert Formula.read(formula.text) == formula
    assert all((formula.plain(), formula.latex(), formula.mathml(), formula.javascript()))


def refusal(text: str) -> WrongFormula | None:
    try:
        Formula.read(text)
    except WrongFormula as error:
        return error
    return None


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "-" * 900,
        "x" + "**x" * 300,
        "x+" * 499 + "x",
        "sin(" * 200,
        "x" * 5000,
        "²" * 900,
    ],
)
def test_what_is_too_deep_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(WrongFormula):
        Formula.read(text)


def test_the_deepest_that_is_read_has_a_gradient() -> None:
    deep = "sin(" * 59 + "x" + ")" * 59
    assert math.isfinite(Formula.read(deep).gradient[0](0.5, 0.5))
    long = "+".join(["x*y"] * 190)
    assert len(long) < LONGEST
    assert Formula.read(long).gradient[0].plain() == "190y"


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("5*x**2 + 2x", 10, r"write 2\*x"),
        ("2xy", 1, r"write 2\*x\*y"),
        ("x y", 2, r"write x\*y"),
        ("3(x + 1)", 1, r"write 3\*\(…\)"),
        ("(x)(y)", 3, r"write \(…\)\*\(…\)"),
        ("xy", 0, r"unknown name 'xy'; write x\*y"),
        ("x + x2", 4, r"write x\*\*2"),
        ("sn(x)", 0, "did you mean 'sin'"),
        ("2*ln(x)", 2, "did you mean 'log'"),
        ("sin x", 0, r"write sin\(x\)"),
        ("sin(x, y)", 5, "sin takes one number"),
        ("(x + 1", 0, "never closed"),
        ("x + 1)", 5, r"without its '\('"),
        ("x +", 3, "found the end"),
        ("", 0, "it is empty"),
        ("x == y", 2, "found '='"),
        ("1,5*x", 1, "decimals with a point"),
        ("__import__('os')", 0, "found '_'"),
        ("x.real", 1, "found '.'"),
        ("1e999", 0, "too large"),
    ],
)
def test_what_is_wrong_is_pointed_at(text: str, position: int, said: str) -> None:
    with pytest.raises(WrongFormula, match=said) as caught:
        Formula.read(text)
    assert caught.value.position == position
    _, shown, caret, allowed = str(caught.value).splitlines()
    assert shown == f"  {text}"
    assert caret == " " * (position + 2) + "^"
    assert all(name in allowed for name in CALLABLE)


def test_the_caret_of_a_long_formula_and_of_wide_letters() -> None:
    with pytest.raises(WrongFormula) as caught:
        Formula.read("x + " * 100 + "$" + " + x" * 100)
    _, shown, caret, _ = str(caught.value).splitlines()
    assert len(shown) < 80
    assert shown[caret.index("^")] == "$"
    with pytest.raises(WrongFormula) as caught:
        Formula.read("x + 漢 + 1")
    assert caught.value.position == 4
    with pytest.raises(WrongFormula) as caught:
        Formula.read("x\n+ $")
    assert str(caught.value).splitlines()[2] == "      ^"


def test_other_ways_to_write_it() -> None:
    assert Formula.read("5·x² + 2×x*y + 3*y^2") == Formula.read(ARTICLE)
    assert Formula.read("π − x÷2")(1.0, 0.0) == math.pi - 0.5
    assert Formula.read("x⁻¹⁰")(2.0, 0.0) == 2.0**-10


def test_the_articles_gradient() -> None:
    formula = Formula.read(ARTICLE)
    assert [part.plain() for part in formula.gradient] == ["10x + 2y", "2x + 6y"]
    assert [part.javascript() for part in formula.gradient] == ["10 * x + 2 * y", "2 * x + 6 * y"]
    assert [part(1.0, 1.0) for part in formula.gradient] == [12, 8]
    assert [[part(0.3, 9.0) for part in row] for row in formula.hessian] == [[10, 2], [2, 6]]
    assert formula.latex() == "5 x^{2} + 2 x y + 3 y^{2}"
    assert formula.mathml().startswith("<math><mn>5</mn>")


@pytest.mark.parametrize(
    ("text", "by_x"),
    [
        ("(1 - x)**2 + 100*(y - x**2)**2", "2x − 400x(y − x²) − 2"),
        ("-x*y", "−y"),
        ("x/3 + 0.1*x**2", "0.2x + 1 / 3"),
        ("exp(-x/2)", "−0.5 exp(−0.5x)"),
        ("sqrt(x)", "0.5 / √x"),
        ("abs(x*y)", "y sign(xy)"),
        ("cos(2*pi*x)", "−2π sin(2πx)"),
        ("tanh(x)", "1 − tanh(x)²"),
        ("x**y", "x^y y / x"),
        ("y", "0"),
        ("1/0*x", "nan"),
    ],
)
def test_derivatives_read_well(text: str, by_x: str) -> None:
    assert Formula.read(text).gradient[0].plain() == by_x


ORACLE: dict[str, Any] = {"abs": sympy.Abs, "x": sympy.Symbol("x", real=True)}
ORACLE |= {"y": sympy.Symbol("y", real=True), "e": sympy.E}


@pytest.mark.parametrize(
    "text",
    [
        *(f"{name}(0.4*x + 0.3*y**2) * y" for name in CALLABLE if name != "sign"),
        "x**2.5 / (1 + y**2) - x**-3 + 2**(x*y)",
        "log(x + y**2)**2 / sqrt(x)",
        "x**7*y - (x - y)**5/12 + x*y/3",
    ],
)
def test_derivatives_are_those_of_sympys_own_parser(text: str) -> None:
    """Text to SymPy by its own reader, complex absolute value and all, at 30 digits."""
    formula, x, y = Formula.read(text), ORACLE["x"], ORACLE["y"]
    expected = sympy.sympify(text, locals=ORACLE, rational=True)
    pairs = [
        (formula, expected),
        *zip(formula.gradient, (expected.diff(x), expected.diff(y)), strict=True),
        (formula.hessian[0][0], expected.diff(x, 2)),
        (formula.hessian[0][1], expected.diff(x, y)),
        (formula.hessian[1][1], expected.diff(y, 2)),
    ]
    at = {x: sympy.Rational(7, 10), y: sympy.Rational(-3, 5)}
    for ours, theirs in pairs:
        # Some ten operations of half an ulp each.
        assert ours(0.7, -0.6) == pytest.approx(
            float(theirs.subs(at).evalf(30)), rel=1e-14, abs=1e-14
        )


@given(ARITHMETIC)
@settings(max_examples=40, deadline=None)  # SymPy's first look at an expression is slow
def test_every_formula_has_a_gradient(text: str) -> None:
    for part in Formula.read(text).gradient:
        part(0.5, 0.25)
        if not {"nan", "infinity"} & set(re.findall("[a-z]+", part.text.lower())):
            assert Formula.read(part.text).text == part.text


def test_what_has_no_value_is_infinite_or_nan() -> None:
    said = {"1/x": math.inf, "-1/x": -math.inf, "log(x)": -math.inf, "exp(999 + x)": math.inf}
    said |= {"x/x": math.nan, "log(x - 1)": math.nan, "sqrt(x - 1)": math.nan, "x**-1": math.inf}
    said |= {"(x - 1)**0.5": math.nan, "9**9**9**9": math.inf, "sin(1/x)": math.nan}
    for text, value in said.items():
        formula = Formula.read(text)
        assert np.array_equal(formula(0.0, 0.0), value, equal_nan=True), text
        assert np.array_equal(formula(np.zeros(3), np.zeros(3)), [value] * 3, equal_nan=True), text


def test_arrays_broadcast() -> None:
    across, down = np.linspace(-2, 2, 5)[np.newaxis, :], np.linspace(-1, 1, 3)[:, np.newaxis]
    for text in (ARTICLE, "x", "7", "sin(y)", "x**3 - y**-2"):
        formula = Formula.read(text)
        found = formula(across, down)
        assert found.shape == (3, 5)
        one = [[formula(float(x), float(y)) for x in across[0]] for y in down[:, 0]]
        np.testing.assert_array_equal(found, one)
