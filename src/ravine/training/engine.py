"""The compiled race: many runs of one rule as the lanes of one program. Knows JAX's transforms."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.custom_batching  # neither is an attribute of jax until it is imported
import jax.export
import jax.numpy as jnp
import numpy as np
from jax import lax

from ravine.rules.update_rule import Rule
from ravine.tasks import settings
from ravine.tasks.adapters.keras_network import Network
from ravine.training.convolutions import in_parts, sliced
from ravine.training.evaluation_check import Evaluated, Evaluator
from ravine.training.programs import Programs, Shape, numeric

set_floats = settings.set_jax


class Ablation(NamedTuple):
    """What is done in one way or another by where it runs. What is computed stays the same."""

    each: Callable[..., Any]  # of a function of one lane: how ``vmap`` takes it to all
    evaluated: int  # rows at a time, of a network with convolutions
    compiler: Mapping[str, str | bool]


CPU = Ablation(
    # Lane by lane: the rows of a split fill the products already, those of all lanes the cache.
    each=jax.custom_batching.sequential_vmap,
    evaluated=16,
    # Without it each step copies the weights that its backward pass reads, though it has read them
    # all by the time they change.
    compiler={
        "xla_cpu_copy_insertion_use_region_analysis": True,
        "xla_cpu_multi_thread_eigen": False,  # sums of one thread, as workers have, in any process
    },
)

# Of a program that runs a few times.
QUICKLY: Mapping[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}

# JAX's own settings that change what a program computes, as they are in a worker.
SETTINGS: dict[str, Any] = {
    "jax_default_matmul_precision": None,
    "jax_default_prng_impl": "threefry2x32",
    "jax_disable_most_optimizations": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_random_seed_offset": 0,
    "jax_threefry_partitionable": True,
}


class Lane(NamedTuple):
    """Everything about a run that changes while it trains."""

    trainable: list[Any]
    state: list[Any]
    memory: list[Any]  # of the rule, one a trainable array
    alive: Any  # whether every training loss so far was finite


def programs(network: Network, rule: Rule, levers: Ablation = CPU, anew: bool = False) -> Programs:
    """The programs of a rule's structure: hyperparameters, seeds and rows are data.

    A lane whose training loss is no longer finite is dead, and reports NaN from then on. Where
    rows are split ``anew`` for each seed, what is held out is each lane's own.
    """
    own = 0 if anew else None
    by_parts = partial(in_parts, rows=levers.evaluated)

    def measured(hyper: dict[str, Any], lane: Lane, t: Any, held_out: Any) -> Any:
        r = rule.replace(hyper)
        both = zip(lane.trainable, lane.memory, strict=True)
        weights = [_like(w, r.read(w, m, t)) for w, m in both]

        def scores(x: Any, y: Any, *blocks: Any) -> Any:
            if not blocks:
                return network.measure(weights, lane.state, x, y, by_parts)[None]
            of, rows = network.judged(weights, lane.state, x, y, by_parts)
            parts = lax.map(lambda at: of(*_rows(rows, at)), *blocks)
            return jnp.concatenate([of(*rows)[None], parts])

        measures = jnp.concatenate([scores(*split) for split in held_out])
        return jnp.where(lane.alive, measures, jnp.nan)

    measured = levers.each(measured)

    def begin(hyper: dict[str, Any], trainable: Any, state: Any, held_out: Any) -> Any:
        r = rule.replace(hyper)
        memory = [_as_arrays(r.init(w), w) for w in trainable]
        lane = Lane(trainable, state, memory, jnp.bool_(True))
        return lane, measured(hyper, lane, jnp.zeros((), float), held_out)

    def step(r: Rule, lane: Lane, t: Any, x: Any, y: Any) -> tuple[Lane, Any]:
        both = zip(lane.trainable, lane.memory, strict=True)
        ahead = [_like(w, r.lookahead(w, m, t)) for w, m in both]
        slope = jax.value_and_grad(sliced(network.loss), has_aux=True)
        (loss, state), gradients = slope(ahead, lane.state, x, y)
        stepped = [
            _like((w, m), r.update(w, g, m, t))
            for w, g, m in zip(lane.trainable, r.together(gradients), lane.memory, strict=True)
        ]
        # Nothing is made of a dead lane's weights: to keep those it had would cost each step a
        # pass over all of them.
        alive = lane.alive & jnp.isfinite(loss)
        lane = Lane([w for w, _ in stepped], state, [m for _, m in stepped], alive)
        return lane, jnp.where(alive, loss, jnp.nan)

    def advance(
        hyper: dict[str, Any], lane: Lane, span: Any, rows: Any, train: Any, held_out: Any
    ) -> Any:
        r = rule.replace(hyper)
        (taken, periods), (x, y) = span, train

        def one_step(carry: Any, batch: Any) -> Any:
            lane, t = carry
            t = t + 1
            lane, loss = step(r, lane, t, *jax.tree.map(lambda rows: rows[batch], (x, y)))
            return (lane, t), loss

        def one_period(carry: Any, batches: Any) -> Any:
            carry, losses = lax.scan(one_step, carry, batches)
            return carry, (losses, measured(hyper, carry[0], carry[1], held_out))

        (lane, _), (losses, measures) = _scan_some(one_period, (lane, taken), rows, periods)
        return lane, losses.reshape(-1), measures

    structure: list[Any] = []

    # Exported programs know lists and dicts alone, so a lane travels as the list of its arrays.
    def begin_flat(*arguments: Any) -> Any:
        lanes, measures = _each_lane(begin, (0, 0, 0, own))(*arguments)
        leaves, treedef = jax.tree.flatten(lanes)
        structure[:] = [treedef]
        return leaves, measures

    def advance_flat(hyper: Any, leaves: Any, *rest: Any) -> Any:
        lanes = jax.tree.unflatten(structure[0], leaves)
        lanes, *results = _each_lane(advance, (0, 0, None, 0, None, own))(hyper, lanes, *rest)
        return jax.tree.leaves(lanes), *results

    return Programs(begin_flat, advance_flat)


def export(
    network: Network,
    rule: Rule,
    shape: Shape,
    sample: Any,
    data: Any,
    levers: Ablation = CPU,
    anew: bool = False,
) -> list[bytes]:
    """Trace ``begin`` and ``advance`` once, so that processes without Keras can run them.

    ``sample`` is a (trainable, state) to take shapes from, ``data`` (train, held_out). ``anew`` is
    as in ``programs``.
    """

    def lanes_of(array: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((shape.width, *array.shape), array.dtype)

    def like(tree: Any) -> Any:
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)

    begin, advance = programs(network, rule, levers, anew)
    hyper = {name: lanes_of(jnp.zeros((), float)) for name in numeric(rule)}
    trainable, state = jax.tree.map(lanes_of, sample)
    train, held_out = like(data)
    begun = jax.export.export(jax.jit(begin))(hyper, trainable, state, held_out)
    leaves, _ = jax.tree.unflatten(begun.out_tree, begun.out_avals)
    span = jax.ShapeDtypeStruct((), _floats()), jax.ShapeDtypeStruct((), np.int32)
    rows = jax.ShapeDtypeStruct(shape, np.int32)
    advanced = jax.export.export(jax.jit(advance))(hyper, like(leaves), span, rows, train, held_out)
    return [bytes(program.serialize()) for program in (begun, advanced)]


def computes_as_workers() -> bool:
    """Whether JAX computes in this process as in a worker: on the CPU, with its own settings.

    As far as those change numbers. How wide these are is the task's to say.
    """
    return jax.default_backend() == "cpu" and all(
        jax.config.values.get(name, at) == at for name, at in SETTINGS.items()
    )


def network_of(task: Any) -> Any:
    """The task's model as functions of its weights."""
    set_floats(getattr(task, "floats", "float32"))
    return task.network()


