"""What holds of any rule that somebody may write, shown on rules written here."""

import math
from dataclasses import FrozenInstanceError
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ravine.errors import InvalidArgument
from ravine.frameworks.spelling import read_rule
from ravine.rules import RULES, SGD
from ravine.rules.update_rule import Hyper, Rule, hyper, rule, step, unit_quotient


@rule
class Damped(Rule):
    """Descent with a friction, for these tests."""

    learning_rate: float = hyper(0.5, "length of a step", unit="w/g", valid="> 0")
    friction: float = hyper(0.0, "what a step loses", valid="[0, 1)")
    drag: float | None = hyper(None, "friction of the memory", valid=">= 0")

    def init(self, w: Any) -> Any:
        return 0 * w

    def lookahead(self, w: Any, state: Any, t: Any) -> Any:
        return w + 1

    def update(self, w: Any, g: Any, state: Any, t: Any) -> tuple[Any, Any]:
        return w - self.learning_rate * (1 - self.friction) * g, state + t


@pytest.mark.parametrize(
    ("valid", "inside", "outside"),
    [
        ("", [-1e300, 0.0, 1e300], [math.nan, math.inf, -math.inf]),
        ("> 0", [5e-324, 1e300], [0.0, -1.0, math.nan, math.inf]),
        (">= 0", [0.0, 1.0], [-5e-324, math.nan]),
        ("> -1.5", [-1.0], [-1.5]),
        ("[0, 1)", [0.0, math.nextafter(1, 0)], [1.0, -5e-324, math.nan]),
        ("(0, 1]", [5e-324, 1.0], [0.0, math.nextafter(1, 2)]),
        ("(-1,1)", [0.0], [-1.0, 1.0]),
        ("[1e-3, 2e+2]", [1e-3, 200.0], [9e-4, 201.0]),
    ],
)
def test_interval(valid: str, inside: list[float], outside: list[float]) -> None:
    declared = Hyper("anything", valid=valid)
    assert all(declared.allows(value) for value in inside)
    assert not any(declared.allows(value) for value in outside)


@pytest.mark.parametrize("valid", ["positive", "[0; 1]", "< 1 or so", "[0, 1"])
def test_an_interval_that_cannot_be_read_says_how_to_write_it(valid: str) -> None:
    with pytest.raises(ValueError, match=r"write '> 0' or '\[0, 1\)'"):
        Hyper("anything", valid=valid).allows(0.5)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("", 1),
        ("w", 2),
        ("g", 8),
        ("g^2", 64),
        ("w/g", 1 / 4),
        ("w/g^2", 1 / 32),
        ("1/g", 1 / 8),
        ("w g", 16),
        ("w^2/w g", 1 / 4),
    ],
)
def test_a_setting_rescales_by_its_unit(unit: str, factor: float) -> None:
    assert Hyper("anything", unit=unit).rescaled(3.0, w=2, g=8) == 3 * factor


@pytest.mark.parametrize("unit", ["x", "w/", "g/1", "w*g", "w/g/g", "/w", "w^-1"])
def test_a_unit_that_cannot_be_read_says_how_to_write_it(unit: str) -> None:
    with pytest.raises(ValueError, match=r"write 'w', 'g\^2', 'w/g', '1/w', 'w g'"):
        Hyper("anything", unit=unit).rescaled(1.0, w=2, g=2)


