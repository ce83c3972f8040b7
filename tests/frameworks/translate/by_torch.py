"""Walks in PyTorch, and in Keras on it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import torch
from walking import Floats, Problem, built, is_keras

# NAdam keeps its running product in the default type.
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def walked(line: str, kinds: Sequence[Floats], problem: Problem) -> list[Floats]:
    """The points of a line of code, with each kind of factors."""
    walk = by_keras if is_keras(line) else by_torch
    return [walk(line, factors, problem) for factors in kinds]


def by_torch(line: str, factors: Floats, problem: Problem) -> Floats:
    weights = [torch.tensor(w, requires_grad=True) for w in problem.start]
    optimizer = built(line, params=weights, torch=torch)
    rate, path = optimizer.param_groups[0]["lr"], []
    for t, factor in enumerate(factors):
        optimizer.param_groups[0]["lr"] = rate * float(factor)
        for w, slopes in zip(weights, problem.slopes, strict=True):
            w.grad = torch.tensor(slopes[t])
        optimizer.step()
        path.append(joined(weights))
    return np.array(path)


def by_keras(line: str, factors: Floats, problem: Problem) -> Floats:
    variables = [keras.Variable(w, dtype="float64") for w in problem.start]
    optimizer = built(line, keras=keras)
    rate, path = float(optimizer.learning_rate), []
    for t, factor in enumerate(factors):
        optimizer.learning_rate = rate * float(factor)
        optimizer.apply([torch.tensor(slopes[t]) for slopes in problem.slopes], variables)
        path.append(joined([v.value for v in variables]))
    return np.array(path)


def joined(weights: Sequence[Any]) -> Any:
    return torch.cat([w.detach().ravel() for w in weights]).numpy()
