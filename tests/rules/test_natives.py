"""Every rule against the same algorithm as PyTorch and Optax wrote it, in float64.

300 steps with an epsilon that is felt, and a learning rate that changes wherever the two stay one
algorithm under that. The gradient depends on where it is taken, plus noise that both sides share.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from numpy.typing import NDArray

from ravine.rules import RULES, SGD, Adagrad, Adam, AdamW, Momentum, Nadam, Nesterov, RMSprop
from ravine.rules.update_rule import Rule

STEPS = 300
START = np.array([1.0, -0.5, 0.25])
HESSIAN = np.array([[10.0, 2.0, 0.0], [2.0, 6.0, -1.0], [0.0, -1.0, 0.5]])
NOISE = np.random.default_rng(0).normal(size=(STEPS, 3))
CONSTANT = np.full(STEPS, 0.05)
CHANGING = 0.05 * (1 + 0.5 * np.sin(np.arange(STEPS)))

Path = NDArray[np.float64]
Native = Callable[[Sequence[float]], Path]


def slope(w: Any, t: int) -> Any:
    """The gradient of step t, from 1."""
    return HESSIAN @ np.asarray(w) + NOISE[t - 1]


class Pairing(NamedTuple):
    """A rule, and an implementation of it that we did not write."""

    rule: Rule
    native: Native
    rates: NDArray[np.float64] = CHANGING


def with_torch(
    make: Callable[..., torch.optim.Optimizer], first_gradient: float = 1, **arguments: Any
) -> Native:
    """The weights that an optimizer of PyTorch stores, before step one and after each."""

    def walk(rates: Sequence[float]) -> Path:
        w = torch.nn.Parameter(torch.tensor(START))
        optimizer = make([w], lr=1.0, **arguments)
        path = [START]
        for t, rate in enumerate(rates, 1):
            optimizer.param_groups[0]["lr"] = float(rate)
            w.grad = torch.tensor(slope(path[-1], t) * (first_gradient if t == 1 else 1))
            optimizer.step()
            path.append(w.detach().numpy().copy())
        return np.array(path)

    return walk


def with_optax(make: Callable[[Any], optax.GradientTransformation]) -> Native:
    """The weights under an optimizer of Optax, before step one and after each."""

    def walk(rates: Sequence[float]) -> Path:
        with jax.enable_x64(True):
            schedule = jnp.asarray(rates)
            optimizer = make(lambda count: schedule[count])
            w = jnp.asarray(START)
            state, path, update = optimizer.init(w), [START], jax.jit(optimizer.update)
            for t in range(1, len(rates) + 1):
                updates, state = update(jnp.asarray(slope(w, t)), state, w)
                w = optax.apply_updates(w, updates)
                path.append(np.asarray(w))
            return np.array(path)

    return walk


SHARED = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.5}
PAIRINGS = {
    "sgd, torch": Pairing(SGD(), with_torch(torch.optim.SGD)),
    # The mean form. PyTorch leaves the first gradient undampened, so it is handed a dampened one.
    "momentum, torch": Pairing(
        Momentum(momentum=0.8),
        with_torch(torch.optim.SGD, first_gradient=1 - 0.8, momentum=0.8, dampening=0.8),
    ),
    "momentum, optax": Pairing(
        Momentum(momentum=0.8),
        with_optax(
            lambda rate: optax.chain(
                optax.ema(0.8, debias=False), optax.scale_by_learning_rate(rate)
            )
        ),
    ),
    "momentum as a sum, torch": Pairing(
        Momentum(momentum=0.8, dampening=0), with_torch(torch.optim.SGD, momentum=0.8)
    ),
    "momentum as a sum, optax": Pairing(
        Momentum(momentum=0.8, dampening=0), with_optax(lambda rate: optax.sgd(rate, 0.8))
    ),
    # What the natives store is our point ahead. It moves by the rate of one step, ours by that of
    # the next: one path as long as the rate stays. The mean form's rate is (1 − β) times smaller.
    "nesterov as a sum, torch": Pairing(
        Nesterov(momentum=0.8, dampening=0),
        with_torch(torch.optim.SGD, momentum=0.8, nesterov=True),
        CONSTANT,
    ),
    "nesterov, optax": Pairing(
        Nesterov(momentum=0.8),
        with_optax(lambda rate: optax.sgd(lambda t: (1 - 0.8) * rate(t), 0.8, nesterov=True)),
        CONSTANT,
    ),
    "adagrad, optax": Pairing(
        Adagrad(initial_accumulator_value=0.1, epsilon=0.5),
        with_optax(lambda rate: optax.adagrad(rate, initial_accumulator_value=0.1, eps=0.5)),
    ),
    "adagrad, torch": Pairing(
        Adagrad(initial_accumulator_value=0.1, epsilon=0, epsilon_outside=0.5),
        with_torch(torch.optim.Adagrad, initial_accumulator_value=0.1, eps=0.5),
    ),
    "rmsprop, torch": Pairing(
        RMSprop(rho=0.8, epsilon=0, epsilon_outside=0.5),
        with_torch(torch.optim.RMSprop, alpha=0.8, eps=0.5),
    ),
    "rmsprop, optax": Pairing(
        RMSprop(rho=0.8, epsilon=0.5),
        with_optax(lambda rate: optax.rmsprop(rate, decay=0.8, eps=0.5, eps_in_sqrt=True)),
    ),
    "adam, torch": Pairing(
        Adam(**SHARED), with_torch(torch.optim.Adam, betas=(0.8, 0.95), eps=0.5)
    ),
    "adam, optax": Pairing(
        Adam(**SHARED), with_optax(lambda rate: optax.adam(rate, b1=0.8, b2=0.95, eps=0.5))
    ),
    "adamw, torch": Pairing(
        AdamW(**SHARED, weight_decay=0.3),
        with_torch(torch.optim.AdamW, betas=(0.8, 0.95), eps=0.5, weight_decay=0.3),
    ),
    "adamw, optax": Pairing(
        AdamW(**SHARED, weight_decay=0.3),
        with_optax(lambda rate: optax.adamw(rate, b1=0.8, b2=0.95, eps=0.5, weight_decay=0.3)),
    ),
    **{
        f"nadam, torch, {decay:g}": Pairing(
            Nadam(**SHARED, momentum_decay=decay),
            with_torch(torch.optim.NAdam, betas=(0.8, 0.95), eps=0.5, momentum_decay=decay),
        )
        for decay in (4e-3, 1.0)
    },
}


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    """PyTorch keeps NAdam's running product in the default type, float32 unless told otherwise."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def ours(rule: Rule, rates: Sequence[float]) -> Path:
    """The points at which a rule takes its gradients, and would take the next, in NumPy.

    That other libraries give NumPy's numbers is in test_contract.py.
    """
    w = START
    state, path = rule.init(w), []
    for t, rate in enumerate(rates, 1):
        rule = rule.replace({"learning_rate": float(rate)})
        path.append(rule.lookahead(w, state, t))
        w, state = rule.update(w, slope(path[-1], t), state, t)
    path.append(rule.lookahead(w, state, len(rates) + 1))
    return np.array([np.asarray(w) for w in path])


@pytest.mark.parametrize("pairing", PAIRINGS.values(), ids=PAIRINGS)
def test_a_rule_walks_the_path_of_the_native(pairing: Pairing) -> None:
    expected = pairing.native(pairing.rates)
    assert np.abs(expected[-1] - expected[-2]).max() > 1e-4  # the noise keeps everyone moving
    found = ours(pairing.rule, pairing.rates)
    # Weights are of order one and the order of operations differs, so every step rounds off some
    # 1e-16; paths that forget where they came from do not add that up. Measured: 8e-16.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_every_rule_has_a_native_to_compare_with() -> None:
    assert {type(pairing.rule) for pairing in PAIRINGS.values()} == set(RULES.values())
