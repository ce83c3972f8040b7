"""Any rule as an Optax gradient transformation.

The parameters that the user holds are where the next gradient belongs: the weights themselves or,
for a rule with a lookahead, the point ahead. The state then keeps the offset between the two, so
that whatever else moves the parameters (weight decay, a projection) moves the weights along.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ravine.errors import InvalidArgument, RavineError, install
from ravine.frameworks.spelling import read_rule
from ravine.rules.update_rule import Array, Rule, State

try:
    import jax
    import jax.numpy as jnp
    import optax
except ModuleNotFoundError as missing:
    raise RavineError(f"to_optax needs Optax: {install('optax')}") from missing


class RuleState(NamedTuple):
    """What a rule remembers of a tree of parameters."""

    count: Array  # steps taken, int32
    memory: State  # the rule's own state, every field of it a tree like the parameters
    offset: Any  # a tree of weights − parameters; () without a lookahead


def to_optax(
    rule: str | type[Rule] | Rule, learning_rate: Any = None
) -> optax.GradientTransformationExtraArgs:
    """The rule as a native optimizer; the updates it makes are ready to be added.

    ``learning_rate``, if given, replaces the rule's: a number, an array or an Optax schedule.
    Parameters are a tree of floating-point arrays. The updates have their dtypes; state and
    arithmetic never have fewer than 32 bits. ``update`` needs the parameters.

    A rule with a lookahead publishes the point ahead under the *next* step's learning rate, as
    far as that is known: under ``optax.inject_hyperparams`` (see :func:`factory`) it is this
    step's. The weights to use in the end are :func:`settled`.

    >>> import jax.numpy as jnp, optax, ravine
    >>> optimizer = to_optax(ravine.Adam(), optax.cosine_decay_schedule(0.5, 100))
    >>> params = {"w": jnp.ones(3)}
    >>> state = optimizer.init(params)
    >>> updates, state = optimizer.update({"w": jnp.full(3, 2.0)}, state, params)
    >>> print(optax.apply_updates(params, updates)["w"].round(3))
    [0.5 0.5 0.5]
    """
    base = read_rule(rule)
    schedule = learning_rate if callable(learning_rate) else None
    if learning_rate is not None and schedule is None:
        base = base.replace({"learning_rate": learning_rate})
    looks_ahead = base.looks_ahead
    fields = _fields(base)

    def at(count: Array, dtype: Any) -> Rule:
        """The rule as it is after ``count`` steps."""
        now = {"learning_rate": schedule(count)} if schedule else {}
        return _in_type(base, now, dtype)

    def init(params: Any) -> RuleState:
        tree: Any
        leaves, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, params))
        count = jnp.zeros((), jnp.int32)
        weights = [_widened(p) for p in leaves]
        memories = [_arrays(at(count, w.dtype).init(w), w.dtype) for w in weights]
        offset = tree.unflatten([jnp.zeros_like(w) for w in weights]) if looks_ahead else ()
        return RuleState(count, _by_field(memories, tree, fields), offset)

    def update(
        gradients: Any, state: RuleState, params: Any = None, **extra_args: Any
    ) -> tuple[Any, RuleState]:
        if params is None:
            raise InvalidArgument(
                f"{base.name} needs params: call update(gradients, state, params)"
            )
        count = optax.safe_increment(state.count)

        def one(p: Array, g: Any, memory: State, offset: Any) -> tuple[Any, State, Any]:
            if not jax.tree.leaves(g):
                return g, memory, offset  # None or a MaskedNode: this one rests
            here = _widened(p)
            dtype = here.dtype
            t = count.astype(dtype)
            w = here + offset if looks_ahead else here
            w, new = at(state.count, dtype).update(w, jnp.asarray(g, dtype), memory, t)
            # The types of the first state are those of all others, or jit would compile again.
            memory = jax.tree.map(lambda old, x: jnp.asarray(x, old.dtype), memory, new)
            if not looks_ahead:
                return (w - here).astype(p.dtype), memory, ()
            ahead = at(count, dtype).lookahead(w, memory, t + 1)
            step = (ahead - here).astype(p.dtype)
            return step, memory, w - _added(p, step)

        tree: Any
        leaves, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, params))
        each = zip(
            leaves,
            _together(at(state.count, _widest(leaves)), tree.flatten_up_to(gradients)),
            _by_leaf(state.memory, tree, fields),
            tree.flatten_up_to(state.offset) if looks_ahead else [()] * len(leaves),
            strict=True,
        )
        done = [one(*parts) for parts in each]
        memory = _by_field([memory for _, memory, _ in done], tree, fields)
        offset = tree.unflatten([offset for *_, offset in done]) if looks_ahead else ()
        return tree.unflatten([step for step, *_ in done]), RuleState(count, memory, offset)

    return optax.GradientTransformationExtraArgs(init, update)


def factory(rule: str | type[Rule] | Rule) -> Callable[..., Any]:
    """:func:`to_optax` as a function of the rule's hyperparameters, for ``inject_hyperparams``.

    Defaults are those of ``rule``. Any of them may be a schedule.

    >>> import optax, ravine
    >>> make = optax.inject_hyperparams(factory(ravine.Adam(beta_1=0.8)))
    >>> optimizer = make(learning_rate=optax.linear_schedule(0.0, 0.1, 100))
    >>> print(optimizer.init({"w": jnp.ones(3)}).hyperparams["beta_1"])
    0.8
    """
    base = read_rule(rule)
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature(
        [inspect.Parameter(name, either, default=x) for name, x in base.values().items()]
    )

    def make(*arguments: Any, **named: Any) -> Any:
        values = signature.bind(*arguments, **named).arguments
        learning_rate = values.pop("learning_rate", None)
        return to_optax(base.replace(values), learning_rate)

    make.__signature__ = signature  # type: ignore[attr-defined]  # Optax asks for the names
    return make


def settled(rule: str | type[Rule] | Rule, params: Any, state: Any) -> Any:
    """The weights to use: what the rule reads, which need not be where it takes its gradients.

    ``state`` is the transformation's, alone or anywhere in that of a chain. Of parameters that
    were masked away there is nothing to read: they stay.

    >>> import jax.numpy as jnp, ravine
    >>> optimizer = to_optax("nesterov")
    >>> params = {"w": jnp.ones(3)}
    >>> state = optimizer.init(params)
    >>> print(settled("nesterov", params, state)["w"])
    [1. 1. 1.]
    """
    base = read_rule(rule)
    parts = jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, RuleState))
    found = [part for part in parts if isinstance(part, RuleState)]
    if len(found) != 1:
        raise InvalidArgument(f"state holds the states of {len(found)} rules; give that of one")
    count, memory, offset = found[0]
    looks_ahead = base.looks_ahead
    fields = _fields(base)

    def one(p: Array, memory: State, offset: Any) -> Array:
        kept = [offset, *fields.flatten_up_to(memory)]
        if any(isinstance(x, optax.MaskedNode) for x in kept):
            return p
        w = _widened(p)
        t = count.astype(w.dtype)
        read = _in_type(base, {}, w.dtype).read
        return read(w + offset if looks_ahead else w, memory, t).astype(p.dtype)

    tree: Any
    leaves, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, params))
    offsets = tree.flatten_up_to(offset) if looks_ahead else [()] * len(leaves)
    return tree.unflatten(list(map(one, leaves, _by_leaf(memory, tree, fields), offsets)))


def _together(rule: Rule, gradients: list[Any]) -> list[Any]:
    """What the rule makes of all gradients at once; those that are masked away have no say."""
    if not rule.spans_arrays:
        return gradients
    places = [i for i, g in enumerate(gradients) if jax.tree.leaves(g)]
    found = list(gradients)
    for i, g in zip(
        places, rule.together([jnp.asarray(gradients[i]) for i in places]), strict=True
    ):
        found[i] = g
    return found


def _widest(leaves: list[Array]) -> Any:
    """The type in which parameters are looked at together."""
    return jnp.result_type(jnp.float32, *leaves)


def _widened(p: Array) -> Array:
    """A parameter in the type that its rule computes in. Never a weak type: those spread."""
    if not jnp.issubdtype(p.dtype, jnp.floating):
        raise InvalidArgument(
            f"a rule moves real numbers, not {p.dtype}: leave these where they are with "
            "optax.selective_transform(optimizer, freeze_mask=…)"
        )
    return jnp.asarray(p, p.dtype if p.dtype.itemsize >= 4 else jnp.float32)


def _added(p: Array, step: Array) -> Array:
    """What ``optax.apply_updates`` makes of them, widened.

    XLA would leave out a rounding that is undone at once, and the offset would be from elsewhere.
    """
    bits = jnp.finfo(step.dtype)  # type: ignore[no-untyped-call]  # JAX's has none
    return jax.lax.reduce_precision(_widened(p + step), bits.nexp, bits.nmant)


def _in_type(rule: Rule, changes: dict[str, Any], dtype: Any) -> Rule:
    """The rule with those of its hyperparameters that are arrays in the type of the weights."""
    arrays = {name: x for name, x in rule.values().items() if hasattr(x, "dtype")}
    arrays |= {name: jnp.asarray(x) for name, x in changes.items()}
    for name, x in arrays.items():
        if jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize < 4:
            raise InvalidArgument(
                f"{rule.name}: {name} in {x.dtype} has too few digits (0.999 is 1 there): "
                "optax.inject_hyperparams(..., hyperparam_dtype=jnp.float32)"
            )
    return rule.replace({name: jnp.asarray(x, dtype) for name, x in arrays.items()})


def _arrays(memory: State, dtype: Any) -> State:
    """The state of one parameter without plain numbers, which jit would bake in.

    All copies: where a rule remembers w itself, nobody could donate parameters and state to jit.
    """
    return jax.tree.map(
        lambda x: jnp.array(x, x.dtype if hasattr(x, "dtype") else dtype, copy=True), memory
    )


def _fields(rule: Rule) -> Any:
    """How the rule's state is built, whatever the parameter: there may be none to ask."""
    return jax.tree.structure(rule.init(np.zeros((1, 1), np.float32)))


def _by_field(memories: list[State], tree: Any, fields: Any) -> State:
    """The states of single parameters as one, whose fields are trees.

    Optax's tools expect it so: ``optax.tree.get(state, "m")``, ``optax.tree_map_params``.
    """
    columns = [fields.flatten_up_to(memory) for memory in memories]
    return fields.unflatten(
        [tree.unflatten([c[i] for c in columns]) for i in range(fields.num_leaves)]
    )


def _by_leaf(memory: State, tree: Any, fields: Any) -> list[State]:
    """The reverse of :func:`_by_field`."""
    columns = [tree.flatten_up_to(field) for field in fields.flatten_up_to(memory)]
    return [fields.unflatten([c[i] for c in columns]) for i in range(tree.num_leaves)]
