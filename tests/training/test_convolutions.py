"""What was rewritten gives what XLA's own convolution and pooling give, gradients included."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax import lax

from ravine.training.convolutions import in_parts, sliced

pytestmark = pytest.mark.usefixtures("compiled_quickly")


def primitives_of(function: Any, *arguments: Any) -> set[str]:
    return {e.primitive.name for e in jax.make_jaxpr(function)(*arguments).jaxpr.eqns}


def assert_same(own: Any, *arguments: Any) -> None:
    """In value and in every gradient, float64; compiled whole, as in a race."""

    def pulled(function: Any) -> Any:
        def both(arrays: Any, back: Any) -> Any:
            found, pull = jax.vjp(function, *arrays)
            return found, pull(back)

        return jax.jit(both)(arrays, back)

    with jax.enable_x64(True):
        arrays = [jnp.asarray(a, jnp.float64) for a in arguments]
        back = np.random.default_rng(1).normal(size=jax.eval_shape(own, *arrays).shape)
        (found, pulls), (expected, own_pulls) = map(pulled, (sliced(own), own))
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        for a, b in zip((found, *pulls), (expected, *own_pulls), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


SPATIAL = st.integers(1, 3)


@settings(max_examples=15)
@given(st.data(), SPATIAL, st.sampled_from(["one", "some", "each"]))
def test_a_convolution_is_its_shifted_slices(data: st.DataObject, n: int, grouping: str) -> None:
    def each(low: int, high: int) -> list[int]:
        return [data.draw(st.integers(low, high)) for _ in range(n)]

    depth = data.draw(st.sampled_from([2, 4]))
    groups = {"one": 1, "some": 2, "each": depth}[grouping]
    filters = groups * data.draw(st.integers(1, 2))
    sizes, window, strides, gaps, between = (
        each(3, 6),
        each(1, 3),
        each(1, 3),
        each(1, 2),
        each(1, 2),
    )
    padding = [(data.draw(st.integers(-1, 2)), data.draw(st.integers(0, 2))) for _ in range(n)]
    reach = [(w - 1) * g + 1 for w, g in zip(window, gaps, strict=True)]
    room = [(s - 1) * b + 1 + sum(p) for s, b, p in zip(sizes, between, padding, strict=True)]
    assume(all(r >= k for r, k in zip(room, reach, strict=True)))
    letters = "DHW"[:n]
    layouts = [("N" + letters + "C", letters + "IO", "N" + letters + "C")]
    layouts += [
        ("NC" + letters, "OI" + letters, "NC" + letters),
        ("NC" + letters, letters + "IO", letters + "CN"),
    ]
    layout = data.draw(st.sampled_from(layouts))
    lengths = dict(zip(letters, sizes, strict=True)) | {"N": 2, "C": depth}
    kernel = dict(zip(letters, window, strict=True)) | {"I": depth // groups, "O": filters}
    draw = np.random.default_rng(0)
    x = draw.normal(size=[lengths[axis] for axis in layout[0]])
    k = draw.normal(size=[kernel[axis] for axis in layout[1]])

    def own(x: Any, k: Any) -> Any:
        return lax.conv_general_dilated(
            x,
            k,
            strides,
            padding,
            lhs_dilation=between,
            rhs_dilation=gaps,
            dimension_numbers=layout,
            feature_group_count=groups,
        )

    assert "conv_general_dilated" not in primitives_of(sliced(own), x, k)
    assert_same(own, x, k)


@settings(max_examples=10)
@given(st.data(), SPATIAL)
def test_a_maximum_is_taken_over_shifted_slices(data: st.DataObject, n: int) -> None:
    def each(low: int, high: int) -> list[int]:
        return [1, *(data.draw(st.integers(low, high)) for _ in range(n)), 1]

    sizes, window, strides = each(4, 7), each(1, 3), each(1, 3)
    padding = [(0, 0), *((data.draw(st.integers(0, 1)), 1) for _ in range(n)), (0, 0)]
    sizes[0], sizes[-1] = 2, 3
    # Few different values: equal ones meet in a window, and the first of them has the gradient.
    x = np.random.default_rng(data.draw(st.integers(0, 9))).integers(0, 4, sizes)

    def own(x: Any) -> Any:
        return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding)

    assert "reduce_window_max" not in primitives_of(sliced(own), x.astype(float))
    assert_same(own, x)


@pytest.mark.parametrize("shape", [(2, 6, 6, 3), (2, 7, 5, 3), (1, 9, 2)])
def test_tiles_are_windows_side_by_side(shape: tuple[int, ...]) -> None:
    window = (1, *(2 for _ in shape[1:-1]), 1)
    # Few different values: equal ones meet, also across the axes.
    x = np.random.default_rng(0).integers(0, 3, shape)
    assert_same(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID"), x)


def test_rows_in_parts_are_the_rows() -> None:
    kernel = np.random.default_rng(1).normal(size=(3, 1, 2))

    def own(scale: Any, x: Any) -> Any:
        numbers = ("NHC", "HIO", "NHC")
        return scale * lax.conv_general_dilated(x, kernel, (1,), "SAME", dimension_numbers=numbers)

    with jax.enable_x64(True):
        x = np.random.default_rng(0).normal(size=(7, 5, 1))
        np.testing.assert_allclose(in_parts(own, 3)(2.0, x), own(2.0, x), rtol=0, atol=1e-13)
        assert "scan" in primitives_of(in_parts(own, 3), 2.0, x)
        assert "scan" not in primitives_of(in_parts(lambda s, x: s * x, 3), 2.0, x)


def test_a_number_that_is_none_goes_through_a_maximum() -> None:
    x = np.array([0.0, np.nan, 1.0, 2.0, 3.0, np.nan], np.float32)
    pooled = sliced(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), "VALID"))(x)
    np.testing.assert_array_equal(pooled, [np.nan, 2, np.nan])


def test_what_has_neither_is_left_alone() -> None:
    def own(x: Any) -> Any:
        return [jnp.tanh(x) @ x]

    x = np.eye(2)
    assert str(jax.make_jaxpr(sliced(own))(x)) == str(jax.make_jaxpr(own)(x))


@pytest.mark.parametrize("inside", ["jit", "custom gradient", "loop"])
def test_what_surrounds_a_convolution_keeps_its_meaning(inside: str) -> None:
    kernel = np.ones((2, 1, 1))

    def convolved(x: Any) -> Any:
        return lax.conv_general_dilated(
            x, kernel, (1,), "VALID", dimension_numbers=("NHC", "HIO", "NHC")
        )

    @jax.custom_jvp
    def doubled(x: Any) -> Any:
        return x

    doubled.defjvp(lambda x, dx: (x[0], 2 * dx[0]))

    def own(x: Any) -> Any:
        if inside == "jit":
            return jax.jit(lambda x: {"y": convolved(x)})(x)["y"]
        if inside == "loop":
            return convolved(lax.scan(lambda c, _: (c * 0.9, None), x, None, length=3)[0])
        return doubled(convolved(x))

    assert_same(own, np.random.default_rng(0).normal(size=(2, 5, 1)))
