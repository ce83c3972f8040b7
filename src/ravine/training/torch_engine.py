"""Races in PyTorch: runs of one rule as lanes under ``torch.func.vmap``, or one after another."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.func import grad_and_value, vmap
from torch.utils.flop_counter import FlopCounterMode

from ravine.frameworks.memory import over
from ravine.rules.update_rule import Rule
from ravine.tasks import settings
from ravine.tasks.adapters.module_network import AT_ONCE, ModuleNetwork, tensor, tensors
from ravine.tasks.adapters.pytree import leaves, mapped
from ravine.tasks.adapters.reference_evaluation import Scores
from ravine.training.evaluation_check import Evaluated, Evaluator
from ravine.training.programs import PerLane, Programs, Shape, measured, of_lane

__all__ = ["AT_ONCE"]  # rows of a split that are predicted in one call

clock = time.process_time  # as a worker has one thread
set_floats = settings.set_torch


class Lane(NamedTuple):
    """Everything about a run, or about some at once, that changes while it trains."""

    trainable: list[Any]
    state: list[Any]
    memory: list[Any]  # of the rule, one a trainable array
    alive: Any  # whether every training loss so far was finite


def network_of(task: Any) -> ModuleNetwork:
    """The task's module as functions of its weights."""
    set_floats(task.floats)
    found: ModuleNetwork = task.network()
    return found


def lanes(network: ModuleNetwork, drawn: Any, sample: Any) -> bool:
    """Whether ``vmap`` can take the module, whose draws, if it draws, are each run's own."""
    if network.random:
        return False
    two = [[torch.stack([one, one]) for one in tensors(group)] for group in drawn]
    batch = [mapped(lambda a: torch.stack([tensor(a)] * 2), part) for part in sample]
    try:
        vmap(grad_and_value(network.loss, has_aux=True), randomness="error")(*two, *batch)
    except Exception:  # whatever a module does that cannot be mapped, PyTorch has its own error
        return False
    return True


def export(
    network: ModuleNetwork, rule: Rule, shape: Shape, sample: Any, data: Any, anew: bool = False
) -> list[bytes]:
    """Nothing: every worker makes the programs of the rule with its own model."""
    return []


def load(exported: Sequence[bytes], network: Callable[[], ModuleNetwork], rule: Rule) -> Programs:
    """The programs of a rule."""
    return programs(network(), rule)


def programs(network: ModuleNetwork, rule: Rule) -> Programs:
    """The programs of a rule's structure: hyperparameters, seeds and rows are data."""

    def begin(hyper: Any, trainable: Any, state: Any, held_out: Any) -> Any:
        weights = tensors(trainable)
        width = len(weights[0])
        memory = _each(width, lambda w: [_as_tensors(rule.init(one), one) for one in w], weights)
        lane = Lane(weights, tensors(state), memory, torch.ones(width, dtype=torch.bool))
        measures = _measured(network, rule, hyper, lane, 0.0, held_out)
        return _flat(lane), measures

    def advance(hyper: Any, arrays: Any, span: Any, rows: Any, train: Any, held_out: Any) -> Any:
        # A copy, as whoever times a program begins again from the same arrays.
        lane = _nested(rule, [_copied(a) for a in arrays], network)
        taken, periods = float(span[0]), int(span[1])
        width, most, period, _ = rows.shape
        losses = np.full((width, most * period), np.nan, np.float32)
        splits, measures = measured(held_out), len(network.measures)
        found = np.full((width, most, splits, measures), np.nan, np.float32)
        step = _alone(network, rule, hyper) if width == 1 else _together(network, rule, hyper)
        for i in range(periods):
            for j in range(period):
                taken += 1
                batch = torch.from_numpy(np.asarray(rows[:, i, j], np.int64))
                lane, loss = step(lane, taken, batch, train)
                losses[:, i * period + j] = loss.numpy()
            found[:, i] = _measured(network, rule, hyper, lane, taken, held_out)
        return _flat(lane), losses, found

    return Programs(begin, advance)


Step = Callable[[Lane, float, Any, Any], tuple[Lane, Any]]


