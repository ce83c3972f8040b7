"""What every wrapping rule must do about every rule it may hold, on every kind of array."""

import importlib
import re
import runpy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import cloudpickle
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from ravine.errors import InvalidArgument
from ravine.experiment.fingerprints import source_digest
from ravine.frameworks.spelling import read_rule
from ravine.rules import RULES, SGD, Adam, Momentum, Nadam, Nesterov
from ravine.rules.ops import cast, dtype_name
from ravine.rules.update_rule import Rule, hyper, rule, step
from ravine.rules.wrappers import L2, WRAPPING, Clip, Decay, Partition, Scheduled
from ravine.rules.wrappers.wrapper import innermost, inside

pytestmark = pytest.mark.usefixtures("compiled_quickly")
# All are felt: large enough to be seen in a path of a few steps.
WRAPPED: dict[str, Callable[[Rule], Rule]] = {
    "decay": lambda held: Decay(held, weight_decay=0.25),
    "l2": lambda held: L2(held, weight_decay=0.25),
    "clipnorm": lambda held: Clip(held, clipnorm=0.5),
    "clipvalue": lambda held: Clip(held, clipvalue=0.25),
    "global_clipnorm": lambda held: Clip(held, global_clipnorm=0.5),
    "partition": Partition,
    "off the weights": lambda held: Partition(SGD(), biases=held),
    "linear": lambda held: Scheduled(held, schedule="linear", steps=8, end=0.25),
    "cosine": lambda held: Scheduled(held, steps=8, warmup=0.25),
    "exponential": lambda held: Scheduled(held, schedule="exponential", steps=8),
    "step": lambda held: Scheduled(held, schedule="step", steps=8, warmup=0.25),
    "many": lambda held: Scheduled(Clip(L2(Partition(held)), clipnorm=0.5), steps=8),
}
pairwise: Any = runpy.run_path(str(Path(__file__).parents[2] / "pairwise.py"))["pairwise"]
LIBRARIES = ("numpy", "jax.numpy", "tensorflow", "torch")
SHAPES = [(3,), (2, 3), ()]
CASES = [
    (what, name)
    for what in WRAPPED
    for name, kind in RULES.items()
    if not (what in ("decay", "l2", "many") and "weight_decay" in kind.defaults())
]
# One that looks ahead, and one that remembers most.
FEW = [(what, held) for what in WRAPPED for held in ("nesterov", "nadam")]


def wrapped_in(what: str, held: str) -> Rule:
    return WRAPPED[what](RULES[held]())


def pairs(cases: Sequence[tuple[str, str]], *others: Sequence[Any], names: str) -> Any:
    """Cases with arrays of some kind: any wrapper and rule, and either with all else."""
    every = [(what, held, *rest) for what, held in cases for rest in product(*others)]
    return pytest.mark.parametrize(
        ("wrapped", *names.split()),
        [
            pytest.param(wrapped_in(what, held), *rest, id=f"{what}-{held}-{rest}")
            for what, held, *rest in pairwise(every, iter)
        ],
        indirect=["make"],
    )


every_case = pytest.mark.parametrize(
    "wrapped", [pytest.param(wrapped_in(*case), id="-".join(case)) for case in CASES]
)
few = pytest.mark.parametrize(
    "wrapped", [pytest.param(wrapped_in(*case), id="-".join(case)) for case in FEW]
)
# Each wrapper once, the two rules in turn.
each = pytest.mark.parametrize(
    "wrapped", [pytest.param(wrapped_in(*case), id="-".join(case)) for case in FEW[::4] + FEW[3::4]]
)
HESSIAN = np.array([[10.0, 2.0], [2.0, 6.0]])


def _foreign(name: str) -> Callable[[Any, str], Any]:
    library = importlib.import_module(name)
    builder = {"jax.numpy": "asarray", "tensorflow": "cast", "torch": "tensor"}[name]

    def make(values: Any, dtype: str) -> Any:
        values = np.asarray(values, np.float64)
        return getattr(library, builder)(values, dtype=getattr(library, dtype))

    return make


