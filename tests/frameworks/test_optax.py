"""A rule as an Optax transformation: the path of the rule, and what Optax's users expect.

The natives' paths are in natives/test_walked.py and rules/test_natives.py.
"""

import functools
import importlib
import io
import pickle
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ravine.errors import InvalidArgument, RavineError
from ravine.frameworks.optax import RuleState, factory, settled, to_optax
from ravine.rules import RULES, Adam, Momentum, Nadam, Nesterov
from ravine.rules.ops import sqrt
from ravine.rules.update_rule import Array, Rule, hyper, rule, step

pytestmark = pytest.mark.usefixtures("compiled_quickly")
STEPS = 300


class Trail(NamedTuple):
    mean: Array  # of the weights so far
    last: Array  # gradient
    pace: Array  # one number for the whole array


@rule
class Scout(Rule):
    """A user's own: looks along its last gradient, and reads the mean of where it was."""

    learning_rate: float = hyper(0.02, "length of a step", unit="w/g", valid="> 0")
    reach: float = hyper(0.5, "how far to look", valid="[0, 1]")

    def init(self, w: Array) -> Trail:
        return Trail(mean=w, last=0 * w, pace=1.0)

    def lookahead(self, w: Array, state: Trail, t: float) -> Array:
        return w - self.learning_rate * self.reach * state.last

    def update(self, w: Array, g: Array, state: Trail, t: float) -> tuple[Array, Trail]:
        pace = 0.5 + 0.5 * state.pace
        w = w - self.learning_rate * pace * g / sqrt(1 + g * g)
        return w, Trail(state.mean + (w - state.mean) / (t + 1), g, pace)

    def read(self, w: Array, state: Trail, t: float) -> Array:
        return state.mean


EVERY = {**RULES, "scout": Scout}


def network() -> dict[str, Any]:
    draw = np.random.default_rng(0)
    shapes = {"out": (3, 2), "bias": ()}
    return {name: jnp.asarray(draw.normal(size=s) * 0.4) for name, s in shapes.items()}


def learn(params: Any, t: Any) -> Any:
    """The gradients of batch t: of a plain function, as they do not matter here but compile."""
    return jax.tree.map(lambda p: jnp.sin(3 * p + t), params)


def wave(count: Any) -> Any:
    """A learning rate that changes every step, starts at 0 and comes back to it."""
    return 0.05 * (0.5 - 0.5 * jnp.cos(2 * jnp.pi * count / 40))


def walk(optimizer: Any, gradients: Callable[..., Any], params: Any, steps: int = STEPS) -> Any:
    """The parameters after each step, and the state in the end, from one compiled loop."""

    def one(carry: Any, t: Any) -> Any:
        params, state = carry
        updates, state = optimizer.update(gradients(params, t), state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    @jax.jit
    def loop(params: Any) -> Any:
        return jax.lax.scan(one, (params, optimizer.init(params)), jnp.arange(steps))

    (_, state), path = loop(params)
    return path, state


def assert_close(ours: Any, theirs: Any, tolerance: float = 0.0) -> None:
    """Of one structure and type, and no number further off than the tolerance."""
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=0, atol=tolerance)


OURS = Adam(beta_1=0.8, beta_2=0.95, epsilon=0.5)


def native(rate: Any) -> Any:
    return optax.adam(rate, b1=0.8, b2=0.95, eps=0.5)


HESSIAN = np.array([[10.0, 2.0, 0.0], [2.0, 6.0, -1.0], [0.0, -1.0, 0.5]])
RATES = 0.02 * (1 + 0.5 * np.sin(np.arange(STEPS + 1)))


@pytest.mark.parametrize("name", EVERY)
def test_the_optimizer_walks_the_path_of_its_rule(name: str) -> None:
    """Against ``ravine.step`` on NumPy: gradients at the lookahead of the rate in force."""
    made = EVERY[name]()
    w = np.array([1.0, -0.5, 0.25])
    with jax.enable_x64(True):
        rates = jnp.asarray(RATES)
        optimizer = to_optax(made, lambda count: rates[count])
        params = {"w": jnp.asarray(w)}
        state = optimizer.init(params)

        # Parameters and state may be donated: neither is an array of the other.
        @functools.partial(jax.jit, donate_argnums=(1, 2))
        def advance(gradients: Any, state: Any, params: Any) -> Any:
            updates, state = optimizer.update(gradients, state, params)
            return optax.apply_updates(params, updates), state

        memory = made.init(w)
        for t in range(1, STEPS + 1):

            def slope(y: Any, t: int = t) -> Any:
                return HESSIAN @ np.asarray(y) + np.random.default_rng(t).normal(size=3)

            gradients = {"w": jnp.asarray(slope(params["w"]))}
            before = params["w"]
            params, state = advance(gradients, state, params)
            assert before.is_deleted()
            made = made.replace({"learning_rate": RATES[t - 1]})
            w, memory = step(made, slope, w, memory, t)
        found = settled(made, params, state)["w"]
        assert found.dtype == jnp.float64
        # XLA fuses and orders its own way; with contracting steps that stays. Measured: 3e-16.
        np.testing.assert_allclose(found, made.read(w, memory, STEPS), rtol=0, atol=1e-14)


