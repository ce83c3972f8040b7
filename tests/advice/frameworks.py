"""Advice on optimizers, rules and translations, and the same done as it says.

Of each: part of the text, what brings it about, and what it tells the reader to do.
"""

from typing import Any

import jax.numpy as jnp
import keras
import numpy as np
import optax
import torch

import ravine
from ravine.errors import install, unknown
from ravine.explain.notation import javascript
from ravine.explain.notation.trace import trace
from ravine.frameworks.keras import to_keras
from ravine.frameworks.keras_saving import read as read_saved
from ravine.frameworks.optax import settled, to_optax
from ravine.frameworks.spelling import read_rule, read_rules, read_schedule
from ravine.frameworks.torch import to_torch
from ravine.frameworks.translate import read
from ravine.rules.update_rule import Hyper, Rule, State, hyper, rule, unit_powers
from ravine.rules.wrappers import L2, Clip, Partition, Scheduled

SGD, ADAM = ravine.SGD(), ravine.Adam()
SCHEDULE = "keras.optimizers.schedules.CosineDecay(0.1, 9)"


def group(rule: Any, **words: Any) -> Any:
    return to_torch(rule, [{"params": [torch.nn.Parameter(torch.ones(2))], **words}])


def saved(rule: Rule, module: str) -> dict[str, Any]:
    config = to_keras(rule).get_config()["rule"]
    return {**config, "defined_in": module}


def updated(*, params: bool) -> Any:
    optimizer, w = to_optax("adam"), {"w": jnp.ones(2)}
    return optimizer.update(w, optimizer.init(w), w if params else None)


def of_two(*, alone: bool) -> Any:
    w = {"w": jnp.ones(2)}
    state = optax.chain(to_optax("adam"), to_optax("adam")).init(w)
    return settled("adam", w, state[0] if alone else state)


def with_counts(freeze: bool) -> Any:
    params = {"w": jnp.ones(2), "count": jnp.ones(2, jnp.int32)}
    optimizer = to_optax("sgd", learning_rate=0.5)
    if freeze:
        optimizer = optax.selective_transform(optimizer, freeze_mask={"w": False, "count": True})
    updates, _ = optimizer.update(
        {"w": jnp.ones(2), "count": params["count"]}, optimizer.init(params), params
    )
    moved = optax.apply_updates(params, updates)
    np.testing.assert_array_equal(moved["w"], [0.5, 0.5])
    np.testing.assert_array_equal(moved["count"], [1, 1])


def spared() -> None:
    """Weights that a mask spares, in each framework, walk as by Optax's own mask."""
    native = optax.adamw(0.1, weight_decay=0.5, mask={"w": True, "b": False})
    w = {"w": jnp.ones(2), "b": jnp.ones(2)}
    expected = w
    state = native.init(w)
    for _ in range(3):
        updates, state = native.update(expected, state, expected)
        expected = optax.apply_updates(expected, updates)
    for to, walk in {"optax": _by_optax, "torch": _by_torch, "keras": _by_keras}.items():
        line = ravine.translate("optax.adamw(0.1, weight_decay=0.5)", to=to)
        found = walk(line)
        for name in ("w", "b"):
            np.testing.assert_allclose(found[name], expected[name], atol=2e-5, err_msg=to)


def _by_optax(line: str) -> dict[str, Any]:
    decayed = eval(line, {"optax": optax})
    without = eval(line.replace("weight_decay=0.5", "weight_decay=0.0"), {"optax": optax})
    one = optax.multi_transform({True: decayed, False: without}, {"w": True, "b": False})
    p: Any = {"w": jnp.ones(2), "b": jnp.ones(2)}
    state = one.init(p)
    for _ in range(3):
        updates, state = one.update(p, state, p)
        p = optax.apply_updates(p, updates)
    return p  # type: ignore[no-any-return]


def _by_torch(line: str) -> dict[str, Any]:
    w, b = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    groups = [{"params": [w]}, {"params": [b], "weight_decay": 0}]
    one = eval(line, {"torch": torch, "params": groups})
    for _ in range(3):
        for p in (w, b):
            p.grad = p.detach().clone()
        one.step()
    return {"w": w.detach().numpy(), "b": b.detach().numpy()}


def _by_keras(line: str) -> dict[str, Any]:
    w, b = (keras.Variable(np.ones(2), name=name) for name in "wb")
    one = eval(line, {"keras": keras, "ravine": ravine})
    one.exclude_from_weight_decay(var_list=[b])
    for _ in range(3):
        one.apply([keras.ops.copy(w), keras.ops.copy(b)], [w, b])
    return {"w": keras.ops.convert_to_numpy(w), "b": keras.ops.convert_to_numpy(b)}


def uphill() -> None:
    w = torch.nn.Parameter(torch.ones(1))
    optimizer = to_torch(read("torch.optim.SGD(params, lr=0.5)")[1], [w], maximize=True)
    w.grad = torch.ones(1)
    optimizer.step()
    assert float(w.detach()) == 1.5


