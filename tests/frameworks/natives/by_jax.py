"""Walks in Optax, and in Keras on JAX: a compiled scan each."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from walking import Floats, Problem, built, loss

import ravine
from ravine.update_rule import Rule

set_flag: Any = jax.config.update
set_flag("jax_enable_x64", True)
# Compiling takes longer than walking.
set_flag("jax_disable_most_optimizations", True)
XP = SimpleNamespace(tanh=jnp.tanh, logsumexp=jax.nn.logsumexp, sum=jnp.sum)


def scanned(step: Callable[..., Any], memory: Any, problem: Problem, steps: int) -> Any:
    """The points of a walk; ``step`` takes weights, memory, gradients and t, from 0."""

    def one(walk: Any, given: Any) -> Any:
        weights, memory = walk
        t, slopes = given
        layers = weights[len(slopes) :]
        own = jax.grad(loss)(layers, problem.data, XP) if problem.data else []
        weights, memory = step(weights, memory, [*slopes, *own], t)
        return (weights, memory), jnp.concatenate([w.ravel() for w in weights])

    start = [jnp.asarray(w) for w in problem.start]
    return jax.lax.scan(one, (start, memory), (jnp.arange(steps), problem.slopes))[1]


def walked(make: Any, kinds: Sequence[Floats], problem: Problem) -> list[Floats]:
    """A line of code, or a function of a schedule, walked with each kind of factors."""

    @jax.jit
    def walk(factors: Any) -> Any:
        def rate(number: float) -> Callable[[Any], Any]:
            return lambda count: number * factors[count]

        if isinstance(make, str):
            optimizer = built(make, rate, optax=optax, ravine=_Changing(rate))
        else:
            optimizer = make(rate)

        def step(weights: Any, memory: Any, gradients: Any, t: Any) -> Any:
            updates, memory = optimizer.update(gradients, memory, weights)
            return optax.apply_updates(weights, updates), memory

        memory = optimizer.init([jnp.asarray(w) for w in problem.start])
        return scanned(step, memory, problem, len(factors))

    return [np.asarray(walk(jnp.asarray(factors))) for factors in kinds]


class _Changing:
    """Ravine, whose to_optax has a learning rate that changes."""

    def __init__(self, rate: Callable[[float], Any]) -> None:
        self.rate = rate

    def __getattr__(self, name: str) -> Any:
        return getattr(ravine, name)

    def to_optax(self, rule: Rule) -> Any:
        return ravines(rule)(self.rate)


def ravines(rule: Rule) -> Callable[[Any], Any]:
    return lambda rate: ravine.to_optax(rule, rate(rule.learning_rate))


def by_keras(optimizer: Any, factors: Floats, problem: Problem) -> Floats:
    rates = float(optimizer.learning_rate) * factors
    optimizer.build([keras.Variable(w, dtype="float64") for w in problem.start])
    place = [v is optimizer._learning_rate for v in optimizer.variables].index(True)

    def step(weights: Any, memory: Any, gradients: Any, t: Any) -> Any:
        memory = [*memory[:place], jnp.asarray(rates)[t], *memory[place + 1 :]]
        weights, memory = optimizer.stateless_apply(memory, gradients, weights)
        return list(weights), list(memory)

    @jax.jit
    def walk(memory: Any) -> Any:
        return scanned(step, memory, problem, len(factors))

    return np.asarray(walk([v.value for v in optimizer.variables]))
