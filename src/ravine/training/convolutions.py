"""Convolutions and maxima over windows as shifted slices, which compile to faster loops on a CPU.

Inside a loop XLA's own convolution takes a slow path on a CPU, its gradient by the weights above
all; as slices and a matrix product a small network trains ten times as fast. A model says what it
computes, in Keras; this says how, after it is traced.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Jaxpr, JaxprEqn, Literal, primitives

LARGE = 1 << 27  # bytes of inputs from which on all rows at once would fill the memory
STREAMED = 512  # rows at a time then


def sliced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of arrays, without convolutions and without maxima over windows.

    Those inside a loop or a branch of the function itself stay as they are.
    """

    def rewritten(*arguments: Any) -> Any:
        traced, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        if not any(_found(traced.jaxpr)):
            return function(*arguments)
        leaves = _evaluate(traced.jaxpr, traced.consts, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shape), leaves)

    return rewritten


def in_parts(function: Callable[..., Any], rows: int) -> Callable[..., Any]:
    """``sliced``, for a function of (…, x) that treats each row of x alone: so many at a time.

    All rows at once would fall out of the cache as slices. A function without convolutions is left
    as it is.
    """

    def parted(*arguments: Any) -> Any:
        *given, x = arguments
        convolves = any(_found(jax.make_jaxpr(function)(*arguments).jaxpr))
        count = len(jax.tree.leaves(x)[0])
        if sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(x)) > LARGE:
            one, some = (sliced(function), rows) if convolves else (function, STREAMED)
            return _streamed(lambda part: one(*given, part), x, count, some)
        if not convolves:
            return function(*arguments)

        def cut(array: Any) -> Any:
            padding = jnp.zeros((-count % rows, *array.shape[1:]), array.dtype)
            return jnp.concatenate([array, padding]).reshape(-1, rows, *array.shape[1:])

        y = lax.map(lambda part: sliced(function)(*given, part), jax.tree.map(cut, x))
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], y)

    return parted


def _streamed(function: Callable[..., Any], x: Any, count: int, rows: int) -> Any:
    """A function of rows, so many at a time, of data that are copied nowhere."""

    def part(begin: Any, size: int) -> Any:
        cut = jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, begin, size), x)
        return function(cut)

    whole = count // rows * rows
    y = lax.map(lambda begin: part(begin, rows), jnp.arange(0, whole, rows))
    y = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), y)
    if whole == count:
        return y
    rest = part(jnp.int32(whole), count - whole)
    return jax.tree.map(lambda one, other: jnp.concatenate([one, other]), y, rest)


def _found(jaxpr: Jaxpr) -> Iterator[bool]:
    for equation in jaxpr.eqns:
        yield equation.primitive in _REWRITTEN
        if equation.primitive is primitives.jit_p:
            yield from _found(equation.params["jaxpr"].jaxpr)