def kinds(tree: Any) -> Any:
    return jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree)


MIXED = {
    "matrix": jnp.ones((2, 3)),
    "half": jnp.ones(3, jnp.bfloat16),
    "scalar": jnp.asarray(1.0),  # weakly typed, as a Python number is
    "absent": None,
}


def mixed_gradients(t: int) -> Any:
    return jax.tree.map(lambda p: jnp.full(p.shape, 0.1 * t, p.dtype), MIXED)


MADE: dict[str, Callable[[Rule], Any]] = {
    "plain": to_optax,
    "schedule": lambda made: to_optax(made, optax.linear_schedule(0.0, 0.1, 5)),
    "inject": lambda made: optax.inject_hyperparams(factory(made), hyperparam_dtype=jnp.float32)(
        0.1
    ),
    "inject a schedule": lambda made: optax.inject_hyperparams(
        to_optax, hyperparam_dtype=jnp.float32
    )(made, learning_rate=optax.linear_schedule(0.0, 0.1, 5)),
    "accumulate": lambda made: optax.MultiSteps(to_optax(made), 2),
}


# A tool that adds an update to the scalar, of a weak type, makes a strong one of it.
STRONG = jax.tree.map(lambda p: jnp.asarray(p, p.dtype), MIXED)


@functools.cache
def compiled(name: str, way: str) -> tuple[Any, Any, list[int]]:
    """An optimizer, a step with it that gives updates too, and a mark for each compilation."""
    optimizer, traced = MADE[way](EVERY[name]()), []

    @jax.jit
    def advance(params: Any, state: Any, gradients: Any) -> Any:
        traced.append(1)
        updates, state = optimizer.update(gradients, state, params)
        return updates, optax.apply_updates(params, updates), state

    return optimizer, advance, traced


# Every rule, and for the one that remembers and draws on most every way to make an optimizer.
@pytest.mark.parametrize(
    ("name", "way"),
    [*((name, "inject a schedule") for name in RULES), *(("scout", way) for way in MADE)],
)
def test_one_compilation_is_enough(name: str, way: str) -> None:
    optimizer, advance, traced = compiled(name, way)
    params, state = STRONG, optimizer.init(MIXED)
    first = kinds(state)
    for t in range(1, 4):
        updates, params, state = advance(params, state, mixed_gradients(t))
        assert kinds(state) == first
        assert jax.tree.map(lambda u: u.dtype, updates) == jax.tree.map(lambda p: p.dtype, MIXED)
    assert len(traced) == 1
    assert all(np.isfinite(np.asarray(x, float)).all() for x in jax.tree.leaves(params))


def test_the_state_is_what_optax_expects() -> None:
    state = to_optax(Nadam()).init(MIXED)
    assert isinstance(state, RuleState)
    assert (state.count.dtype, state.count.shape) == (jnp.int32, ())
    assert optax.tree.get(state, "m").keys() == MIXED.keys()
    product = optax.tree.get(state, "product")
    assert {x.dtype for x in jax.tree.leaves(product)} == {jnp.dtype(jnp.float32)}
    assert state.memory.v["half"].dtype == jnp.float32
    # Tools that shard a state ask which of it is like the parameters.
    names = {"matrix": 1, "half": 2, "scalar": 3, "absent": None}
    marked = optax.tree_map_params(to_optax(Nadam()), lambda x, mark: mark, state, names)
    assert marked.memory.m == names
    assert marked.count is state.count


@pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])
def test_types_are_those_of_the_parameters(wide: bool) -> None:
    with jax.enable_x64(wide):
        params = {"a": jnp.ones(2, jnp.float32), "b": jnp.ones(2)}
        optimizer = optax.inject_hyperparams(factory("nadam"))(learning_rate=0.1)
        state = optimizer.init(params)
        for g in (jnp.ones(2), jnp.ones(2, jnp.bfloat16)):
            updates, state = jax.eval_shape(optimizer.update, {"a": g, "b": g}, state, params)
            for name, p in params.items():
                assert updates[name].dtype == p.dtype
                assert {x[name].dtype for x in state.inner_state.memory} == {p.dtype}


