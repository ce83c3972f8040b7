"""What every rule in the registry must do, and do on every kind of array.

One body that knows no rule by name: whoever adds a rule adds nothing here.
"""

import importlib
import math
import re
import runpy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ravine.rules import RULES, VARIANTS
from ravine.rules.ops import cast, dtype_name
from ravine.rules.update_rule import Rule, step

pytestmark = pytest.mark.usefixtures("compiled_quickly")
Array = Any
EVERY = RULES | VARIANTS
every_rule = pytest.mark.parametrize("kind", EVERY.values(), ids=EVERY)
pairwise: Any = runpy.run_path(str(Path(__file__).parents[1] / "pairwise.py"))["pairwise"]
LIBRARIES = ("numpy", "jax.numpy", "tensorflow", "torch")


def every_pair(dtypes: Sequence[str]) -> pytest.MarkDecorator:
    """Every rule with every library, and either with every type."""
    cases = pairwise(product(EVERY, LIBRARIES, dtypes), iter)
    return pytest.mark.parametrize(
        ("kind", "library", "dtype"),
        [pytest.param(EVERY[case[0]], *case[1:], id="-".join(case)) for case in cases],
        indirect=["library"],
    )


# f = 5x² + 2xy + 3y², whose gradient is [10x + 2y, 2x + 6y]: the example of the article.
HESSIAN = np.array([[10.0, 2.0], [2.0, 6.0]])


class Library(NamedTuple):
    """Someone's arrays: how to make one, and of what type it is."""

    name: str
    make: Callable[[Any, str], Array]

    def kind(self) -> type:
        return type(self.make([1.0], "float32"))


def _numpy(values: Any, dtype: str) -> Array:
    return np.asarray(values).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def _foreign(name: str) -> Callable[[Any, str], Array]:
    library = importlib.import_module(name)
    builder = {"jax.numpy": "asarray", "tensorflow": "cast", "torch": "tensor"}[name]

    def make(values: Any, dtype: str) -> Array:
        dtype = getattr(library, dtype)
        return getattr(library, builder)(np.asarray(values, np.float64), dtype=dtype)

    return make


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Iterator[Library]:
    name: str = request.param
    with jax.enable_x64(True) if name == "jax.numpy" else nullcontext():
        yield Library(name, _numpy if name == "numpy" else _foreign(name))


def exact(x: Array) -> NDArray[np.float64]:
    """The same values in NumPy's float64, which holds all of float16, bfloat16 and float32."""
    return np.asarray(x if isinstance(x, float) else cast(x, "float64"))


def assert_same(found: Any, expected: Any) -> None:
    """Bit for bit, whatever the libraries; of states too."""
    found, expected = jax.tree.leaves(found), jax.tree.leaves(expected)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(exact(x), exact(y))