def _evaluate(jaxpr: Jaxpr, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    values: dict[Any, Any] = {}

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    values.update(zip(jaxpr.constvars, constants, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        results = _apply(equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: JaxprEqn, given: Sequence[Any]) -> Sequence[Any]:
    primitive, params = equation.primitive, equation.params
    if primitive in _REWRITTEN and (result := _REWRITTEN[primitive](*given, **params)) is not None:
        return [result]
    if primitive is primitives.jit_p and any(_found(params["jaxpr"].jaxpr)):
        return _evaluate(params["jaxpr"].jaxpr, params["jaxpr"].consts, given)
    with equation.ctx.manager:
        results = primitive.bind(*given, **primitive.get_bind_params(params))
    return results if primitive.multiple_results else [results]


def _convolve(
    x: Any,
    kernel: Any,
    *,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    dimension_numbers: lax.ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: Any,
    preferred_element_type: Any,
    **_: Any,
) -> Any:
    if batch_group_count > 1:  # no layer has it
        return None
    batch, channel, *space = dimension_numbers.lhs_spec
    out, per_group, *window = dimension_numbers.rhs_spec
    x = jnp.transpose(x, (batch, *space, channel))
    kernel = jnp.transpose(kernel, (*window, per_group, out))
    *sizes, depth, filters = kernel.shape
    groups = feature_group_count
    # Zeros between the pixels (a transposed convolution) and around them.
    inside = [(*pad, gap - 1) for pad, gap in zip(padding, lhs_dilation, strict=True)]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *inside, (0, 0, 0)])
    shifted = list(_shifted(x, [1, *sizes, 1], [1, *window_strides, 1], [1, *rhs_dilation, 1]))
    kernel = kernel.reshape(len(shifted), depth, groups, filters // groups)
    how = {"precision": precision, "preferred_element_type": preferred_element_type}
    if groups == 1:
        patches = jnp.concatenate(shifted, axis=-1)
        y = jnp.matmul(patches, kernel.reshape(-1, filters), **how)
    elif depth == 1:  # one channel a group: nothing to sum over but the window
        parts = [s[..., None] * k[0] for s, k in zip(shifted, kernel, strict=True)]
        y = sum(parts[1:], parts[0])
        y = y.reshape(*y.shape[:-2], filters).astype(preferred_element_type or y.dtype)
    else:
        patches = jnp.stack([s.reshape(*s.shape[:-1], groups, depth) for s in shifted], axis=-3)
        y = jnp.einsum("...kgd,kdgf->...gf", patches, kernel, **how)
        y = y.reshape(*y.shape[:-2], filters)
    # From (batch, *space, filters) to where each belongs.
    batch, channel, *space = dimension_numbers.out_spec
    places = [batch, *space, channel]
    return jnp.transpose(y, [places.index(i) for i in range(len(places))])


def _maximum(
    x: Any,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> Any:
    if not jnp.issubdtype(x.dtype, jnp.floating) or math.prod(base_dilation) > 1:
        return None
    if window_dimensions == window_strides and not any(map(any, padding)):
        return _maximum_of_tiles(x, window_dimensions)
    least = jnp.array(-jnp.inf, x.dtype)
    x = lax.pad(x, least, [(*pad, 0) for pad in padding])
    return _first_largest(_shifted(x, window_dimensions, window_strides, window_dilation))


def _maximum_of_tiles(x: Any, window: Sequence[int]) -> Any:
    """Where windows lie side by side: axis by axis, which needs no strided slices."""
    whole = [length // size * size for length, size in zip(x.shape, window, strict=True)]
    x = lax.slice(x, [0] * x.ndim, whole)
    for axis in reversed(range(x.ndim)):  # so that the first of equals is the one in row order
        if window[axis] > 1:
            shape = (*x.shape[:axis], -1, window[axis], *x.shape[axis + 1 :])
            tiles = x.reshape(shape)
            parts = (
                lax.index_in_dim(tiles, i, axis + 1, keepdims=False) for i in range(window[axis])
            )
            x = _first_largest(parts)
    return x


def _first_largest(parts: Iterator[Any]) -> Any:
    """The first of equals has the gradient, as in XLA's own; what is not a number stays."""
    first = next(parts)
    for other in parts:
        first = jnp.where((other > first) | jnp.isnan(other), other, first)
    return first


def _shifted(
    x: Any, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> Iterator[Any]:
    """For each place in the window, what it sees as the window moves over the array."""
    reach = [(size - 1) * gap + 1 for size, gap in zip(window, dilation, strict=True)]
    last = [
        (length - r) // stride * stride
        for length, r, stride in zip(x.shape, reach, strides, strict=True)
    ]
    for place in product(*map(range, window)):
        start = [at * gap for at, gap in zip(place, dilation, strict=True)]
        limit = [s + end + 1 for s, end in zip(start, last, strict=True)]
        yield lax.slice(x, start, limit, strides)


_REWRITTEN: dict[Any, Callable[..., Any]] = {
    primitives.conv_general_dilated_p: _convolve,
    primitives.reduce_window_max_p: _maximum,
}