def _floats() -> Any:
    """What JAX makes of Python's float in this process."""
    return jnp.zeros((), float).dtype


def lanes(network: Any, drawn: Any, sample: Any) -> bool:
    """Whether runs can be lanes of one program: here all can."""
    return True


def load(
    exported: Sequence[bytes], network: Any = None, rule: Any = None, levers: Ablation = CPU
) -> Programs:
    """The programs that ``export`` traced, compiled; they need no network or rule any more."""
    return Programs(*(_compiled(one, levers.compiler) for one in exported))


def _compiled(exported: bytes, options: Mapping[str, str | bool]) -> Callable[..., Any]:
    program = jax.export.deserialize(bytearray(exported))
    arguments, _ = jax.tree.unflatten(program.in_tree, program.in_avals)
    compiled: Callable[..., Any] = jax.jit(program.call).lower(*arguments).compile(dict(options))
    return compiled


def memory(program: Any) -> float:
    """Bytes that a compiled program needs at once: arguments, results and what is between."""
    needs = program.memory_analysis()
    if needs is None:  # not every backend says
        return 0.0
    parts = needs.argument_size_in_bytes, needs.output_size_in_bytes, needs.temp_size_in_bytes
    return float(sum(parts) - needs.alias_size_in_bytes)


def learned(
    rule: Rule, leaves: Sequence[Any], drawn: Any, taken: int, network: Any = None
) -> tuple[list[Any], Any]:
    """The weights that one lane is judged by, and its state, after the steps taken.

    ``leaves``: the arrays of the lane, as ``advance`` handed them on; ``drawn``: weights and state
    to take their number from.
    """
    trainable, state = drawn
    memory = [jax.eval_shape(lambda w: _as_arrays(rule.init(w), w), w) for w in trainable]
    structure = jax.tree.structure(Lane(trainable, state, memory, True))
    lane = jax.tree.unflatten(structure, list(map(jnp.asarray, leaves)))
    both = zip(lane.trainable, lane.memory, strict=True)
    return [np.asarray(rule.read(w, m, jnp.asarray(float(taken)))) for w, m in both], [
        np.asarray(array) for array in lane.state
    ]


