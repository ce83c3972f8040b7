"""The same arithmetic as in frameworks that we did not write, in float64 over 300 steps."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch

from ravine.frameworks.optax import to_optax
from ravine.rules import SGD, Adam, Momentum, Nesterov
from ravine.rules.schedules import SCHEDULES
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import L2, Clip, Decay, Partition, Scheduled

pytestmark = pytest.mark.usefixtures("compiled_quickly")
STEPS = 300
HESSIAN = np.array([[10.0, 2.0], [2.0, 6.0]])
SHARE = 0.1  # of the steps to warm up


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def start() -> dict[str, Any]:
    return {"kernel": np.array([[1.0, -0.5], [0.25, 2.0]]), "bias": np.array([0.75, -1.5])}


def slope(params: dict[str, Any], t: int) -> dict[str, Any]:
    """Of a bowl that is shaken: gradients never settle, and are sometimes long."""
    shake = np.random.default_rng(t).normal(size=2) * (5 if t % 7 == 0 else 0.5)
    return {name: np.asarray(w) @ HESSIAN + shake for name, w in params.items()}


def by_rule(rule: Rule) -> dict[str, Any]:
    params = start()
    states = {name: rule.init(w) for name, w in params.items()}
    for t in range(1, STEPS + 1):
        ahead = {name: rule.lookahead(w, states[name], t) for name, w in params.items()}
        found = slope(ahead, t)
        gradients = dict(zip(found, rule.together(list(found.values())), strict=True))
        for name, w in params.items():
            params[name], states[name] = rule.update(w, gradients[name], states[name], t)
    return params


def by_optax(native: optax.GradientTransformation) -> dict[str, Any]:
    params = jax.tree.map(jnp.asarray, start())
    state = native.init(params)
    update = jax.jit(native.update)
    for t in range(1, STEPS + 1):
        updates, state = update(jax.tree.map(jnp.asarray, slope(params, t)), state, params)
        params = optax.apply_updates(params, updates)
    return dict(params)


def by_torch(
    make: Callable[[dict[str, Any]], torch.optim.Optimizer],
    clip: Callable[[Any], Any] | None = None,
) -> dict[str, Any]:
    params = {name: torch.tensor(w, requires_grad=True) for name, w in start().items()}
    native = make(params)
    for t in range(1, STEPS + 1):
        for name, g in slope({name: w.detach().numpy() for name, w in params.items()}, t).items():
            params[name].grad = torch.tensor(g)
        if clip is not None:
            clip(params.values())
        native.step()
    return {name: w.detach().numpy() for name, w in params.items()}


def assert_close(found: dict[str, Any], expected: dict[str, Any], rtol: float = 1e-11) -> None:
    # What rounding leaves over 300 steps of a path that contracts.
    for name, x in expected.items():
        np.testing.assert_allclose(np.asarray(found[name]), np.asarray(x), rtol=rtol)


RATE, LAMBDA = 0.03, 0.1


def test_decay_of_adam_is_adamw() -> None:
    ours = by_rule(Decay(Adam(learning_rate=RATE), weight_decay=LAMBDA))
    assert_close(ours, by_optax(optax.adamw(RATE, weight_decay=LAMBDA)))
    assert_close(
        ours, by_torch(lambda p: torch.optim.AdamW(p.values(), lr=RATE, weight_decay=LAMBDA))
    )


def test_decay_of_momentum_is_sgdw() -> None:
    ours = by_rule(Decay(Momentum(learning_rate=RATE, dampening=0), weight_decay=LAMBDA))
    native = optax.chain(
        optax.trace(0.9), optax.add_decayed_weights(LAMBDA), optax.scale_by_learning_rate(RATE)
    )
    assert_close(ours, by_optax(native))


def test_l2_is_the_weight_decay_of_pytorch() -> None:
    for rule, kind, more in [
        (Adam(learning_rate=RATE), torch.optim.Adam, {}),
        (Momentum(learning_rate=RATE, dampening=0), torch.optim.SGD, {"momentum": 0.9}),
    ]:
        ours = by_rule(L2(rule, weight_decay=LAMBDA))
        native = by_torch(
            lambda p: kind(p.values(), lr=RATE, weight_decay=LAMBDA, **more)  # noqa: B023
        )
        assert_close(ours, native)


def test_clip_by_value() -> None:
    ours = by_rule(Clip(Adam(learning_rate=RATE), clipvalue=0.5))
    assert_close(ours, by_optax(optax.chain(optax.clip(0.5), optax.adam(RATE))))


def test_clip_by_the_norm_of_each_array() -> None:
    ours = by_rule(Clip(Adam(learning_rate=RATE), clipnorm=0.5))

    def each(params: Any) -> None:
        for p in params:
            torch.nn.utils.clip_grad_norm_([p], 0.5)

    # PyTorch adds 1e-6 to the norm, of which Adam feels the changes alone.
    native = by_torch(lambda p: torch.optim.Adam(p.values(), lr=RATE), each)
    assert_close(ours, native, rtol=1e-5)


def test_clip_by_the_norm_of_all() -> None:
    for rule, native in [
        (Adam(learning_rate=RATE), optax.adam(RATE)),
        (SGD(learning_rate=RATE), optax.sgd(RATE)),
    ]:
        ours = by_rule(Clip(rule, global_clipnorm=1.5))
        assert_close(ours, by_optax(optax.chain(optax.clip_by_global_norm(1.5), native)))
    theirs = by_torch(
        lambda p: torch.optim.SGD(p.values(), lr=RATE),
        lambda params: torch.nn.utils.clip_grad_norm_(list(params), 1.5),
    )
    assert_close(ours, theirs, rtol=1e-5)  # the 1e-6 again


def test_partition_by_the_parts_of_others() -> None:
    ours = by_rule(Partition(Momentum(learning_rate=RATE, dampening=0), biases=SGD(0.07)))
    labels = {"kernel": "heavy", "bias": "plain"}
    parts = {"heavy": optax.sgd(RATE, momentum=0.9), "plain": optax.sgd(0.07)}
    assert_close(ours, by_optax(optax.multi_transform(parts, labels)))
    groups = by_torch(
        lambda p: torch.optim.SGD(
            [{"params": [p["kernel"]], "momentum": 0.9}, {"params": [p["bias"]], "lr": 0.07}],
            lr=RATE,
        )
    )
    assert_close(ours, groups)


def warmed(after: Callable[[int], Any]) -> Any:
    """Optax's way to our warm-up: T·share steps, the first of which counts."""
    steps = round(STEPS * SHARE)
    ramp = optax.linear_schedule(1 / steps, 1.0, steps - 1)
    return optax.join_schedules([ramp, after(STEPS - steps)], [steps])


