"""Each operation means the same on a number and on every library's arrays."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.rules import ops

VALUES = [0.25, 4.0, 2.0, 0.0, 9.0]
SIGNED = [-0.25, 4.0, -2.0, 0.0, 9.0]
# Powers of two and their squares: exact in float32, so that libraries have nothing to differ in.
KINDS: dict[str, Callable[[list[float]], Any]] = {
    "numpy": lambda values: np.array(values, np.float32),
    "jax": lambda values: jnp.array(values, jnp.float32),
    "tensorflow": lambda values: tf.constant(values, tf.float32),
    "torch": lambda values: torch.tensor(values, dtype=torch.float32),
}
every_kind = pytest.mark.parametrize("array", KINDS.values(), ids=KINDS)


@every_kind
def test_arrays_give_what_numpy_gives_and_keep_type_and_dtype(
    array: Callable[[list[float]], Any],
) -> None:
    x, y = array(SIGNED), array(VALUES)
    a, b = np.array(SIGNED, np.float32), np.array(VALUES, np.float32)
    for given_, expected in [
        (ops.sqrt(y), np.sqrt(b)),
        (ops.sign(x), np.sign(a)),
        (ops.maximum(x, y), np.maximum(a, b)),
        (ops.maximum(x, 1.0), np.maximum(a, 1)),
        (ops.maximum(1.0, x), np.maximum(1, a)),
        (ops.where(x > 0, x, y), np.where(a > 0, a, b)),
        (ops.minimum(x, y), np.minimum(a, b)),
        (ops.minimum(x, 1.0), np.minimum(a, 1)),
        (ops.minimum(1.0, x), np.minimum(1, a)),
        (ops.cos(0 * y), np.ones_like(b)),
        (ops.power(y, 2.0), b**2),
    ]:
        assert type(given_) is type(x)
        assert ops.dtype_name(given_) == "float32"
        np.testing.assert_array_equal(np.asarray(given_), expected)


@every_kind
def test_not_a_number_is_never_the_smaller(array: Callable[[list[float]], Any]) -> None:
    for extreme in (ops.maximum, ops.minimum):
        found = extreme(array([math.nan, 1.0]), array([1.0, math.nan]))
        assert np.isnan(np.asarray(found)).all()


@every_kind
def test_an_infinite_number_has_neighbours(array: Callable[[list[float]], Any]) -> None:
    x = array([math.inf, -math.inf])
    np.testing.assert_array_equal(np.asarray(ops.minimum(x, 2.0)), [2.0, -math.inf])
    np.testing.assert_array_equal(np.asarray(ops.maximum(-2.0, x)), [math.inf, -2.0])


@every_kind
def test_a_norm_is_one_number_of_all_elements(array: Callable[[list[float]], Any]) -> None:
    for values, size in [([3.0, -4.0], 5.0), ([-7.0], 7.0), ([], 0.0), ([0.0, 0.0], 0.0)]:
        found = ops.norm(array(values))
        assert ops.dtype_name(found) == "float32"
        assert tuple(found.shape) == ()
        assert float(found) == size
    cube: Any = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 1.0], [2.0, 2.0]]]
    assert float(ops.norm(array(cube))) == 8.0
    assert ops.norm(-3.0) == 3.0


@every_kind
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_cast_keeps_the_values_and_says_the_name(
    array: Callable[[list[float]], Any], dtype: str
) -> None:
    there = ops.cast(array(VALUES), dtype)
    assert ops.dtype_name(there) == dtype
    back = ops.cast(there, "float32")
    assert type(back) is type(array(VALUES))
    np.testing.assert_array_equal(np.asarray(back), np.array(VALUES, np.float32))


def test_bfloat16_scalars_of_numpy_are_arrays_too() -> None:
    assert ops.sqrt(ml_dtypes.bfloat16(4)) == 2
    assert ops.dtype_name(ml_dtypes.bfloat16(4)) == "bfloat16"


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
@settings(database=None)
def test_plain_numbers_give_what_math_gives(x: float, y: float) -> None:
    assert ops.sqrt(abs(x)) == math.sqrt(abs(x))
    assert ops.sign(x) == np.sign(x)
    assert ops.maximum(x, y) == max(x, y)
    assert ops.minimum(x, y) == min(x, y)
    assert ops.cos(x) == math.cos(x)
    assert ops.where(x > y, x, y) == max(x, y)
    for found in (ops.sqrt(abs(x)), ops.sign(x), ops.maximum(x, y), ops.power(x, 2)):
        assert type(found) is float
    assert math.isnan(ops.maximum(x, math.nan))
    assert math.isnan(ops.maximum(math.nan, y))
    assert math.isnan(ops.minimum(math.nan, y))


@given(st.floats(0.01, 1.0), st.integers(0, 5000))
@settings(database=None)
def test_power_is_repeated_squaring_close_to_the_exact_power(base: float, exponent: int) -> None:
    found = ops.power(base, exponent)
    exact = Fraction(base) ** min(exponent, 400)  # the fraction grows by 53 bits a factor
    if exponent <= 400 and found > 1e-290:  # below that a square may have lost bits
        # An error made in a square is doubled by each later one: half an ulp a factor at worst.
        bound = exact * exponent * Fraction(1, 2**53)
        assert abs(Fraction(found) - exact) <= bound
    # The definition, halving instead of looping over bits: other languages must find these bits.
    assert found == ops.power(base, float(exponent)) == _by_halves(base, exponent)


def _by_halves(base: float, exponent: int) -> float:
    if exponent == 0:
        return 1.0
    bits = [k for k in range(exponent.bit_length()) if exponent >> k & 1]
    squares = [base]
    while len(squares) <= bits[-1]:
        squares.append(squares[-1] * squares[-1])
    return math.prod(squares[k] for k in bits)


@given(st.floats(0.01, 10.0), st.floats(-5, 5))
@settings(database=None)
def test_power_takes_any_other_exponent_from_math(base: float, exponent: float) -> None:
    if exponent < 0 or exponent != int(exponent):
        assert ops.power(base, exponent) == math.pow(base, exponent)


@pytest.mark.parametrize("operation", [ops.sqrt, ops.sign, lambda x: ops.cast(x, "float32")])
def test_an_unknown_type_is_named(operation: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"no array library known for fractions\.Fraction"):
        operation(Fraction(1, 2))
