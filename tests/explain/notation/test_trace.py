"""What can be traced, in what order, under what names; and what is said where it cannot."""

import cProfile
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from ravine.errors import RavineError
from ravine.explain.notation import FORMS, plain
from ravine.explain.notation.trace import steps, trace
from ravine.rules import RULES, SGD, Adam, Momentum, ops
from ravine.rules.update_rule import Rule, hyper, rule


class Memory(NamedTuple):
    m: Any


def told(name: str, update: Callable[..., Any]) -> str:
    """A rule whose step is the function given, written down."""

    class Made(Rule):
        learning_rate: float = hyper(0.1, "length of a step")

    def method(self: Any, w: Any, g: Any, state: Any, t: Any) -> Any:
        return w - self.learning_rate * update(g), state

    Made.update = method  # type: ignore[method-assign]
    Made.__name__ = name
    return plain.write(rule(Made)())


@pytest.mark.parametrize(
    ("name", "update", "advice"),
    [
        ("If", lambda g: g if g > 0 else -g, "ravine.ops.where(condition, x, y)"),
        ("Max", lambda g: max(g, 0), "ravine.ops.maximum"),
        ("And", lambda g: g > 0 and g, "ravine.ops.where"),
        ("Sqrt", lambda g: math.sqrt(g * g), "ravine.ops: sqrt"),
        ("Float", float, "turns a value into a Python number"),
        ("Int", int, "turns a value into a Python number"),
        ("Index", lambda g: [1, 2][g], "turns a value into a Python number"),
        ("Round", round, "turns a value into a Python number"),
        ("Floor", math.floor, "turns a value into a Python number"),
        ("NumPy", np.sqrt, "ravine.ops: sqrt"),
        ("Scalar", lambda g: np.float64(2) * g, "hands a value to NumPy"),
        ("Like", np.zeros_like, "0 * w for zeros like w"),
        ("Where", lambda g: np.where(g > 0, g, 0), "hands a value to NumPy"),
        ("Jax", jnp.sqrt, "hands a value to NumPy"),
        ("Array", lambda g: g * np.ones(2), "mixes a value with numpy.ndarray"),
        ("Floored", lambda g: g // 2, "use operators and ravine.ops alone"),
        ("Method", lambda g: g.mean(), "use operators and ravine.ops alone"),
        ("Text", lambda g: g + "1", "mixes a value with builtins.str"),
        ("Nothing", lambda g: None, "mixes a value with builtins.NoneType"),
    ],
)
def test_what_cannot_be_written_down_is_refused_with_advice(
    name: str, update: Callable[..., Any], advice: str
) -> None:
    with pytest.raises(RavineError) as caught:
        told(name, update)
    said = str(caught.value)
    assert said.startswith(f"{name.lower()} cannot be written down: ")
    assert advice in said


def test_the_error_says_where() -> None:
    @rule
    class Branching(Rule):
        learning_rate: float = hyper(0.1, "length of a step")

        def update(self, w: Any, g: Any, state: Any, t: Any) -> Any:
            if t < 10:
                g = 0.5 * g
            return w - self.learning_rate * g, state

    line = Branching.update.__wrapped__.__code__.co_firstlineno + 1
    with pytest.raises(RavineError, match=rf"update asks .* line {line} of .*test_trace\.py"):
        trace(Branching())
    for form in FORMS.values():
        with pytest.raises(RavineError, match="branching cannot be written down"):
            form(Branching())


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (lambda w: w, "fails on symbols: wrong: update must return the pair"),
        (lambda w: (w, ()), "returns a state unlike the one that init makes"),
        (lambda w: (w, Memory(np.zeros(3))), "mixes a value with numpy.ndarray"),
        (lambda w: (w, {"m": w}), "mixes a value with builtins.dict"),
    ],
)
def test_a_wrong_result_is_named(result: Callable[[Any], Any], said: str) -> None:
    @rule
    class Wrong(Rule):
        learning_rate: float = hyper(0.1, "length of a step")

        def init(self, w: Any) -> Memory:
            return Memory(0 * w)

        def update(self, w: Any, g: Any, state: Any, t: Any) -> Any:
            return result(w)

    with pytest.raises(RavineError, match=f"wrong cannot be written down: update {said}"):
        trace(Wrong())


def test_a_rule_without_update_is_named() -> None:
    @rule
    class Idle(Rule):
        learning_rate: float = hyper(0.1, "length of a step")

    with pytest.raises(RavineError, match="Idle defines no update"):
        trace(Idle())


def test_what_a_rule_checks_of_itself_may_not_branch_either() -> None:
    @rule
    class Strict(SGD):
        def __post_init__(self) -> None:
            super().__post_init__()
            if self.learning_rate > 100:
                raise ValueError

    with pytest.raises(RavineError, match="__post_init__ asks whether a value is true"):
        trace(Strict())