OPTAX: dict[str, Callable[[int], Any]] = {
    "constant": lambda steps: optax.constant_schedule(1.0),
    "linear": lambda steps: optax.linear_schedule(1.0, 0.0, steps),
    "cosine": lambda steps: optax.cosine_decay_schedule(1.0, steps),
    "exponential": lambda steps: optax.exponential_decay(1.0, steps, 0.01),
    "step": lambda steps: optax.piecewise_constant_schedule(
        1.0, {steps // 2: 0.1, steps // 2 + steps // 4: 0.1}
    ),
}


def factors(**given: Any) -> list[float]:
    rule = Scheduled(SGD(learning_rate=1.0), steps=STEPS, **given)
    return [float(rule.rate(0.0, t)) for t in range(1, STEPS + 1)]


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "inverse"])  # has none
def test_schedules_are_those_of_optax(name: str) -> None:
    counts = jnp.arange(STEPS)
    native = jax.vmap(OPTAX[name](STEPS))(counts)
    np.testing.assert_allclose(factors(schedule=name), native, rtol=1e-12, atol=1e-15)
    if name != "step":  # whose borders would lie between steps
        native = jax.vmap(warmed(OPTAX[name]))(counts)
        found = factors(schedule=name, warmup=SHARE)
        np.testing.assert_allclose(found, native, rtol=1e-11, atol=1e-15)