CHAINS = {
    "clip": lambda one: optax.chain(optax.clip_by_global_norm(0.1), one),
    "weight decay": lambda one: optax.chain(optax.add_decayed_weights(0.1), one),
    "decay after": lambda one: optax.chain(one, optax.add_decayed_weights(-0.01)),
    "masked": lambda one: optax.masked(one, {k: k != "bias" for k in network()}),
    "two": lambda one: optax.multi_transform(
        {"ours": one, "other": optax.sgd(0.1)},
        {k: "other" if k == "out" else "ours" for k in network()},
    ),
    "accumulate": lambda one: optax.MultiSteps(one, 3),
    "finite": lambda one: optax.apply_if_finite(one, 3),
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_it_takes_the_place_of_a_native_anywhere(chain: Any) -> None:
    with jax.enable_x64(True):
        ours, _ = walk(chain(to_optax(OURS, wave)), learn, network(), 30)
        theirs, _ = walk(chain(native(wave)), learn, network(), 30)
        assert_close(ours, theirs, 1e-14)


def test_hyperparameters_are_injected() -> None:
    """Constants, schedules, and values written into the state by hand."""
    with jax.enable_x64(True):

        def b1(count: Any) -> Any:
            # Optax's own schedules are in float32 here, and its Adam then takes 1 − b1 in it.
            return 0.5 + 8 * wave(count)

        ours = optax.inject_hyperparams(factory(Adam(epsilon=0.5)))(
            learning_rate=wave, beta_1=b1, beta_2=0.95
        )
        theirs = optax.inject_hyperparams(optax.adam)(learning_rate=wave, b1=b1, b2=0.95, eps=0.5)
        path, state = walk(ours, learn, network(), 30)
        native, _ = walk(theirs, learn, network(), 30)
        assert_close(path, native, 1e-14)
        assert set(state.hyperparams) == set(Adam.hyperparameters())

        optimizer = optax.inject_hyperparams(factory("sgd"))(learning_rate=0.5)
        state = optimizer.init(jnp.ones(2))
        state.hyperparams["learning_rate"] = jnp.asarray(0.25)
        updates, _ = optimizer.update(jnp.ones(2), state, jnp.ones(2))
        assert updates.tolist() == [-0.25, -0.25]


def test_a_factory_spells_out_the_hyperparameters() -> None:
    make = factory(Momentum(momentum=0.5))
    updates, _ = make(0.25).update(jnp.ones(2), make(0.25).init(jnp.ones(2)), jnp.ones(2))
    assert updates.tolist() == [-0.125, -0.125]
    with pytest.raises(TypeError, match="momentun"):
        make(momentun=0.5)
    with pytest.raises(InvalidArgument, match="momentum=2 is not allowed"):
        make(momentum=2)


def test_learning_rates_may_be_lanes() -> None:
    rates = jnp.asarray([0.01, 0.1, 1.0])

    @jax.jit
    def end(rate: Any) -> Any:
        params = {"w": jnp.asarray([1.0, -2.0])}
        optimizer = to_optax("nadam", rate)
        state = optimizer.init(params)
        for _ in range(3):
            updates, state = optimizer.update(params, state, params)
            params = optax.apply_updates(params, updates)
        return params["w"]

    together = jax.jit(jax.vmap(end))(rates)
    np.testing.assert_allclose(together, [end(rate) for rate in rates], rtol=1e-6)

    # And parameters may be, each with a state of its own.
    optimizer = to_optax("adam", 0.1)
    many = jnp.arange(6.0).reshape(3, 2)
    state = jax.jit(jax.vmap(optimizer.init))(many)
    updates, state = jax.jit(jax.vmap(optimizer.update))(many, state, many)
    alone, _ = jax.jit(optimizer.update)(many[1], optimizer.init(many[1]), many[1])
    np.testing.assert_allclose(updates[1], alone, rtol=1e-6)
    assert state.count.tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", EVERY)
def test_a_saved_state_resumes_exactly(name: str) -> None:
    optimizer, advance, _ = compiled(name, "inject a schedule")

    def on(params: Any, state: Any, steps: range) -> Any:
        for t in steps:
            _, params, state = advance(params, state, mixed_gradients(t))
        return params, state

    middle = on(STRONG, optimizer.init(MIXED), range(1, 4))
    whole = on(*middle, range(4, 7))
    assert_close(on(*pickle.loads(pickle.dumps(middle)), range(4, 7)), whole)

    # As arrays alone, put back into the structure of a new run; NumPy has no bfloat16 files.
    leaves, structure = jax.tree.flatten((MIXED, optimizer.init(MIXED)))
    file = io.BytesIO()
    np.savez(file, *[np.asarray(x, np.float32) for x in jax.tree.leaves(middle)])
    file.seek(0)
    saved = [jnp.asarray(x, old.dtype) for x, old in zip(np.load(file).values(), leaves)]  # noqa: B905
    assert_close(on(*structure.unflatten(saved), range(4, 7)), whole)


def test_settled_weights() -> None:
    params = {"a": jnp.ones(2), "b": jnp.ones(2)}
    optimizer = optax.chain(
        optax.clip(10.0), optax.masked(to_optax(Scout()), {"a": True, "b": False})
    )
    state = optimizer.init(params)
    means = [params["a"]]
    for _ in range(4):
        updates, state = optimizer.update({"a": params["a"], "b": jnp.zeros(2)}, state, params)
        params = optax.apply_updates(params, updates)
        inner = state[1].inner_state
        means.append(params["a"] + inner.offset["a"])
    read = settled(Scout(), params, state)
    np.testing.assert_allclose(read["a"], np.mean(means, 0), rtol=1e-6)
    assert read["b"] is params["b"]
    assert not np.allclose(read["a"], params["a"], rtol=1e-3)
    with pytest.raises(InvalidArgument, match="the states of 0 rules"):
        settled(Scout(), params, optax.adam(0.1).init(params))


@pytest.mark.parametrize("name", ["adam", "nadam"])
def test_bfloat16_trains(name: str) -> None:
    params = jnp.ones(4, jnp.bfloat16)
    path, state = walk(to_optax(RULES[name](), 0.01), lambda p, t: jnp.ones_like(p), params, 3000)
    # Around 1 the numbers of bfloat16 are 0.004 apart: a step of 0.01 is 0.008 or 0.012.
    np.testing.assert_allclose(np.asarray(path[9], float), 0.9, atol=0.02)
    # Nothing but 0.999³⁰⁰⁰ = 0.05 is missing; float32 rounds off 3,000 times 6e-8 of it.
    assert state.memory.v.dtype == jnp.float32
    np.testing.assert_allclose(state.memory.v, 1 - 0.999**3000, rtol=2e-5)


def test_bfloat16_weights_behind_a_lookahead_are_not_rounded_twice() -> None:
    """The offset counts from the rounded parameters, though XLA would rather not round them."""
    optimizer = to_optax(Nesterov(learning_rate=1e-4, momentum=0.5))
    path, state = walk(optimizer, lambda p, t: jnp.ones_like(p), jnp.ones(4, jnp.bfloat16), 100)
    w = np.asarray(path[-1], np.float32) + state.offset
    np.testing.assert_allclose(w, 1 - 1e-4 * 99, atol=1e-5)


def test_what_cannot_be_is_refused() -> None:
    optimizer = to_optax("adam")
    state = optimizer.init(jnp.ones(2))
    with pytest.raises(InvalidArgument, match="adam needs params: call update"):
        optimizer.update(jnp.ones(2), state)
    with pytest.raises(InvalidArgument, match="moves real numbers, not int32"):
        optimizer.init({"steps": jnp.arange(3)})
    with pytest.raises(InvalidArgument, match="real numbers, not complex64"):
        optimizer.init({"w": jnp.ones(2, jnp.complex64)})
    with pytest.raises(InvalidArgument, match="learning_rate=-1 is not allowed"):
        to_optax("adam", -1)
    with pytest.raises(InvalidArgument, match="unknown rule 'adm': did you mean 'adam'"):
        to_optax("adm")
    # Optax takes the hyperparameters to the type of the parameters unless told otherwise.
    half = jnp.ones(2, jnp.bfloat16)
    with pytest.raises(InvalidArgument, match=r"in bfloat16 has too few digits.*hyperparam_dtype"):
        optax.inject_hyperparams(factory("adam"))(learning_rate=0.1).init(half)


def test_a_leaf_without_a_gradient_rests() -> None:
    params = {"a": jnp.ones(2), "b": jnp.ones(2)}
    optimizer = to_optax(Nesterov())
    state = optimizer.init(params)
    updates, after = optimizer.update({"a": jnp.ones(2), "b": None}, state, params)
    assert updates["b"] is None
    assert after.memory.V["b"] is state.memory.V["b"]
    assert after.memory.V["a"].tolist() != state.memory.V["a"].tolist()


def test_without_optax_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optax", None)
    monkeypatch.delitem(sys.modules, "ravine.frameworks.optax")
    with pytest.raises(RavineError, match=r"pip install 'ravine\[optax\]'"):
        importlib.import_module("ravine.frameworks.optax")