@pytest.mark.parametrize("over", ["", "w", "g", "w/g", "g^2", "1/w"])
@pytest.mark.parametrize("under", ["", "w", "g", "w/g", "1/g"])
def test_a_quotient_of_units_rescales_as_the_quotient(over: str, under: str) -> None:
    quotient = Hyper("", unit=unit_quotient(over, under)).rescaled(1.0, w=4, g=32)
    assert quotient == Hyper("", unit=over).rescaled(1.0, 4, 32) / Hyper("", unit=under).rescaled(
        1.0, 4, 32
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"learning_rate": 0},
            "damped: learning_rate=0 is not allowed; length of a step must be > 0",
        ),
        ({"learning_rate": math.nan}, "learning_rate=nan is not allowed"),
        ({"friction": 1}, r"friction=1 is not allowed; what a step loses must be in \[0, 1\)"),
        ({"drag": -1}, "drag=-1 is not allowed; friction of the memory must be >= 0"),
        ({"friction": np.float32(1)}, "friction=1 is not allowed"),
        ({"friction": "0.5"}, "damped: friction='0.5' is not a number"),
        ({"friction": [0.5]}, r"friction=\[0.5\] is not a number"),
        ({"friction": True}, "friction=True is not a number"),
        ({"friction": {0.5}}, r"friction=\{0.5\} is not a number"),
        ({"friction": 0.5j}, "friction=0.5j is not a number"),
        ({"friction": None}, "friction=None is not a number"),
        ({"learning_rate": 10**400}, "damped: learning_rate"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_hyperparameter_is_named_with_what_would_be_right(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Damped(**wrong)
    with pytest.raises(InvalidArgument, match=message):
        Damped().replace(wrong)


@pytest.mark.parametrize("value", [0.5, np.float64(0.5), np.float32(0.5), np.float16(0.5)])
def test_a_hyperparameter_becomes_a_plain_float(value: Any) -> None:
    assert type(Damped(friction=value).friction) is float
    assert Damped(friction=value) == Damped(friction=0.5)


@pytest.mark.parametrize("value", [1, np.int64(1), np.uint8(1)])
def test_a_whole_hyperparameter_becomes_a_plain_float(value: Any) -> None:
    assert type(Damped(learning_rate=value).learning_rate) is float


def test_traced_values_pass_unchecked() -> None:
    lengths = jax.vmap(lambda rate: Damped(learning_rate=rate).update(1.0, 2.0, 0.0, 1)[0])
    np.testing.assert_array_equal(lengths(jnp.array([-1.0, 0.0, 2.0])), [3, 1, -3])


@pytest.mark.parametrize("t", [1, 1.0, np.int64(1), np.int32(1), np.float64(1), np.float32(1)])
def test_the_number_of_the_step_may_be_of_any_kind(t: Any) -> None:
    w = np.ones(3, np.float32)
    w, state = Damped().update(w, w, Damped().init(w), t)
    assert (w.dtype, state.dtype) == (np.float32, np.float32)  # np.float64 would widen both


@pytest.mark.parametrize("w", [[1.0, 2.0], (1.0, 2.0)], ids=["list", "tuple"])
def test_weights_are_numbers_or_arrays(w: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"w is a (list|tuple); .* np\.asarray\(w\)"):
        Damped().init(w)
    with pytest.raises(InvalidArgument, match=r"w is a (list|tuple)"):
        step(Damped(), lambda w: w, w, 0.0, 1)


def test_a_step_takes_the_gradient_ahead_and_counts() -> None:
    asked = []

    def grad(w: float) -> float:
        asked.append(w)
        return 2 * w

    made = Damped(learning_rate=0.25)
    w, state = step(made, grad, 1.0, made.init(1.0), 1)
    assert (asked, w, state) == ([2.0], 0.0, 1.0)
    assert step(made, grad, w, state, 2) == (-0.5, 3.0)
    assert made.read(w, state, 1) == w


def test_a_rule_without_update_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"Rule defines no update\(w, g, state, t\)"):
        Rule().update(1.0, 1.0, (), 1)


def test_a_rule_is_a_frozen_value() -> None:
    assert Damped(friction=0.5).replace({"friction": 0.25}) == Damped(friction=0.25)
    assert hash(Damped(friction=0.25)) == hash(Damped(friction=0.25))
    assert Damped().values() == Damped.defaults()
    assert list(Damped.hyperparameters()) == ["learning_rate", "friction", "drag"]
    made = Damped()
    with pytest.raises(FrozenInstanceError):
        made.friction = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (Damped(), "damped"),
        (Damped(friction=0.0), "damped"),
        (Damped(friction=0.25, drag=2), "damped(friction=0.25, drag=2)"),
        (Damped(learning_rate=1e-7), "damped(learning_rate=1e-07)"),
    ],
)
def test_the_spelling_shows_what_departs_from_the_defaults(made: Rule, text: str) -> None:
    assert str(made) == text


@pytest.mark.parametrize("kind", RULES.values(), ids=RULES)
def test_the_spelling_reads_back_as_the_same_rule(kind: type[Rule]) -> None:
    for value in (0.1 + 0.2, 1 / 3, math.nextafter(0.5, 1), 1e-7):
        made = kind(**dict.fromkeys(kind.hyperparameters(), value))
        assert read_rule(str(made)) == made


def test_sixteen_bit_arithmetic_never_happens() -> None:
    seen = []

    @rule
    class Spy(Damped):
        """Notes the types that reach it."""

        def init(self, w: Any) -> Any:
            seen.append(w.dtype)
            return 0 * w

        def update(self, w: Any, g: Any, state: Any, t: Any) -> tuple[Any, Any]:
            seen.extend([w.dtype, g.dtype])
            return w - g, state

        def read(self, w: Any, state: Any, t: Any) -> Any:
            seen.append(w.dtype)
            return w

    w = np.ones(3, np.float16)
    state = Spy().init(w)
    stepped, _ = Spy().update(w, w, state, 1)
    read = Spy().read(w, state, 1)
    assert set(seen) == {np.dtype(np.float32)}
    assert state.dtype == np.float32
    assert stepped.dtype == read.dtype == np.float16


def test_the_arguments_may_be_named() -> None:
    rule = SGD(learning_rate=0.5)
    assert rule.update(w=1.0, g=1.0, state=rule.init(w=1.0), t=1) == (0.5, ())
    with pytest.raises(TypeError):
        rule.update(1.0, 1.0)
    with pytest.raises(TypeError):
        rule.update(1.0, 1.0, (), x=1)