def test_schedules_are_those_of_keras() -> None:
    # Keras calculates these in float32: near its end the cosine keeps seven digits of one.
    kinds = keras.optimizers.schedules
    for given, native in [
        ({"schedule": "cosine"}, kinds.CosineDecay(1.0, STEPS)),
        ({"schedule": "cosine", "end": 0.1}, kinds.CosineDecay(1.0, STEPS, alpha=0.1)),
        ({"schedule": "linear", "end": 0.1}, kinds.PolynomialDecay(1.0, STEPS, 0.1)),
        ({"schedule": "exponential", "end": 0.1}, kinds.ExponentialDecay(1.0, STEPS, 0.1)),
        ({"schedule": "inverse", "end": 0.1}, kinds.InverseTimeDecay(1.0, STEPS, 9.0)),
    ]:
        theirs = jax.vmap(native)(jnp.arange(STEPS))
        np.testing.assert_allclose(factors(**given), theirs, atol=2e-6)


def test_a_scheduled_rule_walks_as_optax_does() -> None:
    ours = by_rule(Scheduled(Decay(Adam(learning_rate=RATE), weight_decay=LAMBDA), steps=STEPS))
    native = optax.cosine_decay_schedule(RATE, STEPS)
    assert_close(ours, by_optax(optax.adamw(native, weight_decay=LAMBDA)))


@pytest.mark.parametrize(
    "rule",
    [
        Decay(Adam(learning_rate=RATE), weight_decay=LAMBDA),
        L2(Nesterov(learning_rate=RATE), weight_decay=LAMBDA),
        Clip(Nesterov(learning_rate=RATE), global_clipnorm=1.5),
        Clip(Adam(learning_rate=RATE), clipnorm=0.5, clipvalue=0.25),
        Partition(Nesterov(learning_rate=RATE), biases=Adam()),
        Scheduled(Partition(Nesterov(learning_rate=RATE)), steps=STEPS, warmup=0.1),
    ],
    ids=str,
)
def test_as_a_native_of_optax_it_is_the_same(rule: Rule) -> None:
    """The adapter holds the point ahead; where the rule looks ahead, its gradient is there."""
    from ravine.frameworks.optax import settled

    native = to_optax(rule)
    params = jax.tree.map(jnp.asarray, start())
    state = native.init(params)
    update = jax.jit(native.update)
    for t in range(1, STEPS + 1):
        updates, state = update(jax.tree.map(jnp.asarray, slope(params, t)), state, params)
        params = optax.apply_updates(params, updates)
    assert_close(settled(rule, params, state), by_rule(rule))


def test_optax_leaves_what_is_masked_out_of_the_norm() -> None:
    rule = Clip(SGD(learning_rate=1.0), global_clipnorm=5.0)
    native = optax.masked(to_optax(rule), {"kernel": True, "bias": False})
    params = {"kernel": jnp.zeros((1, 2)), "bias": jnp.zeros(1)}
    gradients = {"kernel": jnp.array([[6.0, 8.0]]), "bias": jnp.array([1e9])}
    updates, _ = native.update(gradients, native.init(params), params)
    np.testing.assert_allclose(updates["kernel"], [[-3.0, -4.0]])


def test_every_hyperparameter_can_be_injected() -> None:
    from ravine.frameworks.optax import factory

    rule = Scheduled(Clip(Decay(Partition(Adam(), biases=Momentum())), global_clipnorm=1.5))
    make = optax.inject_hyperparams(factory(rule))
    native = make(learning_rate=optax.linear_schedule(0.1, 0.05, STEPS), steps=200.0)
    params = jax.tree.map(jnp.asarray, start())
    state = native.init(params)
    for t in range(1, 4):
        gradients = jax.tree.map(jnp.asarray, slope(params, t))
        updates, state = native.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
    assert float(state.hyperparams["steps"]) == 200
    assert all(np.isfinite(w).all() for w in params.values())
