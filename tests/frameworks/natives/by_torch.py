"""Walks in PyTorch, and in Keras on it."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import torch
from walking import Floats, Problem, built, loss

import ravine
from ravine.update_rule import Rule

# NAdam keeps its running product in the default type.
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
XP = SimpleNamespace(tanh=torch.tanh, logsumexp=torch.logsumexp, sum=torch.sum)


def walk(
    weights: list[torch.Tensor],
    step: Callable[[int, list[torch.Tensor]], Any],
    steps: int,
    problem: Problem,
) -> Floats:
    slopes = [torch.tensor(x) for x in problem.slopes]
    data = [torch.tensor(x) for x in problem.data] if problem.data else None
    path = []
    for t in range(steps):
        gradients = [x[t] for x in slopes]
        if data:
            layers = weights[len(slopes) :]
            gradients += torch.autograd.grad(loss(layers, data, XP), layers)
        step(t, gradients)
        path.append(torch.cat([w.detach().ravel() for w in weights]).numpy())
    return np.array(path)


def walked(make: Any, kinds: Sequence[Floats], problem: Problem) -> list[Floats]:
    """A line of code, or a function of parameters, walked with each kind of factors."""
    return [_walked(make, factors, problem) for factors in kinds]


def _walked(make: Any, factors: Floats, problem: Problem) -> Floats:
    weights = [torch.tensor(w, requires_grad=True) for w in problem.start]
    optimizer = built(make, params=weights, torch=torch) if isinstance(make, str) else make(weights)
    rate = optimizer.param_groups[0]["lr"]

    def step(t: int, gradients: list[torch.Tensor]) -> None:
        optimizer.param_groups[0]["lr"] = rate * float(factors[t])
        for w, g in zip(weights, gradients, strict=True):
            w.grad = g
        optimizer.step()

    return walk(weights, step, len(factors), problem)


def ravines(rule: Rule) -> Callable[[Any], Any]:
    return lambda params: ravine.to_torch(rule, params)


def by_keras(optimizer: Any, factors: Floats, problem: Problem) -> Floats:
    variables = [keras.Variable(w, dtype="float64") for w in problem.start]
    rate = float(optimizer.learning_rate)

    def step(t: int, gradients: list[torch.Tensor]) -> None:
        optimizer.learning_rate = rate * float(factors[t])
        optimizer.apply(gradients, variables)

    return walk([v.value for v in variables], step, len(factors), problem)