def resident(data: Any) -> Any:
    """Arrays where the programs have them at hand, rather than handed over at each call."""
    return jax.device_put(data)


def by_lane(lanes: Sequence[Any]) -> Any:
    """What is held out of lanes that have each splits of their own: stacked."""
    return jax.tree.map(lambda *same: np.stack(same), *lanes)


def clock() -> float:
    """Seconds that a computation takes, whoever else uses the machine.

    On a CPU, where a worker has one core, those that it ran; waiting for its turn is not counted.
    """
    return time.process_time() if jax.default_backend() == "cpu" else time.perf_counter()


def operations(network: Network, drawn: Any, batch: tuple[Any, Any]) -> float:
    """The floating point operations of a loss and its gradient on a batch, as XLA counts them."""
    slope = jax.jit(jax.value_and_grad(network.loss, has_aux=True))
    counted = slope.lower(*drawn, *batch).cost_analysis()
    return float(counted["flops"]) if counted else 0.0


def evaluator(
    network: Network,
    held_out: Any,
    training: Any,
    rows: int,
    options: Mapping[str, Any] = QUICKLY,
) -> Evaluator:
    """What a race computes of a few rows, and what the framework does, in one program."""
    by_parts = partial(in_parts, rows=rows)
    theirs = network.framework_scores(held_out, training)

    def all_ways(trainable: Any, state: Any) -> Any:
        loss, _ = sliced(network.loss)(trainable, state, *training)
        x, y = held_out
        pieces = network.measure(trainable, state, x, y, by_parts)
        whole = network.measure(trainable, state, x, y)
        penalty = network.penalty(trainable, state, x)
        return Evaluated(pieces, whole, loss, penalty), theirs(trainable, state)

    compiled: list[Any] = []

    def at(trainable: Sequence[Any], state: Sequence[Any]) -> Any:
        given = list(trainable), list(state)
        if not compiled:
            compiled.append(jax.jit(all_ways).lower(*given).compile(dict(options)))
        return jax.tree.map(np.asarray, compiled[0](*given))

    return at


def slopes(network: Network, drawn: Any, batch: tuple[Any, Any]) -> list[float]:
    """The root mean square of the loss's gradient, over each trainable array."""
    gradients, _ = jax.jit(jax.grad(network.loss, has_aux=True))(*drawn, *batch)
    return [float(jnp.sqrt(jnp.mean(jnp.square(g)))) for g in gradients]


def _rows(nest: Any, at: Any) -> Any:
    return jax.tree.map(lambda array: jnp.asarray(array)[at], nest)


def _each_lane(function: Callable[..., Any], axes: Sequence[int | None]) -> Callable[..., Any]:
    """``vmap``, but a lane that is alone keeps its own shapes.

    On a CPU the products of (1, n, n) arrays take another path through XLA than those of (n, n):
    with 256 units a step took 1.4 times as long.
    """

    def over_lanes(*arguments: Any) -> Any:
        lanes = [a for a, axis in zip(arguments, axes, strict=True) if axis == 0]
        if jax.tree.leaves(lanes)[0].shape[0] > 1:
            return jax.vmap(function, in_axes=tuple(axes))(*arguments)
        alone = [
            jax.tree.map(lambda leaf: leaf[0], a) if axis == 0 else a
            for a, axis in zip(arguments, axes, strict=True)
        ]
        return jax.tree.map(lambda leaf: leaf[None], function(*alone))

    return over_lanes


def _scan_some(function: Callable[..., Any], carry: Any, rows: Any, count: Any) -> Any:
    """``lax.scan`` over the first ``count`` of ``rows``; NaN in the place of the other results."""

    def one(i: Any, both: Any) -> Any:
        carry, found = both
        carry, now = function(carry, rows[i])
        return carry, jax.tree.map(lambda all_, one: all_.at[i].set(one), found, now)

    _, like = jax.eval_shape(function, carry, rows[0])
    nothing = jax.tree.map(lambda a: jnp.full((len(rows), *a.shape), jnp.nan, a.dtype), like)
    return lax.fori_loop(0, count, one, (carry, nothing))


def _like(old: Any, new: Any) -> Any:
    """As wide as before: a 64-bit learning rate would widen weights of 32 bits."""
    return jax.tree.map(lambda a, b: jnp.asarray(b, a.dtype), old, new)


def _as_arrays(memory: Any, w: Any) -> Any:
    """A rule may start a state field as a plain number; a loop carries arrays."""
    return jax.tree.map(
        lambda leaf: jnp.asarray(leaf, jnp.promote_types(w.dtype, jnp.float32)), memory
    )