@pytest.mark.parametrize("kind", RULES.values(), ids=list(RULES))
def test_tracing_disturbs_no_profiler(kind: type[Rule]) -> None:
    profile = cProfile.Profile()
    profile.enable()
    watching = sys.getprofile()
    trace(kind())
    assert sys.getprofile() is watching
    profile.disable()


def test_lines_come_in_the_order_written_and_once() -> None:
    names = [symbol.name for symbol, _ in steps(trace(Adam()).update)]
    assert names == ["m", "v", "m_hat", "v_hat", "floor", "w"]


def test_what_is_none_chooses_the_branch_and_numbers_are_symbols() -> None:
    mean, total = (trace(Momentum(dampening=d)) for d in (None, 0.0))
    hypers = [
        {n.value.name for n in made.update.results[0][1].inside() if n.kind == "symbol"}
        for made in (mean, total)
    ]
    assert hypers == [{"momentum", "V", "g"}, {"momentum", "dampening", "V", "g"}]


@pytest.mark.parametrize(
    ("update", "text"),
    [
        (lambda g: ops.where(g != 0, 1 / g, 0), "(1 / gₜ if gₜ ≠ 0 else 0)"),
        (lambda g: ops.where(True, g, 0), "gₜ"),
        (lambda g: ops.maximum(1, g), "max(gₜ, 1)"),
        (lambda g: ops.maximum(g, 0 * g + g), "max(gₜ, gₜ)"),
        (lambda g: ops.sign(+g) * abs(-g), "sign(gₜ) |−gₜ|"),
        (lambda g: (g > 0) * g, "(gₜ > 0) gₜ"),
        (lambda g: g * (g - 0) / 1, "gₜ²"),
        (lambda g: 0 - g, "(−gₜ)"),
        (lambda g: g + (g - g) - (g + g), "(gₜ + gₜ − gₜ − (gₜ + gₜ))"),
        (lambda g: g + (-g - g), "(gₜ + (−gₜ − gₜ))"),
        (lambda g: (g**2) ** 3, "(gₜ²)³"),
        (lambda g: ops.power(ops.power(2.0, g), 3), "· 2^(gₜ · 3)"),
        (lambda g: g**1 + 1**g + g**0 + 0 / g, "(gₜ + 1 + 1)"),
        (lambda g: g / 2 / (g / 3) * 4, "(gₜ / 2 / (gₜ / 3)) · 4"),
        (lambda g: 1e-8 * g ** (1 / 2), "· 1e−8 gₜ^0.5"),
    ],
)
def test_how_operations_are_written(update: Callable[..., Any], text: str) -> None:
    assert told("Written", update).splitlines()[-1] == f"wₜ = wₜ₋₁ − α {text}"


@rule
class Decayed(Rule):
    """Holds another rule."""

    learning_rate_of_mine: float = hyper(1.0, "unused")
    weight_decay: float = hyper(0.01, "share of w lost in a step")
    rule: Rule = Adam()

    def init(self, w: Any) -> Any:
        return self.rule.init(w)

    def update(self, w: Any, g: Any, state: Any, t: Any) -> Any:
        w, state = self.rule.update(w, g, state, t)
        return w - self.weight_decay * w, state


def test_a_rule_that_holds_a_rule() -> None:
    assert plain.write(Decayed()).splitlines()[-3:] == [
        " v̂ₜ = vₜ / (1 − β₂ᵗ)",
        "w′ₜ = wₜ₋₁ − α m̂ₜ / (√v̂ₜ + ε)",
        " wₜ = w′ₜ − λ w′ₜ",
    ]


def test_two_hyperparameters_of_one_name_are_refused() -> None:
    with pytest.raises(RavineError, match="two hyperparameters called"):
        trace(Decayed(rule=Decayed()))


def test_states_of_other_shapes() -> None:
    @rule
    class Bare(Rule):
        learning_rate: float = hyper(0.1, "length of a step")

        def init(self, w: Any) -> Any:
            return (0 * w, Memory(w))

        def update(self, w: Any, g: Any, state: Any, t: Any) -> Any:
            total, (m,) = state
            return w - self.learning_rate * total, (total + g, Memory(m))

    assert plain.write(Bare()).splitlines() == [
        "  s₀,₀ = 0,  s_1_m₀ = w₀",
        "    gₜ = ∇J(wₜ₋₁)",
        "    wₜ = wₜ₋₁ − α s₀,ₜ₋₁",
        "  s₀,ₜ = s₀,ₜ₋₁ + gₜ",
        "s_1_mₜ = s_1_mₜ₋₁",
    ]
