"""The compiled engine computes what a plain loop computes.

What Keras computes it is held against in tasks/own/test_matrix.py.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from ravine.rules import RULES, SGD, Adam, Momentum, Nadam, Nesterov
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import L2, Clip, Decay, Partition, Scheduled
from ravine.rules.wrappers.wrapper import innermost
from ravine.training.batches import batch_rows
from ravine.training.engine import Lane, Programs, Shape, export, load, numeric, programs

# One that remembers nothing, one that looks ahead, one that remembers most.
every_kind = pytest.mark.parametrize("kind", [SGD, Nesterov, Nadam])


# --- against a plain loop -------------------------------------------------------------------


class Plane:
    """Least squares, y ≈ xA + b: a quadratic with two weight arrays and a state that counts."""

    def loss(self, weights: Any, state: Any, x: Any, y: Any) -> Any:
        (A, b), (seen,) = weights, state
        return jnp.mean((x @ A + b - y) ** 2), [seen + x.sum(0)]

    def measure(self, weights: Any, state: Any, x: Any, y: Any, way: Any) -> Any:
        y_pred, seen = way(self.predict)(weights, state, x)
        miss = y_pred - y
        return jnp.stack([jnp.mean(miss**2), jnp.abs(miss).max(), seen.sum()])

    def predict(self, weights: Any, state: Any, x: Any) -> Any:
        (A, b), (seen,) = weights, state
        return x @ A + b, seen


WIDTH, PERIODS, PERIOD, BATCH, ROWS = 3, 4, 6, 5, 20


class Race(NamedTuple):
    """What ``begin`` and ``advance`` are given, for three lanes of a rule."""

    hyper: dict[str, NDArray[Any]]
    trainable: list[NDArray[Any]]
    state: list[NDArray[Any]]
    rows: NDArray[np.int32]
    train: tuple[NDArray[Any], NDArray[Any]]
    held_out: list[tuple[NDArray[Any], NDArray[Any]]]


def race(rule: Rule, dtype: type = np.float64) -> Race:
    draw = np.random.default_rng(0)
    splits = [
        (draw.normal(size=(n, 3)).astype(dtype), draw.normal(size=(n, 2)).astype(dtype))
        for n in (ROWS, 7, 9)
    ]
    # Lanes differ in every hyperparameter, in weights and in batches.
    scales = np.array([0.5, 0.9, 1.0], dtype)
    orders = [batch_rows(seed, ROWS, BATCH, PERIODS * PERIOD) for seed in range(WIDTH)]
    return Race(
        {name: np.asarray(value * scales, dtype) for name, value in numeric(rule).items()},
        [draw.normal(size=(WIDTH, 3, 2)).astype(dtype), np.zeros((WIDTH, 2), dtype)],
        [np.zeros((WIDTH, 3), dtype)],
        np.stack(orders).reshape(WIDTH, PERIODS, PERIOD, BATCH),
        splits[0],
        splits[1:],
    )


class Ran(NamedTuple):
    start: Any
    lanes: list[Any]
    losses: Any
    measures: Any


def run(
    given: Race, compiled: Programs, segments: Sequence[slice] = (slice(None),), steps: int = PERIOD
) -> Ran:
    """Begin, and advance through each segment of periods."""
    begin, advance = compiled
    dtype = given.trainable[0].dtype.type
    lanes, start = begin(given.hyper, given.trainable, given.state, given.held_out)
    losses, measures = [], []
    for segment in segments:
        rows = given.rows[:, segment, :steps]
        span = dtype(PERIOD * (segment.start or 0)), np.int32(rows.shape[1])
        # As long as the longest: one program for all.
        rows = np.concatenate([rows, rows[:, :1].repeat(PERIODS - rows.shape[1], 1)], axis=1)
        lanes, *found = advance(given.hyper, lanes, span, rows, given.train, given.held_out)
        assert np.isnan(found[1][:, span[1] :]).all()
        losses.append(found[0][:, : span[1] * steps])
        measures.append(found[1][:, : span[1]])
    joined = (np.concatenate(parts, axis=1) for parts in (losses, measures))
    return Ran(np.asarray(start), [np.asarray(x) for x in lanes], *joined)


# Compiling takes longer than running.
QUICKLY = {"xla_backend_optimization_level": 0}


def compiled(rule: Rule, options: Any = None) -> Programs:
    begin, advance = programs(Plane(), rule)  # type: ignore[arg-type]
    return Programs(*(jax.jit(each, compiler_options=options) for each in (begin, advance)))


@functools.cache
def in_float32(kind: type[Rule]) -> tuple[Programs, Ran]:
    """What several tests compare with, compiled and run once a rule."""
    ready = compiled(kind())
    return ready, run(race(kind(), np.float32), ready)


def lane_of(ran: Ran, rule: Rule, i: int) -> Lane:
    """The numbers of one lane, in their places."""
    memory = [rule.init(np.zeros(1))] * 2
    places = jax.tree.structure(Lane([0, 0], [0], memory, 0))
    lane: Lane = jax.tree.unflatten(places, [x[i] for x in ran.lanes])
    return lane


def assert_bitwise(found: Any, expected: Any) -> None:
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def by_hand(rule: Rule, given: Race, i: int) -> tuple[Lane, NDArray[Any], NDArray[Any]]:
    """One lane as a loop over steps in NumPy, with the gradient of least squares written out."""
    weights, seen = [w[i] for w in given.trainable], given.state[0][i]
    memory = [rule.init(w) for w in weights]
    losses, measures = [], []
    for t, batch in enumerate(given.rows[i].reshape(-1, BATCH), 1):
        x, y = given.train[0][batch], given.train[1][batch]
        A, b = (rule.lookahead(w, m, t) for w, m in zip(weights, memory, strict=True))
        miss = x @ A + b - y
        losses.append(np.mean(miss**2))
        gradients = [2 * x.T @ miss / miss.size, 2 * miss.sum(0) / miss.size]
        pairs = [
            rule.update(w, g, m, t)
            for w, g, m in zip(weights, rule.together(gradients), memory, strict=True)
        ]
        weights, memory = [w for w, _ in pairs], [m for _, m in pairs]
        seen = seen + x.sum(0)
        if t % PERIOD == 0:
            A, b = (rule.read(w, m, t) for w, m in zip(weights, memory, strict=True))
            misses = [(u @ A + b - v) for u, v in given.held_out]
            measures.append([[np.mean(m**2), np.abs(m).max(), seen.sum()] for m in misses])
    return Lane(weights, [seen], memory, np.True_), np.array(losses), np.array(measures)


# Rules that hold a rule; a norm of all gradients is felt at each step, ends of schedules are not.
# What they hold, which acts in them as it would alone, is not tried again.
WRAPPED = [
    Clip(Decay(Nesterov(learning_rate=0.1)), global_clipnorm=0.5),
    Clip(L2(Adam(learning_rate=0.1)), clipnorm=0.5, clipvalue=0.25),
    Scheduled(Partition(Momentum(learning_rate=0.1)), steps=PERIODS * PERIOD, warmup=0.25),
    Scheduled(Partition(Nadam(), biases=Momentum()), schedule="step", steps=12),
]


HELD = {type(innermost(rule)) for rule in WRAPPED}
ALONE = [kind() for kind in RULES.values() if kind not in HELD]


@pytest.mark.parametrize("rule", [*ALONE, *WRAPPED], ids=str)
def test_each_lane_is_a_plain_loop(rule: Rule) -> None:
    with jax.enable_x64(True):
        given = race(rule)
        ran = run(given, compiled(rule, QUICKLY))
    assert ran.losses.shape == (WIDTH, PERIODS * PERIOD)
    assert ran.measures.shape == (WIDTH, PERIODS, 2, 3)
    for i in range(WIDTH):
        alone = rule.replace({name: values[i] for name, values in given.hyper.items()})
        lane, losses, measures = by_hand(alone, given, i)
        # Compiled sums run in another order and fuse products. Measured: 1.4e-14 (AdaGrad, whose
        # first division is by nearly nothing), the others 2e-15.
        close: dict[str, float] = {"rtol": 1e-12, "atol": 1e-13}
        np.testing.assert_allclose(ran.losses[i], losses, **close)
        np.testing.assert_allclose(ran.measures[i], measures, **close)
        found = lane_of(ran, rule, i)
        assert jax.tree.structure(found) == jax.tree.structure(lane)
        for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(lane), strict=True):
            np.testing.assert_allclose(x, y, **close)
        u, v = given.held_out[0]
        np.testing.assert_allclose(
            ran.start[i, 0, 0], np.mean((u @ given.trainable[0][i] - v) ** 2), **close
        )


@every_kind
def test_a_broken_neighbour_changes_no_bit(kind: type[Rule]) -> None:
    ready, ran = in_float32(kind)
    for poison in (np.nan, np.inf):
        given = race(kind(), np.float32)
        given.hyper["learning_rate"][1] = poison
        poisoned = run(given, ready)
        assert np.isnan(poisoned.losses[1, -1])
        for i in (0, 2):
            assert_bitwise(*(jax.tree.map(lambda x, i=i: x[i], one) for one in (poisoned, ran)))


@every_kind
def test_two_halves_are_one_whole(kind: type[Rule]) -> None:
    ready, ran = in_float32(kind)
    halves = run(race(kind(), np.float32), ready, [slice(0, 2), slice(2, 4)])
    assert_bitwise(halves, ran)


@every_kind
def test_the_exported_program_is_the_program(kind: type[Rule]) -> None:
    given = race(kind(), np.float32)
    sample = [x[0] for x in given.trainable], [x[0] for x in given.state]
    shape = Shape(WIDTH, PERIODS, PERIOD, BATCH)
    network: Any = Plane()
    exported = export(network, kind(), shape, sample, (given.train, given.held_out))
    assert_bitwise(run(given, load(exported)), in_float32(kind)[1])


def test_a_diverging_lane_is_dead_from_the_step_where_its_loss_is_lost() -> None:
    rule = SGD()
    with jax.enable_x64(True):
        given, programs_ = race(rule), compiled(rule)
        given.hyper["learning_rate"][:] = [0.1, 1e60, 0.1]
        ran = run(given, programs_)
        with np.errstate(all="ignore"):
            _, losses, _ = by_hand(SGD(learning_rate=1e60), given, 1)
        lost = int(np.flatnonzero(~np.isfinite(losses))[0])
        assert 0 < lost < PERIOD
        np.testing.assert_allclose(ran.losses[1, :lost], losses[:lost], rtol=1e-12)
        assert np.isnan(ran.losses[1, lost:]).all()
        assert np.isfinite(ran.losses[[0, 2]]).all()
        assert np.isnan(ran.measures[1]).all()
        assert not lane_of(ran, rule, 1).alive
        assert lane_of(run(given, programs_, [slice(0, 1)], steps=lost), rule, 1).alive


def test_one_bad_batch_ends_a_lane_for_good() -> None:
    rule = Momentum()
    given = race(rule, np.float32)
    batches = given.rows[0].reshape(-1, BATCH)
    only = next(row for row in range(ROWS) if row in batches[1] and row not in batches[0])
    given.train[0][only] = np.nan
    ran = run(given, compiled(rule))
    assert np.isfinite(ran.losses[0, 0])
    assert np.isnan(ran.losses[0, 1:]).all()
    assert np.isnan(ran.measures[0]).all()