def _alone(network: ModuleNetwork, rule: Rule, hyper: dict[str, Any]) -> Step:
    """A step of one run: plain autograd, which is six times as quick as ``vmap`` of one."""
    r = rule.replace(_settings(hyper, 0))

    def step(lanes: Lane, t: float, rows: Any, train: Any) -> tuple[Lane, Any]:
        lane = _lane(lanes, 0)
        x, y = (mapped(lambda a: a[rows[0]], part) for part in train)
        with torch.no_grad():
            both = zip(lane.trainable, lane.memory, strict=True)
            ahead = [r.lookahead(w, m, t) for w, m in both]
        ahead = [w.detach().requires_grad_() for w in ahead]
        network.seed(lane.state, t)
        loss, state = network.loss(ahead, lane.state, x, y)
        gradients = torch.autograd.grad(loss, ahead, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            trainable, memory = _updated(r, lane, gradients, t)
            alive = lane.alive & torch.isfinite(loss)
            loss = torch.where(alive, loss.detach(), torch.nan)
        lane = Lane(trainable, [one.detach() for one in state], memory, alive)
        return _mapped(lambda a: a[None], lane), loss[None]

    return step


def _together(network: ModuleNetwork, rule: Rule, hyper: dict[str, Any]) -> Step:
    """A step of some runs at once."""
    slope = grad_and_value(network.loss, has_aux=True)

    def one(numbers: Any, arrays: Any, t: float, x: Any, y: Any) -> Any:
        r, lane = rule.replace(numbers), Lane(*arrays)
        both = zip(lane.trainable, lane.memory, strict=True)
        ahead = [r.lookahead(w, m, t) for w, m in both]
        gradients, (loss, state) = slope(ahead, lane.state, x, y)
        trainable, memory = _updated(r, lane, gradients, t)
        alive = lane.alive & torch.isfinite(loss)
        return (trainable, state, memory, alive), torch.where(alive, loss, torch.nan)

    every = vmap(one, in_dims=(0, 0, None, 0, 0))
    numbers = {name: torch.from_numpy(np.array(values)) for name, values in hyper.items()}

    def step(lane: Lane, t: float, rows: Any, train: Any) -> tuple[Lane, Any]:
        x, y = (mapped(lambda a: a[rows], part) for part in train)
        with torch.no_grad():
            arrays, loss = every(numbers, tuple(lane), t, x, y)
        return Lane(*arrays), loss

    return step


def _updated(r: Rule, lane: Lane, gradients: Any, t: float) -> tuple[list[Any], list[Any]]:
    together = r.together(list(gradients))
    stepped = [
        r.update(w, g, m, t) for w, g, m in zip(lane.trainable, together, lane.memory, strict=True)
    ]
    return [w for w, _ in stepped], [_as_tensors(m, w) for w, m in stepped]


def _measured(
    network: ModuleNetwork, rule: Rule, hyper: Any, lanes: Lane, t: float, held_out: Any
) -> Any:
    """Loss and metrics of each run on each split, lane after lane; NaN of a dead one."""
    found = []
    for i in range(len(lanes.alive)):
        lane, r = _lane(lanes, i), rule.replace(_settings(hyper, i))
        with torch.no_grad():
            both = zip(lane.trainable, lane.memory, strict=True)
            weights = [r.read(w, m, t) for w, m in both]
            network.seed(lane.state, 0)
            splits = of_lane(held_out, i)
            scores = [one for split in splits for one in _scores(network, weights, lane, *split)]
            found.append(torch.where(lane.alive, torch.stack(scores), torch.nan).numpy())
    return np.stack(found)


def _scores(
    network: ModuleNetwork, weights: Any, lane: Lane, x: Any, y: Any, blocks: Any = ()
) -> list[Any]:
    """Loss and metrics of a split, then of each block of its rows."""
    output = network.predict(weights, lane.state, x)

    def of(at: Any) -> Any:
        part = torch.utils._pytree.tree_map(lambda a: a[at], output)  # the nest of the module
        return network.score(mapped(itemgetter(at), y), part)

    return [network.score(y, output), *map(of, blocks)]


def memory(program: Any) -> float:
    """Bytes that a program needs at once: nobody knows before it ran."""
    return 0.0


def learned(
    rule: Rule, leaves: Sequence[Any], drawn: Any, taken: int, network: Any = None
) -> tuple[list[Any], Any]:
    """The weights that one lane is judged by, and its state, after the steps taken."""
    arrays = [torch.as_tensor(np.array(a))[None] for a in leaves]
    lane = _lane(_shaped(rule, arrays, len(drawn[0]), len(drawn[1])), 0)
    both = zip(lane.trainable, lane.memory, strict=True)
    weights = [rule.read(w, m, float(taken)).numpy() for w, m in both]
    return weights, [one.numpy() for one in lane.state]


def resident(data: Any) -> Any:
    """The splits as tensors."""
    train, held_out = data
    return _tensors(train), [_tensors(split) for split in held_out]


def by_lane(lanes: Sequence[Any]) -> PerLane:
    """What is held out of lanes that have each splits of their own."""
    return PerLane([[_tensors(split) for split in lane] for lane in lanes])


def _tensors(split: Any) -> Any:
    return tuple(mapped(tensor, part) for part in split)


def operations(network: ModuleNetwork, drawn: Any, batch: tuple[Any, Any]) -> float:
    """The floating point operations of a loss and its gradient on a batch, as PyTorch counts."""
    counter = FlopCounterMode(display=False)
    # By module they are not wanted, and the hooks for that fail over parameters that are inputs.
    counter.mod_tracker = _Everywhere()  # type: ignore[assignment]  # all that is asked of one
    with counter as counted:
        _slopes(network, drawn, batch)
    return float(counted.get_total_flops())


def evaluator(network: ModuleNetwork, held_out: Any, training: Any, rows: int) -> Evaluator:
    """What a race computes of a few rows, as a function of weights and state."""
    (x, y), batch = _tensors(held_out), _tensors(training)
    theirs = network.framework_scores(held_out, training)

    def at(trainable: Sequence[Any], state: Sequence[Any]) -> tuple[Evaluated, Scores]:
        weights, held = tensors(trainable), tensors(state)
        scores = []
        for at_once in (rows, len(leaves(x)[0])):
            network.seed(held, 0)
            scores.append(network.score(y, network.predict(weights, held, x, at_once)).numpy())
        network.seed(held, 1)
        with torch.no_grad():
            loss, _ = network.loss(weights, held, *batch)
        pieces, whole = scores
        return Evaluated(pieces, whole, float(loss)), theirs(trainable, state)

    return at


class _Everywhere(nullcontext[None]):
    """Of which module an operation is: of all."""

    parents = frozenset({"Global"})


def slopes(network: ModuleNetwork, drawn: Any, batch: tuple[Any, Any]) -> list[float]:
    """The root mean square of the loss's gradient, over each trainable array."""
    return [float(g.square().mean().sqrt()) for g in _slopes(network, drawn, batch)]


def _slopes(network: ModuleNetwork, drawn: Any, batch: tuple[Any, Any]) -> Any:
    trainable = [w.requires_grad_() for w in tensors(drawn[0])]
    state, (x, y) = tensors(drawn[1]), _tensors(batch)
    network.seed(state, 1)
    loss, _ = network.loss(trainable, state, x, y)
    return torch.autograd.grad(loss, trainable, allow_unused=True, materialize_grads=True)


def _settings(hyper: dict[str, Any], lane: int) -> dict[str, float]:
    return {name: float(values[lane]) for name, values in hyper.items()}


def _each(width: int, function: Callable[[Any], list[Any]], weights: list[Any]) -> list[Any]:
    """What a function makes of each lane's weights, stacked."""
    lanes = [function([w[i] for w in weights]) for i in range(width)]
    return [_stacked(same) for same in zip(*lanes, strict=True)]


def _stacked(memories: Sequence[Any]) -> Any:
    every: list[list[Any]] = []
    for one in memories:
        found: list[Any] = []
        over(one, lambda _, x, found=found: found.append(x))  # type: ignore[misc]  # at once
        every.append(found)
    columns = iter([torch.stack(same) for same in zip(*every, strict=True)])
    return over(memories[0], lambda _, x: next(columns))


def _as_tensors(memory: Any, w: Any) -> Any:
    """A rule may keep a plain number; what is carried is tensors."""
    return over(memory, lambda _, x: torch.as_tensor(x, dtype=w.dtype))


def _mapped(function: Callable[[Any], Any], lane: Lane) -> Lane:
    memory = [over(one, lambda _, x: function(x)) for one in lane.memory]
    trainable, state = ([function(a) for a in part] for part in (lane.trainable, lane.state))
    return Lane(trainable, state, memory, function(lane.alive))


def _lane(lanes: Lane, i: int) -> Lane:
    return _mapped(lambda a: a[i], lanes)


def _flat(lane: Lane) -> list[Any]:
    held: list[Any] = []
    for one in lane.memory:
        over(one, lambda _, x: held.append(x))
    return [*lane.trainable, *lane.state, *held, lane.alive]


def _copied(array: Any) -> Any:
    return array.clone() if isinstance(array, torch.Tensor) else torch.from_numpy(np.array(array))


def _nested(rule: Rule, arrays: list[Any], network: ModuleNetwork) -> Lane:
    return _shaped(rule, arrays, len(network.names), network.held)


def _shaped(rule: Rule, arrays: list[Any], trained: int, held: int) -> Lane:
    """What ``_flat`` laid out, of so many trained arrays and so many that are not."""
    trainable, state = arrays[:trained], arrays[trained : trained + held]
    rest = iter(arrays[trained + held :])
    memory = [over(rule.init(w[0]), lambda _, x: next(rest)) for w in trainable]
    return Lane(trainable, state, memory, next(rest))
