"""Walks in Optax, and in Keras on JAX: a compiled step each."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from walking import Floats, Problem, built, flat, is_keras

import ravine
from ravine.rules.update_rule import Rule

set_flag: Any = jax.config.update
set_flag("jax_enable_x64", True)


def walked(line: str, kinds: Sequence[Floats], problem: Problem) -> list[Floats]:
    """The points of a line of code, with each kind of factors."""
    step, memory = (by_keras if is_keras(line) else by_optax)(line, problem)
    step = jax.jit(step)
    return [_path(step, memory, factors, problem) for factors in kinds]


def _path(step: Any, memory: Any, factors: Floats, problem: Problem) -> Floats:
    weights, path = [jnp.asarray(w) for w in problem.start], []
    for t, factor in enumerate(factors):
        weights, memory = step(weights, memory, [slopes[t] for slopes in problem.slopes], factor)
        path.append(flat(weights))
    return np.array(path)


def by_optax(line: str, problem: Problem) -> tuple[Callable[..., Any], Any]:
    """A step of weights, memory, gradients and the learning rate's factor; the first memory."""

    def at(factor: Any) -> Any:
        def rate(number: float) -> Callable[[Any], Any]:
            return lambda count: number * factor

        return built(line, rate, optax=optax, ravine=_Changing(rate))

    def step(weights: Any, memory: Any, gradients: Any, factor: Any) -> Any:
        updates, memory = at(factor).update(gradients, memory, weights)
        return optax.apply_updates(weights, updates), memory

    return step, at(1.0).init([jnp.asarray(w) for w in problem.start])


class _Changing:
    """Ravine, whose to_optax has a learning rate that changes."""

    def __init__(self, rate: Callable[[float], Any]) -> None:
        self.rate = rate

    def __getattr__(self, name: str) -> Any:
        return getattr(ravine, name)

    def to_optax(self, rule: Rule) -> Any:
        return ravine.to_optax(rule, self.rate(rule.learning_rate))


def by_keras(line: str, problem: Problem) -> tuple[Callable[..., Any], Any]:
    """The same of an optimizer of Keras."""
    optimizer = built(line, keras=keras)
    optimizer.build([keras.Variable(w, dtype="float64") for w in problem.start])
    memory = [v.value for v in optimizer.variables]
    place = [v is optimizer._learning_rate for v in optimizer.variables].index(True)
    rate = memory[place]

    def step(weights: Any, memory: Any, gradients: Any, factor: Any) -> Any:
        memory = [*memory[:place], rate * factor, *memory[place + 1 :]]
        weights, memory = optimizer.stateless_apply(memory, gradients, weights)
        return list(weights), list(memory)

    return step, memory
