"""JavaScript has the bits of Python: expressions by Hypothesis, whole rules for 5,000 steps."""

import ast
import json
import math
import operator
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ravine.explain.notation import javascript
from ravine.explain.notation.node import COMPARISONS, Node, Symbol
from ravine.rules import RULES, VARIANTS, Adagrad, Momentum, Nadam, ops
from ravine.rules.update_rule import Rule, hyper, rule

STEPS = 5000
OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "negative": operator.neg,
    "abs": abs,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
} | {name: getattr(ops, name) for name in ("sqrt", "sign", "maximum", "minimum", "where", "power")}


def node_js(script: str) -> str:
    """What a script prints under Node."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("this test runs JavaScript; install Node: apt-get install nodejs")
    done = subprocess.run([node, "-"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bits(numbers: list[float]) -> list[str]:
    return [struct.pack("<d", x).hex() for x in numbers]


HEX = "const hex = x => Buffer.from(new Float64Array([x]).buffer).toString('hex');\n"

# Expressions over three values, calculated by Python from the tree itself.
VALUES = {"a": 0.1, "b": -7.3e5, "c": 3e-7}
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
EXPONENTS = st.sampled_from([0.0, 1.0, 2.0, 3.0, 7.0, 1000.0])


def made(kind: str, *operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.builds(lambda *parts: Node(kind, parts), *operands)


def extended(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    conditions = st.one_of(*(made(kind, inner, inner) for kind in COMPARISONS))
    return st.one_of(
        *(
            made(kind, inner, inner)
            for kind in ("+", "-", "*", "/", "+", "-", "maximum", "minimum")
        ),
        *(made(kind, inner) for kind in ("negative", "abs", "sign", "sqrt")),
        made("where", conditions, inner, inner),
        made("power", inner, EXPONENTS.map(lambda x: Node("number", value=x))),
    )


TREES = st.recursive(
    st.one_of(
        st.sampled_from(sorted(VALUES)).map(lambda x: Node("symbol", value=Symbol("", x))),
        NUMBERS.map(lambda x: Node("number", value=x)),
    ),
    extended,
    max_leaves=15,
)


def value_of(node: Node) -> Any:
    if node.kind == "symbol":
        return VALUES[node.value.name]
    if node.kind == "number":
        return node.value
    return OPERATORS[node.kind](*map(value_of, node.parts))


def calculable(node: Node) -> bool:
    """Not where Python raises and JavaScript says NaN or Infinity."""
    try:
        return math.isfinite(value_of(node))
    except (ZeroDivisionError, ValueError, OverflowError):
        return False


@given(TREES.filter(calculable))
def test_the_text_calculates_what_the_tree_does(tree: Node) -> None:
    names = VALUES | {
        name: OPERATORS[name] for name in ("sign", "maximum", "minimum", "where", "power")
    }
    names |= {"Math": SimpleNamespace(sqrt=ops.sqrt, abs=abs)}  # so that Python can read it too
    # Python's -0 is a whole number without a sign; JavaScript's is -0.
    parsed = ast.parse(javascript.expression(tree), mode="eval")
    for constant in ast.walk(parsed):
        if isinstance(constant, ast.Constant):
            constant.value = float(constant.value)  # type: ignore[arg-type]
    found = eval(compile(parsed, "expression", "eval"), names)
    assert bits([found]) == bits([value_of(tree)])


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(st.lists(TREES.filter(calculable), min_size=100, max_size=100))
def test_node_reads_it_alike(trees: list[Node]) -> None:
    given_values = "".join(f"const {name} = {value!r};\n" for name, value in VALUES.items())
    lines = [f"console.log(hex({javascript.expression(tree)}));\n" for tree in trees]
    script = HEX + "".join(javascript.HELPERS.values()) + given_values + "".join(lines)
    assert node_js(script).split() == bits([value_of(tree) for tree in trees])


class Kept(NamedTuple):
    new: Any  # names that JavaScript keeps to itself, or that the text uses
    h: Any
    s: Any


@rule
class Function(Rule):
    """Written by a user, with every operation and with names that JavaScript reserves."""

    learning_rate: float = hyper(0.01, "length of a step")
    größe: float = hyper(0.9, "not in English")  # noqa: PLC2401
    var: float = hyper(0.25, "a reserved word")
    sharp: bool = hyper(True, "a flag")

    def init(self, w: Any) -> Kept:
        return Kept(new=0 * w, h=w, s=1.0)

    def lookahead(self, w: Any, state: Kept, t: Any) -> Any:
        return w + (state.h - w) / (1 + t)

    def update(self, w: Any, g: Any, state: Kept, t: Any) -> tuple[Any, Kept]:
        g = g + self.var * ops.sign(w)
        power = ops.power(self.größe, t)  # hides the helper of that name
        function = ops.maximum(abs(state.new) * self.größe, g * g) - -power
        function = function * function / (1 + function)  # the first loses its name
        if self.sharp:
            function = ops.where(function > 1, ops.sqrt(function), function)
        w = w - self.learning_rate * (g / (function + 1e-8))
        return w, Kept(new=function, h=state.h - (state.h - w) * self.var, s=state.s * self.größe)

    def read(self, w: Any, state: Kept, t: Any) -> Any:
        return state.h + state.s * w


def gradients(seed: int) -> list[float]:
    """Of sizes from 0.001 to 10."""
    drawn = random.Random(seed)
    return [drawn.gauss() * 10 ** drawn.uniform(-3, 1) for _ in range(STEPS)]


def walked(walker: Rule, slopes: list[float]) -> list[float]:
    """For each step: where the gradient is taken, the new weights, the weights to use."""
    w, state, seen = 0.3, walker.init(0.3), []
    for t, g in enumerate(slopes, start=1):
        ahead = walker.lookahead(w, state, t)
        w, state = walker.update(w, g, state, t)
        seen += [ahead, w, walker.read(w, state, t)]
    return seen


def script(walker: Rule) -> str:
    return f"""{{
{javascript.write(walker)}
const rule = {javascript.identifier(walker.name, set())}, h = rule.hyper;
let w = 0.3, s = rule.init(h, w);
const seen = [];
slopes.forEach((g, i) => {{
  const ahead = rule.lookahead(h, w, s, i + 1);
  w = rule.update(h, w, g, s, i + 1);
  seen.push(ahead, w, rule.read(h, w, s, i + 1));
}});
console.log(Buffer.from(new Float64Array(seen).buffer).toString('hex'));
}}
"""


def walked_by_node(walkers: list[Rule], slopes: list[float]) -> list[list[float]]:
    begin = f'"use strict";\nconst slopes = {json.dumps(slopes)};\n'
    lines = node_js(begin + "".join(map(script, walkers))).split()
    return [list(struct.unpack(f"<{3 * len(slopes)}d", bytes.fromhex(line))) for line in lines]


def test_every_rule_is_bit_identical_for_5000_steps() -> None:
    walkers: list[Rule] = [
        *(kind() for kind in (RULES | VARIANTS).values()),
        Momentum(dampening=0),
        Momentum(dampening=0.3),
        Adagrad(initial_accumulator_value=0.1),
        Nadam(momentum_decay=1),  # Keras's ψ
        Nadam(momentum_decay=0),
        Function(),
        Function(sharp=False),
    ]
    slopes = gradients(seed=1)
    for walker, found in zip(walkers, walked_by_node(walkers, slopes), strict=True):
        expected = walked(walker, slopes)
        assert all(map(math.isfinite, expected))
        assert len(set(expected[1::3])) > 100, "this walk tests nothing"
        assert bits(found) == bits(expected), walker


def test_other_schedules_of_nadam_stay_close() -> None:
    # 0.96^ψ is one Math.pow. For these ψ Node 20 gives another last bit than C does; raised to
    # the power t that is off by t ulps, but by then the schedule has settled.
    walkers: list[Rule] = [
        Nadam(momentum_decay=psi) for psi in (0.257, 0.389, 1.0233, 3.8905, 4.4668, 6.6069)
    ]
    slopes = gradients(seed=3)
    for walker, found in zip(walkers, walked_by_node(walkers, slopes), strict=True):
        off = max(abs(a - b) for a, b in zip(found, walked(walker, slopes), strict=True))
        assert off < 1e-14  # the weights are of size one


def test_the_text_of_adam() -> None:
    assert (
        javascript.literal(RULES["adam"]())
        == """\
{
  hyper: {learning_rate: 0.001, beta_1: 0.9, beta_2: 0.999, \
epsilon: 1e-08, epsilon_hat: 0, epsilon_root: 0},
  init(h, w) {
    const m = 0 * w;
    const v = 0 * w;
    return {m, v};
  },
  lookahead(h, w, s, t) {
    return w;
  },
  update(h, w, g, s, t) {
    const m = h.beta_1 * s.m + (1 - h.beta_1) * g;
    const v = h.beta_2 * s.v + (1 - h.beta_2) * g * g;
    const m_hat = m / (1 - power(h.beta_1, t));
    const v_hat = v / (1 - power(h.beta_2, t));
    const floor = h.epsilon + h.epsilon_hat / Math.sqrt(1 - power(h.beta_2, t));
    const w_ = w - h.learning_rate * m_hat / (Math.sqrt(v_hat + h.epsilon_root) + floor);
    s.m = m;
    s.v = v;
    return w_;
  },
  read(h, w, s, t) {
    return w;
  },
}"""
    )


def test_a_script_has_only_the_helpers_it_calls() -> None:
    assert "function power" in javascript.write(RULES["adam"]())
    assert "function" not in javascript.write(RULES["sgd"]())


def test_numbers_read_back() -> None:
    assert [javascript.number(x) for x in (1.0, -0.0, 0.1, math.inf)] == [
        "1", "-0.0", "0.1", "Infinity",
    ]  # fmt: skip
    assert javascript.number(math.nan) == "NaN"


def test_names_are_made_safe() -> None:
    taken = {"w"}
    assert javascript.identifier("w", taken) == "w_"
    assert javascript.identifier("new", taken) == "new_"
    assert javascript.identifier("power", taken) == "power_"
    assert javascript.identifier("a-b</script>", taken).isidentifier()
