"""PyTorch: the loop that everybody writes, with fused Adam; and torch.func's vmap over lanes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, linear, relu

from peers.setting import EPSILON, RATE, Curve, Setting


def prepare(setting: Setting, lanes: int = 0) -> Callable[[list[int]], list[Curve]]:
    """Eager where ``lanes`` is 0."""
    torch.set_num_threads(1)
    x, y = (torch.from_numpy(a) for a in setting.train)
    y = y.long()
    held_out = [(torch.from_numpy(a), torch.from_numpy(b).long()) for a, b in setting.held_out]
    rows = {s: torch.from_numpy(r).long() for s, r in setting.rows.items()}
    period = setting.period

    def eager(seed: int) -> Curve:
        model = network(setting.subject.width, setting.weights[seed])
        adam = torch.optim.Adam(model.parameters(), lr=RATE, eps=EPSILON, fused=True)
        losses, measures = [], []
        for t, batch in enumerate(rows[seed], 1):
            adam.zero_grad()
            loss = cross_entropy(model(x[batch]), y[batch])
            torch.autograd.backward(loss)
            adam.step()
            losses.append(loss.detach())
            if t % period == 0:
                with torch.inference_mode():
                    measures.append(torch.stack([cross_entropy(model(a), b) for a, b in held_out]))
        return Curve(torch.stack(losses).numpy(), torch.stack(measures).numpy())

    slope = torch.func.vmap(torch.func.grad_and_value(loss_of))
    measure = torch.func.vmap(loss_of, in_dims=(0, None, None))

    def together(seeds: list[int]) -> list[Curve]:
        padded = seeds + seeds[-1:] * (lanes - len(seeds))
        drawn = [np.stack(s) for s in zip(*(setting.weights[s] for s in padded), strict=True)]
        weights = [torch.from_numpy(w) for w in drawn]
        # Element by element: it does not know that its parameters are 32 networks'.
        adam = torch.optim.Adam(weights, lr=RATE, eps=EPSILON, fused=True)
        order = torch.stack([rows[s] for s in padded], 1)
        losses, measures = [], []
        with torch.no_grad():
            for t, batch in enumerate(order, 1):
                gradients, loss = slope(tuple(weights), x[batch], y[batch])
                for w, g in zip(weights, gradients, strict=True):
                    w.grad = g
                adam.step()
                losses.append(loss)
                if t % period == 0:
                    splits = [measure(tuple(weights), a, b) for a, b in held_out]
                    measures.append(torch.stack(splits, 1))
        curves = zip(torch.stack(losses, 1).numpy(), torch.stack(measures, 1).numpy(), strict=True)
        return [Curve(*curve) for curve in curves][: len(seeds)]

    if lanes:
        return together
    return lambda seeds: [eager(seed) for seed in seeds]


def network(width: int, weights: list[Any]) -> torch.nn.Module:
    """Its kernels are the others' transposed."""
    linears = [torch.nn.Linear(64, width), torch.nn.Linear(width, width)]
    linears.append(torch.nn.Linear(width, 10))
    with torch.no_grad():
        for layer, kernel, bias in zip(linears, weights[::2], weights[1::2], strict=True):
            layer.weight.copy_(torch.from_numpy(kernel.T))
            layer.bias.copy_(torch.from_numpy(bias))
    first, second, last = linears
    return torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), last)


def loss_of(weights: Any, x: Any, y: Any) -> Any:
    """Mean loss of one lane."""
    w1, b1, w2, b2, w3, b3 = weights
    hidden = relu(linear(relu(linear(x, w1.T, b1)), w2.T, b2))
    return cross_entropy(linear(hidden, w3.T, b3), y)