def _numpy(values: Any, dtype: str) -> Any:
    return np.asarray(values).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


@pytest.fixture(params=LIBRARIES)
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[Any, str], Any]]:
    name: str = request.param
    with jax.enable_x64(True) if name == "jax.numpy" else nullcontext():
        yield _numpy if name == "numpy" else _foreign(name)


def gradients(steps: int, shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(0).integers(-8, 9, (steps, *shape)) / 4


def exact(x: Any) -> Any:
    return np.asarray(x if isinstance(x, float) else cast(x, "float64"))


def walked(walker: Rule, start: Any, slopes: Any) -> list[Any]:
    """Each step's point ahead, weights, and weights to use."""
    w, state, seen = start, walker.init(start), []
    for t, slope in enumerate(slopes, 1):
        ahead = walker.lookahead(w, state, t)
        (g,) = walker.together([slope])
        w, state = walker.update(w, g, state, t)
        seen += [ahead, w, walker.read(w, state, t)]
    return seen


# --- one text of hyperparameters ------------------------------------------------------------


@every_case
def test_it_is_what_it_says(wrapped: Rule) -> None:
    assert read_rule(str(wrapped)) == wrapped
    assert cloudpickle.loads(cloudpickle.dumps(wrapped)) == wrapped
    assert set(wrapped.values()) == set(wrapped.defaults()) == set(wrapped.hyperparameters())
    assert wrapped.replace(wrapped.values()) == wrapped
    assert wrapped.replace({}) == wrapped


@every_case
def test_each_hyperparameter_goes_to_where_it_belongs(wrapped: Rule) -> None:
    for name, value in wrapped.values().items():
        if isinstance(value, float):
            declared = wrapped.hyperparameters()[name]
            other = next(x for x in (0.5, 0.25, 7.0) if x != value and declared.allows(x))
            changed = wrapped.replace({name: other})
            assert changed.values() == {**wrapped.values(), name: other}
            assert changed != wrapped
    learned = wrapped.replace({"learning_rate": 0.125})
    assert learned.learning_rate == innermost(learned).learning_rate == 0.125


def test_what_it_is_of_what_it_holds() -> None:
    @rule
    class Read(Rule):
        learning_rate: float = hyper(0.1, "length of a step", unit="w")

        def read(self, w: Any, state: Any, t: Any) -> Any:
            return w + 1

    for wrap in WRAPPED.values():
        assert wrap(Nesterov()).looks_ahead
        assert not wrap(Adam()).looks_ahead
        assert wrap(Read()).reads_elsewhere
        assert not wrap(Adam()).reads_elsewhere
    assert Decay(Clip(Adam(), global_clipnorm=1)).spans_arrays
    assert not Decay(Clip(Adam(), clipnorm=1)).spans_arrays
    assert [held.name for held in inside(Decay(Partition(Adam())))] == [
        "decay", "partition", "adam", "sgd",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Decay(RULES["adamw"]()), "adamw already has a weight_decay of its own"),
        (lambda: Decay(L2(Adam())), "l2 already has a weight_decay of its own"),
        (lambda: Clip(Adam()), "Give clipnorm, clipvalue or global_clipnorm"),
        (lambda: Clip(Adam(), clipnorm=0), "clip: clipnorm=0 is not allowed"),
        (lambda: Decay("adam"), r"decay holds a rule, such as ravine.Adam\(\), not 'adam'"),
        (lambda: Decay(Decay), "decay holds a rule"),
        (lambda: Scheduled(SGD(), schedule="cosin"), "unknown schedule 'cosin': did you mean 'co"),
        (lambda: Scheduled(SGD(), warmup=1), r"warmup=1 is not allowed; .* must be in \[0, 1\)"),
        (lambda: Scheduled(SGD(), steps=0), "steps=0 is not allowed"),
        (lambda: L2(Clip(SGD(), global_clipnorm=1)), "write l2 inside of clip"),
        (lambda: Partition(SGD(), biases=SGD(0.5), biases_rate=2), "give one"),
        (lambda: Partition(Scheduled(SGD())), "put it outside"),
    ],
)
def test_what_cannot_be_is_said(make: Callable[[], Rule], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        make()


def test_a_class_stands_for_its_object() -> None:
    assert Decay(Adam) == Decay(Adam())  # type: ignore[arg-type]
    assert Partition(Momentum, biases=Adam) == Partition(Momentum(), biases=Adam())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", WRAPPING.values(), ids=WRAPPING)
def test_the_docstring_names_a_source(kind: type[Rule]) -> None:
    own = vars(kind)["__doc__"]
    assert re.search(r"https://\S+\.\S+/\S+", own)
    assert "Differs:" in own


def test_the_code_of_a_held_rule_decides_the_digest() -> None:
    def typed(factor: float) -> Rule:
        namespace: dict[str, Any] = {"Rule": Rule, "hyper": hyper, "rule": rule}
        exec(
            "class Typed(Rule):\n"
            "    learning_rate: float = hyper(0.1, 'step')\n"
            f"    def update(self, w, g, state, t): return w - {factor} * g, state\n"
            "Typed = rule(Typed)",
            namespace,
        )
        return namespace["Typed"]()  # type: ignore[no-any-return]

    digests = {
        source_digest(one)
        for one in (
            Decay(typed(1.0)),
            Decay(typed(2.0)),
            Decay(typed(1.0), weight_decay=0.5),
            Partition(SGD(), biases=typed(1.0)),
            Partition(SGD(), biases=typed(2.0)),
            typed(1.0),
        )
    }
    assert len(digests) == 6
    assert source_digest(Decay(typed(1.0))) == source_digest(Decay(typed(1.0)))


# --- arrays ---------------------------------------------------------------------------------


@pairs(CASES, LIBRARIES, ["float64", "bfloat16"], names="make dtype")
def test_library_shape_and_dtype_are_kept(wrapped: Rule, make: Any, dtype: str) -> None:
    wide = "float32" if "float16" in dtype else dtype
    for shape in SHAPES:
        w, g = make(np.ones(shape), dtype), make(gradients(1, shape)[0], dtype)
        state = wrapped.init(w)
        structure = jax.tree.structure(state)
        ahead = wrapped.lookahead(w, state, 1)
        (g,) = wrapped.together([g])
        w, state = wrapped.update(w, g, state, 1)
        assert jax.tree.structure(state) == structure
        for x in (ahead, w, wrapped.read(w, state, 1)):
            assert (dtype_name(x), tuple(x.shape)) == (dtype, shape)
        for x in jax.tree.leaves(state):
            if type(x) is not float:
                assert dtype_name(x) == wide
                assert tuple(x.shape) in {shape, ()}


@pairs(FEW, LIBRARIES[1:], SHAPES[:2], names="make shape")
def test_every_library_gives_numpys_numbers(
    wrapped: Rule, make: Any, shape: tuple[int, ...]
) -> None:
    start, slopes = np.full(shape, 0.75), gradients(12, shape) / 3
    expected = walked(wrapped, start, slopes)
    found = walked(wrapped, make(start, "float64"), [make(g, "float64") for g in slopes])
    # Norms are summed in each library's own order.
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(exact(x), exact(y), rtol=1e-14)


@few
def test_sixteen_bits_walk_by_float32_arithmetic(wrapped: Rule) -> None:
    start, slopes = np.full((2, 3), 0.75), gradients(12, (2, 3))
    w, g = _numpy(start, "bfloat16"), _numpy(slopes[0], "bfloat16")
    state = wrapped.init(w)
    narrow, memory = wrapped.update(w, wrapped.together([g])[0], state, 1)
    broad, kept = wrapped.update(
        w.astype(np.float32), wrapped.together([g.astype(np.float32)])[0], state, 1
    )
    np.testing.assert_array_equal(exact(narrow), exact(broad.astype(ml_dtypes.bfloat16)))
    for x, y in zip(jax.tree.leaves(memory), jax.tree.leaves(kept), strict=True):
        np.testing.assert_array_equal(exact(x), exact(y))


@each
def test_lanes_walk_as_if_alone(wrapped: Rule) -> None:
    scales = np.array([0.5, 0.9, 1.0])
    numbers = {k: v for k, v in wrapped.values().items() if isinstance(v, float)}
    lanes = {name: value * scales for name, value in numbers.items()}
    starts = np.stack([np.full((2, 2), x) for x in (1.0, -0.5, 3.0)])

    def begin(hyper: Any, w: Any) -> Any:
        return w, wrapped.replace(hyper).init(w)

    def advance(hyper: Any, w: Any, state: Any, t: Any, library: Any = np) -> Any:
        made = wrapped.replace(hyper)
        w, state = step(made, lambda w: library.asarray(HESSIAN) @ w, w, state, t)
        return w, state, made.read(w, state, t)

    together, alone = [], []
    with jax.enable_x64(True):
        one_step = jax.jit(jax.vmap(partial(advance, library=jnp), in_axes=(0, 0, 0, None)))
        w, state = jax.vmap(begin)(lanes, jnp.asarray(starts))
        for t in range(1, 11):  # two past the end of a schedule
            w, state, used = one_step(lanes, w, state, jnp.asarray(float(t)))
            together.append(used)
    for i in range(3):
        hyper = {name: float(values[i]) for name, values in lanes.items()}
        w, state = begin(hyper, starts[i])
        for t in range(1, 11):
            w, state, used = advance(hyper, w, state, float(t))
            alone.append(used)
    looped = np.reshape(alone, (3, 10, 2, 2)).swapaxes(0, 1)
    # Compiled code fuses multiply and add, and has its own pow and cos: a few last bits.
    np.testing.assert_allclose(np.array(together), looped, rtol=1e-12, atol=1e-14)


@every_case
def test_the_declared_units_hold(wrapped: Rule) -> None:
    """Weights and f in units that are powers of two: the same path, equal in every bit."""
    w_unit, g_unit = 2.0**-7, 2.0**11
    declared = wrapped.hyperparameters()
    rescaled = wrapped.replace(
        {
            name: declared[name].rescaled(value, w_unit, g_unit)
            for name, value in wrapped.values().items()
            if isinstance(value, float)
        }
    )
    for start in (np.array([1.0, -0.75]), np.array([[1.0, -0.75], [0.5, 2.0]])):
        w, there = start, start * w_unit
        state, memory = wrapped.init(w), rescaled.init(there)
        for t in range(1, 11):
            w, state = step(wrapped, lambda w: w @ HESSIAN, w, state, t)
            there, memory = step(
                rescaled, lambda w: (w / w_unit) @ HESSIAN * g_unit, there, memory, t
            )
            np.testing.assert_array_equal(there, w * w_unit)


# --- what each means ------------------------------------------------------------------------


@few
def test_what_is_off_changes_nothing(wrapped: Rule) -> None:
    held = innermost(wrapped)
    for off in (
        Decay(held, weight_decay=0),
        L2(held, weight_decay=0),
        Clip(held, clipnorm=1e9, clipvalue=1e9, global_clipnorm=1e9),
        Partition(held, biases=held),
        Scheduled(held, schedule="constant"),
    ):
        for shape in [(2, 2), (3,)]:
            start, slopes = np.full(shape, 0.75), gradients(9, shape)
            np.testing.assert_array_equal(
                walked(off, start, slopes), walked(held, start, slopes), err_msg=str(off)
            )


def test_no_gradient_is_no_division_by_zero(make: Any) -> None:
    for clip in (Clip(SGD(), clipnorm=1), Clip(SGD(), clipvalue=1), Clip(SGD(), global_clipnorm=1)):
        w, g = make([1.0, 2.0], "float32"), make([0.0, 0.0], "float32")
        new, _ = step(clip, lambda _: g, w, clip.init(w), 1)  # noqa: B023
        np.testing.assert_array_equal(exact(new), [1.0, 2.0])
    assert Clip(SGD(), clipnorm=1).update(1.0, 0.0, (), 1) == (1.0, ())


def test_an_infinite_component_is_clipped_and_nan_is_kept(make: Any) -> None:
    clip = Clip(SGD(learning_rate=1), clipvalue=0.5)
    g = make([np.inf, -np.inf, np.nan], "float32")
    w, _ = clip.update(make([0.0, 0.0, 0.0], "float32"), g, (), 1)
    np.testing.assert_array_equal(exact(w), [-0.5, 0.5, np.nan])


def test_the_global_norm_is_of_all_arrays_whatever_their_types(make: Any) -> None:
    clip = Clip(SGD(), global_clipnorm=2.5)
    given = [make([[3.0]], "float32"), make([0.0, 4.0], "bfloat16"), make(np.zeros(0), "float32")]
    found = clip.together(given)
    for x, y in zip(found, ([[1.5]], [0.0, 2.0], []), strict=True):
        np.testing.assert_array_equal(exact(x), y)
    wide = clip.together([make([3.0], "float64"), make([4.0], "float32")])
    assert [dtype_name(x) for x in wide] == ["float64", "float32"]
    np.testing.assert_array_equal([exact(x)[0] for x in wide], [1.5, 2.0])
    assert clip.together([]) == []
    assert clip.together([3.0, 4.0]) == [1.5, 2.0]


def test_a_partition_has_two_rules_at_rates_in_proportion() -> None:
    same = Partition(Momentum(), biases=SGD())
    assert same.replace({"learning_rate": 0.5}).small == SGD(0.5)
    own = Partition(Momentum(), biases=SGD(0.04))
    assert own.values()["biases_rate"] == 4
    assert own.replace({"learning_rate": 0.5}).small == SGD(2.0)
    # Adam's rate is a length, gradient descent's is not: as they were given.
    assert Partition(Adam(), biases=SGD()).biases_rate == SGD().learning_rate / Adam().learning_rate
    assert Partition(Adam(), biases=Nadam()).small.learning_rate == Adam().learning_rate
    inner = Partition(SGD(), biases=Momentum(momentum=0.5))
    assert inner.replace({"biases_momentum": 0.25}).biases == Momentum(momentum=0.25)
    assert "biases_learning_rate" not in inner.values()


def test_a_partition_goes_by_the_number_of_dimensions() -> None:
    walker = Scheduled(Decay(Partition(Momentum(), biases=SGD(0.05))), steps=9)
    flat = Scheduled(Decay(SGD(0.05)), steps=9)
    full = Scheduled(Decay(Momentum()), steps=9)
    for shape, alone in [((3, 2), full), ((3, 2, 2), full), ((3,), flat), ((), flat)]:
        start, slopes = np.full(shape, 0.75), gradients(9, shape)
        np.testing.assert_array_equal(walked(walker, start, slopes), walked(alone, start, slopes))


def test_each_half_looks_at_its_own_gradients_together() -> None:
    clipped = Clip(SGD(), global_clipnorm=1)
    halves = Partition(clipped, biases=SGD())
    kernel, bias = halves.together([np.array([[4.0]]), np.array([8.0])])
    np.testing.assert_array_equal([kernel[0, 0], bias[0]], [1.0, 8.0])


def test_decay_and_schedule_in_either_order() -> None:
    start, slopes = np.full((2, 2), 0.75), gradients(9, (2, 2))
    outside = walked(Scheduled(Decay(Adam()), steps=9), start, slopes)
    within = walked(Decay(Scheduled(Adam(), steps=9)), start, slopes)
    np.testing.assert_array_equal(outside, within)


def test_l2_is_a_penalty_in_the_loss_ahead_too() -> None:
    for held in (Nesterov(), Adam()):
        w = v = np.array([1.0, -0.5])
        penalised = L2(held, weight_decay=0.125)
        state, memory = penalised.init(w), held.init(v)
        for t in range(1, 20):
            w, state = step(penalised, lambda x: HESSIAN @ x, w, state, t)
            v, memory = step(held, lambda x: HESSIAN @ x + 0.125 * x, v, memory, t)
            np.testing.assert_array_equal(w, v)