def gradients(steps: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Multiples of 1/4 that every floating-point type holds."""
    drawn = np.random.default_rng(0).integers(-8, 9, (steps, *shape))
    return np.asarray(drawn / 4)


def walk(rule: Rule, w: Array, slopes: Any) -> tuple[Array, Any]:
    """The weights and the memory after taking the given gradients one after the other."""
    state = rule.init(w)
    for t, g in enumerate(slopes, 1):
        w, state = rule.update(w, g, state, t)
    return w, state


@st.composite
def felt(draw: st.DrawFn, kind: type[Rule]) -> Rule:
    """A rule whose every hyperparameter is large enough to be seen in its path."""
    chosen = {}
    for name, declared in kind.hyperparameters().items():
        default = kind.defaults()[name]
        values = st.floats(1 / 64, 63 / 64).filter(declared.allows)
        if default is None:
            chosen[name] = draw(st.none() | values)
        elif isinstance(default, float):
            chosen[name] = draw(values)
    return kind(**chosen)


# --- what a rule declares -------------------------------------------------------------------


def test_the_registry_lists_each_rule_under_its_own_name() -> None:
    assert list(EVERY) == [kind.name for kind in EVERY.values()]
    assert all(name == name.lower() and name.isidentifier() for name in EVERY)
    assert all(kind().name == name for name, kind in EVERY.items())
    assert not set(RULES) & set(VARIANTS)


@every_rule
def test_the_docstring_names_a_source(kind: type[Rule]) -> None:
    own = vars(kind)["__doc__"]
    assert re.search(r"https://\S+\.\S+/\S+", own), f"{kind.name}: where is it from?"
    assert "Differs:" in own, f"{kind.name}: how do the frameworks differ?"


@every_rule
def test_the_declared_intervals_agree(kind: type[Rule]) -> None:
    declared = kind.hyperparameters()
    assert set(declared) == set(kind.defaults())
    assert declared["learning_rate"].search is not None
    for name, one in declared.items():
        default = kind.defaults()[name]
        assert one.meaning
        assert re.fullmatch(r"([wg](\^\d+)?|1)?(/[wg](\^\d+)?)?", one.unit)
        assert default is None or isinstance(default, float)
        assert default is None or one.allows(default)
        assert not one.allows(math.nan)
        if one.search is not None:
            low, high = one.search
            assert low < high
            assert one.allows(low)
            assert one.allows(high)
            assert default is None or low <= default <= high


# --- arrays ---------------------------------------------------------------------------------


@every_pair(["float64", "float32", "float16", "bfloat16"])
def test_library_shape_and_dtype_are_kept(kind: type[Rule], library: Library, dtype: str) -> None:
    rule = kind()
    wide = "float32" if "float16" in dtype else dtype
    for shape in [(3,), (2, 3), ()]:
        w, g = library.make(np.ones(shape), dtype), library.make(gradients(1, shape)[0], dtype)
        state = rule.init(w)
        ahead = rule.lookahead(w, state, 1)
        w, state = rule.update(w, g, state, 1)
        for x in (ahead, w, rule.read(w, state, 1)):
            # A NumPy array without dimensions turns into its scalar; both are NumPy's.
            assert isinstance(x, library.kind() | np.generic)
            assert (dtype_name(x), tuple(x.shape)) == (dtype, shape)
        for x in jax.tree.leaves(state):
            if type(x) is not float:  # one number for the whole array
                assert dtype_name(x) == wide
                assert tuple(x.shape) in {shape, ()}


@every_rule
def test_plain_numbers_stay_plain(kind: type[Rule]) -> None:
    rule = kind()
    w, state = step(rule, lambda w: 2 * w, 1.0, rule.init(1.0), 1)
    assert {type(x) for x in (w, rule.read(w, state, 1), *jax.tree.leaves(state))} == {float}
    array, memory = step(rule, lambda w: 2 * w, np.ones(1), rule.init(np.ones(1)), 1)
    assert_same((w, state), jax.tree.map(lambda x: x if np.ndim(x) == 0 else x[0], (array, memory)))


@every_rule
def test_every_library_gives_numpys_numbers(kind: type[Rule], library: Library) -> None:
    # In NumPy and TensorFlow equal in every bit: + − × ÷ and √ are rounded correctly, and powers
    # of plain numbers are multiplied out by ourselves. XLA turns x / c, c one number, into
    # x · (1 / c), and PyTorch's √ is that of MKL: a last bit in 1.4 % of 100,000 roots.
    start, slopes = np.array([1.0, -2.0, 0.5]), gradients(50, (3,)) / 3
    expected = walk(kind(), start, slopes)
    slopes_there = [library.make(g, "float64") for g in slopes]
    found = walk(kind(), library.make(start, "float64"), slopes_there)
    if library.name in ("numpy", "tensorflow"):
        assert_same(found, expected)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(exact(x), exact(y), rtol=1e-14, atol=1e-16)


@every_rule
def test_the_arguments_are_left_as_they_were(kind: type[Rule], library: Library) -> None:
    rule = kind()
    w, g = library.make([1.0, -2.0], "float32"), library.make([3.0, 0.5], "float32")
    _, state = rule.update(w, g, rule.init(w), 1)
    before = [exact(x).copy() for x in jax.tree.leaves((w, g, state))]
    rule.update(rule.lookahead(w, state, 2), g, state, 2)
    assert_same((w, g, state), before)


@every_pair(["float16", "bfloat16"])
def test_sixteen_bit_weights_move_by_float32_arithmetic(
    kind: type[Rule], library: Library, dtype: str
) -> None:
    rule = kind()
    w = library.make([1.0, -2.0, 0.5], dtype)
    state = rule.init(w)
    for t, g in enumerate(gradients(20, (3,)), 1):
        wide, memory = rule.update(cast(w, "float32"), library.make(g, "float32"), state, t)
        w, state = rule.update(w, library.make(g, dtype), state, t)
        assert_same(w, cast(wide, dtype))
        assert_same(state, memory)


@every_rule
def test_a_memory_of_many_bfloat16_steps_is_that_of_float32(kind: type[Rule]) -> None:
    # A running mean kept in bfloat16 sticks at half its value, here after 700 steps.
    ones = np.ones(2)
    _, narrow = walk(kind(), _numpy(ones, "bfloat16"), [_numpy(ones, "bfloat16")] * 1000)
    _, wide = walk(kind(), _numpy(ones, "float32"), [_numpy(ones, "float32")] * 1000)
    assert_same(narrow, wide)


# --- transformations ------------------------------------------------------------------------


@every_rule
def test_lanes_walk_as_if_alone(kind: type[Rule]) -> None:
    scales = np.array([0.5, 0.9, 1.0])
    declared = {k: v for k, v in kind.defaults().items() if isinstance(v, float)}
    lanes = {name: value * scales for name, value in declared.items()}
    starts = np.array([[1.0, 1.0], [-0.5, 2.0], [3.0, 0.25]])

    def begin(hyper: Any, w: Any) -> Any:
        return w, kind().replace(hyper).init(w)

    def advance(hyper: Any, w: Any, state: Any, t: Any, library: Any = np) -> Any:
        rule = kind().replace(hyper)
        w, state = step(rule, lambda w: library.asarray(HESSIAN) @ w, w, state, t)
        return w, state, rule.read(w, state, t)

    together, alone = [], []
    with jax.enable_x64(True):
        one_step = jax.jit(jax.vmap(partial(advance, library=jnp), in_axes=(0, 0, 0, None)))
        w, state = jax.vmap(begin)(lanes, jnp.asarray(starts))
        for t in range(1, 9):
            w, state, used = one_step(lanes, w, state, jnp.asarray(float(t)))
            together.append(used)
    for i in range(3):
        hyper = {name: float(values[i]) for name, values in lanes.items()}
        w, state = begin(hyper, starts[i])
        for t in range(1, 9):
            w, state, used = advance(hyper, w, state, float(t))
            alone.append(used)
    looped = np.reshape(alone, (3, 8, 2)).swapaxes(0, 1)
    # Compiled code fuses multiply and add, and has its own pow: a few last bits.
    np.testing.assert_allclose(np.array(together), looped, rtol=1e-13, atol=1e-15)


# --- what the numbers mean ------------------------------------------------------------------


@every_rule
def test_some_searched_learning_rate_converges_on_a_quadratic(kind: type[Rule]) -> None:
    search = kind.hyperparameters()["learning_rate"].search
    assert search is not None
    rates = np.geomspace(*search, 9)[:, None]
    rule, w = kind(learning_rate=rates), np.ones((9, 2))
    state = rule.init(w)
    with np.errstate(all="ignore"):  # the largest rates diverge
        for t in range(1, 2001):
            w, state = step(rule, lambda w: w @ HESSIAN, w, state, t)
        heights = np.einsum("li,ij,lj->l", w, HESSIAN, w) / 2
    # 10 at the start. A rule that normalises its step ends by crossing the minimum with half of
    # it on either side: 10 · (1e-3 / 2)² = 2.5e-6 at the smallest rate that arrives in time; with
    # a memory of ten steps it overshoots by a few of them.
    assert np.nanmin(heights) < 1e-4


@every_rule
@given(data=st.data())
@settings(database=None, max_examples=15)
def test_the_declared_units_hold(kind: type[Rule], data: st.DataObject) -> None:
    """Count weights and f in other units, each hyperparameter with them: the same path.

    The units are powers of two, so nothing is rounded differently: equal in every bit.
    """
    rule = data.draw(felt(kind), label="rule")
    exponents = st.integers(-30, 30)
    w_unit = 2.0 ** data.draw(exponents, label="log2 of the unit of w")
    g_unit = 2.0 ** data.draw(exponents, label="log2 of the unit of f") / w_unit
    rescaled = rule.replace(
        {
            name: declared.rescaled(value, w_unit, g_unit)
            for name, declared in kind.hyperparameters().items()
            if isinstance(value := rule.values()[name], float)
        }
    )
    w, there = np.array([1.0, -0.75]), np.array([1.0, -0.75]) * w_unit
    state, memory = rule.init(w), rescaled.init(there)
    for t in range(1, 6):
        w, state = step(rule, lambda w: HESSIAN @ w, w, state, t)
        there, memory = step(rescaled, lambda w: HESSIAN @ (w / w_unit) * g_unit, there, memory, t)
        np.testing.assert_array_equal(there, w * w_unit)
        np.testing.assert_array_equal(
            rescaled.read(there, memory, t), rule.read(w, state, t) * w_unit
        )


@every_rule
def test_every_hyperparameter_has_a_say(kind: type[Rule]) -> None:
    """Otherwise a wrong unit would go unseen by the test above."""
    middle = {
        name: 0.5
        for name, value in kind.defaults().items()
        if value is None or isinstance(value, float)
    }
    start, slopes = np.array([1.0, -2.0]), gradients(5, (2,))
    reference, _ = walk(kind(**middle), start, slopes)
    for name in middle:
        changed, _ = walk(kind(**middle | {name: 0.25}), start, slopes)
        assert (changed != reference).any(), name