@rule
class Branching(Rule):
    """A user's own that asks whether a value is true."""

    learning_rate: float = hyper(0.1, "length of a step")

    def update(self, w: Any, g: Any, state: State, t: Any) -> tuple[Any, State]:
        return (w - g if g > 0 else w), state


@rule
class Rounding(Branching):
    """One that makes a plain number of a value."""

    def update(self, w: Any, g: Any, state: State, t: Any) -> tuple[Any, State]:
        return w - float(g), state


@rule
class Missing(Branching):
    """One that calls what no array has."""

    def update(self, w: Any, g: Any, state: State, t: Any) -> tuple[Any, State]:
        return w - g.nonsense(), state


@rule
class Advised(Branching):
    """The same by ``ravine.ops``."""

    def update(self, w: Any, g: Any, state: State, t: Any) -> tuple[Any, State]:
        return ravine.ops.where(g > 0, w - ravine.ops.maximum(g, 0.0), w), state


PARTED = Partition(ravine.Momentum())
MASKED = "optax.adamw(0.1, weight_decay=0.5, mask=m)"
CHAIN = "optax.chain(optax.scale_by_adam(), {})"
SCHEDULER = "torch.optim.lr_scheduler.ExponentialLR({}, 0.9)"

FOLLOWED: list[tuple[str, Any, Any]] = [
    ("pip install 'ravine[{}]'", None, lambda: install("torch")),
    (
        "did you mean '{}'?",
        lambda: (_ for _ in ()).throw(unknown("rule", "adm", ["adam"])),
        lambda: read_rule("adam"),
    ),
    (
        "one, as ravine.L2({}, weight_decay=0)",
        lambda: group(Clip(ADAM, clipnorm=1.0), weight_decay=0.1),
        lambda: group(Clip(L2(ADAM, weight_decay=0), clipnorm=1.0), weight_decay=0.1),
    ),
    (
        "in a parameter group: did you mean",
        lambda: group("adam", beta1=0.5),
        lambda: group("adam", beta_1=0.5),
    ),
    (
        "which say different things about",
        lambda: group("adam", beta_1=0.5, betas=(0.8, 0.9)),
        lambda: group("adam", betas=(0.8, 0.9)),
    ),
    (
        "give it to the rule, {}({}={})",
        lambda: to_keras("adam", beta_1=0.8),
        lambda: to_keras(ravine.Adam(beta_1=0.8)),
    ),
    (
        "the saved optimizer follows the rule",
        lambda: read_saved(saved(Advised(), "gone"), None),
        lambda: read_saved(saved(Advised(), "gone"), {"Advised": Advised}),
    ),
    (
        "decay and a schedule are both given",
        lambda: read(f"keras.optimizers.Adam({SCHEDULE}, decay=0.1)"),
        lambda: read(f"keras.optimizers.Adam({SCHEDULE})"),
    ),
    (
        "which optimizer is",
        lambda: read(SCHEDULER.format("optimizer")),
        lambda: read(
            f"optimizer = torch.optim.SGD(params, lr=0.1); {SCHEDULER.format('optimizer')}"
        ),
    ),
    (
        "may be parameter groups",
        lambda: read("torch.optim.AdamW(groups, lr=0.1)"),
        lambda: read("torch.optim.AdamW(params, lr=0.1)"),
    ),
    (
        "cannot read {}: write an optimizer as its framework does",
        lambda: read("import keras"),
        lambda: read("keras.optimizers.Adam(learning_rate=0.001)"),
    ),
    (
        "{}={}(…) is not evaluated: write a plain number",
        lambda: read("torch.optim.Adam(params, lr=torch.tensor(0.1))"),
        lambda: read("torch.optim.Adam(params, lr=0.1)"),
    ),
    (
        "is not evaluated: write the plain number that it is",
        lambda: read("optax.sgd(rate)"),
        lambda: [read("optax.sgd(0.1)"), read("rate = 0.1; optax.sgd(rate)")],
    ),
    (
        "{}: {} is not translated: leave it out",
        lambda: read("optax.inject_hyperparams(optax.sgd, hyperparam_dtype=x)(0.1)"),
        lambda: read("optax.inject_hyperparams(optax.sgd)(0.1)"),
    ),
    (
        "** is not read",
        lambda: read("optax.sgd(**options)"),
        lambda: read("optax.sgd(learning_rate=0.1)"),
    ),
    ("{}: * is not read", lambda: read("optax.sgd(*options)"), lambda: read("optax.sgd(0.1)")),
    (
        "optax.chain holds no optimizer",
        lambda: read("optax.chain(optax.clip(1.0))"),
        lambda: read("optax.chain(optax.clip(1.0), optax.scale_by_learning_rate(0.1))"),
    ),
    (
        "uphill: write optax.scale",
        lambda: read(CHAIN.format("optax.scale(0.1)")),
        lambda: [
            read(CHAIN.format(x))
            for x in ("optax.scale(-0.1)", "optax.scale_by_learning_rate(0.1)")
        ],
    ),
    (
        "two schedules are not read",
        lambda: read(
            "s = optax.scale_by_schedule(optax.linear_schedule(-1, 0, 9)); optax.chain(s, s)"
        ),
        lambda: read(
            "s = optax.scale_by_schedule(optax.linear_schedule(-1, 0, 9)); optax.chain(s)"
        ),
    ),
    (
        "no rule does that; put it before",
        lambda: read(
            "s = optax.linear_schedule(1, 0, 9); "
            "optax.chain(optax.sgd(s), optax.add_decayed_weights(-0.1))"
        ),
        lambda: read(
            "s = optax.scale_by_learning_rate(optax.linear_schedule(1, 0, 9)); "
            "optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.1), s)"
        ),
    ),
    (
        "together are not read: give one of them",
        lambda: read("keras.optimizers.legacy.SGD(clipnorm=1.0, clipvalue=1.0)"),
        lambda: read("keras.optimizers.legacy.SGD(clipnorm=1.0)"),
    ),
    ("leave it out, and let the translated optimizer spare", lambda: read(MASKED), spared),
    (
        "{} with {} is none of ravine's schedules",
        lambda: read("optax.sgd(optax.linear_schedule(0.0, 0.1, 9))"),
        lambda: optax.inject_hyperparams(
            ravine.frameworks.optax.factory(read("optax.sgd(0.1)")[1])
        )(learning_rate=optax.linear_schedule(0.0, 0.1, 9)).init(jnp.ones(2)),
    ),
    (
        "{} is none of ravine's schedules: read are",
        lambda: read("optax.sgd(optax.warmup_constant_schedule(0.0, 0.1, 9))"),
        lambda: to_optax(
            read("optax.sgd(0.1)")[1], optax.warmup_constant_schedule(0.0, 0.1, 9)
        ).init(jnp.ones(2)),
    ),
    (
        "negate the loss, or use ravine.to_torch",
        lambda: read("torch.optim.SGD(params, maximize=True)"),
        uphill,
    ),
    ("state holds the states of", lambda: of_two(alone=False), lambda: of_two(alone=True)),
    ("a rule moves real numbers, not", lambda: with_counts(False), lambda: with_counts(True)),
    ("needs params: call update", lambda: updated(params=False), lambda: updated(params=True)),
    (
        "write a schedule as",
        lambda: read_schedule("cosine(adam)"),
        lambda: read_schedule("cosine(warmup=0.05)"),
    ),
    (
        "cannot read the {} {}: write them as",
        lambda: read_rules("sgd,"[::-1] + "("),
        lambda: read_rules("sgd,adam(beta_1=0.8)"),
    ),
    (
        "cannot read {} in {}: write {}",
        lambda: read_rule("adam(0.8)"),
        lambda: read_rule("adam(beta_1=0.8)"),
    ),
    (
        "holds another rule: write it as",
        lambda: read_rule("decay"),
        lambda: read_rule("decay(adam)"),
    ),
    (
        "{} is a hyperparameter of {}: write",
        lambda: read_rule("decay(adam, beta_1=0.8)"),
        lambda: read_rule("decay(adam(beta_1=0.8))"),
    ),
    (
        "is a rule for weights and one for biases: take its parts",
        lambda: javascript.literal(PARTED),
        lambda: [
            javascript.literal(one)
            for one in ravine.rules.wrappers.partition.parts(PARTED).values()
        ],
    ),
    (
        "use operators and ravine.ops: sqrt",
        lambda: trace(Rounding()),
        lambda: trace(Advised()),
    ),
    (
        "use ravine.ops.where(condition, x, y)",
        lambda: trace(Branching()),
        lambda: trace(Advised()),
    ),
    (
        "; use operators and ravine.ops alone",
        lambda: trace(Missing()),
        lambda: trace(Advised()),
    ),
    (
        "cannot read the unit",
        lambda: unit_powers("g*w"),
        lambda: [unit_powers(u) for u in ("w", "g^2", "w/g", "1/w", "w g")],
    ),
    (
        "cannot read the interval",
        lambda: Hyper("x", valid="positive").allows(1.0),
        lambda: [Hyper("x", valid=v).allows(0.5) for v in ("> 0", "[0, 1)")],
    ),
    (
        "give a number or an array: np.asarray(w)",
        lambda: SGD.update([1.0], 1.0, (), 1),
        lambda: SGD.update(np.asarray([1.0]), 1.0, (), 1),
    ),
    (
        "clip at what?",
        lambda: Clip(ADAM),
        lambda: [Clip(ADAM, **{n: 1.0}) for n in ("clipnorm", "clipvalue", "global_clipnorm")],
    ),
    (
        "have a learning rate and a biases_rate",
        lambda: Partition(ADAM, biases=ravine.SGD(learning_rate=0.5), biases_rate=2.0),
        lambda: [
            Partition(ADAM, biases=ravine.SGD(learning_rate=0.5)),
            Partition(ADAM, biases_rate=2.0),
        ],
    ),
    (
        "the biases would not follow that schedule",
        lambda: Partition(Scheduled(ADAM)),
        lambda: Scheduled(Partition(ADAM)),
    ),
    (
        "looks at the gradients of all arrays before",
        lambda: L2(Clip(ADAM, global_clipnorm=1.0)),
        lambda: Clip(L2(ADAM), global_clipnorm=1.0),
    ),
]
