"""Any rule as a PyTorch optimizer.

The parameters are where the next gradient belongs: the weights themselves or, for a rule with a
lookahead, the point ahead. The state then keeps the offset between the two, so that whatever else
moves the parameters (a clamp, another file's weights) moves the weights along.
"""

import contextlib
import functools
import itertools
import numbers
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ravine.errors import InvalidArgument, RavineError, install
from ravine.frameworks.groups import Group, decayed
from ravine.frameworks.memory import over
from ravine.frameworks.spelling import read_rule
from ravine.rules.update_rule import Array, Rule, State

try:
    import torch
    from torch.optim.optimizer import ParamsT, StateDict
except ModuleNotFoundError as missing:
    raise RavineError(f"to_torch needs PyTorch: {install('torch')}") from missing

from ravine.frameworks.flat_view import Part
from ravine.frameworks.fused_stepper import FusedStepper


def to_torch(
    rule: str | type[Rule] | Rule,
    params: ParamsT,
    *,
    maximize: bool = False,
    compile: bool = False,  # noqa: A002  # as PyTorch's users would call it
) -> "RuleOptimizer":
    """The rule as a native optimizer of tensors, named tensors or parameter groups.

    A group may set every hyperparameter, under the rule's own name for it; only the learning rate
    is called ``lr``, as PyTorch's schedulers know it. PyTorch's own words (``betas``, ``eps``,
    ``alpha``, ``weight_decay``) mean there what they mean to its optimizers; a word that the rule
    has no place for, or a value that it does not allow, is a ``InvalidArgument``. Parameters are
    real; those of 16 bits have state and arithmetic in float32.

    With ``compile`` a step costs about what PyTorch's fused optimizers do, once some seconds were
    spent in ``torch.compile``. That needs a C++ compiler (on a GPU, Triton); where there is none,
    and for rules that do more with an array than with each of its numbers alone, all is as
    without. Weights may differ in the last bit.

    >>> import ravine, torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> groups = [{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.1, "beta_1": 0.8}]
    >>> optimizer = to_torch(ravine.Adam(learning_rate=0.01), groups)
    >>> layer(torch.ones(2)).backward()
    >>> optimizer.step()
    >>> [group["lr"] for group in optimizer.param_groups]
    [0.01, 0.1]
    """
    return RuleOptimizer(read_rule(rule), params, maximize=maximize, compile=compile)


class RuleOptimizer(torch.optim.Optimizer):
    """What :func:`to_torch` makes; ``self.state[p]`` has ``step``, ``memory.m``, ``memory.v`` etc.

    With a rule that looks ahead, ``step`` leaves the parameters at the point ahead under the
    present rates, as the first gradient is taken at the parameters as they come. A scheduler sets
    the next rate only afterwards: :meth:`look_ahead` then moves the parameters to precisely where
    the rule wants its gradient, and ``step(closure)`` does that by itself.
    """

    def __init__(
        self,
        rule: Rule,
        params: ParamsT,
        *,
        maximize: bool = False,
        compile: bool = False,  # noqa: A002  # as in to_torch
    ) -> None:
        self.rule = rule
        self._built: dict[torch.Tensor, State] = {}
        self._room = FusedStepper(compile)
        defaults = {_key(name): value for name, value in rule.values().items()}
        # With betas, which schedulers that cycle the momentum look for.
        super().__init__(params, Group(rule, {**defaults, "maximize": maximize}))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As PyTorch's, and the rule has a look at the hyperparameters."""
        if isinstance(param_group, dict):
            param_group = Group(self.rule, param_group)
            for name, value in self.defaults.items():
                param_group.setdefault(name, value)
            self._rule(param_group)
        super().add_param_group(param_group)

    # Compiled with PyTorch 2.13, the second step mixes up the states of different parameters.
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch's has no types
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every parameter that has a gradient; returns what ``closure`` does."""
        loss = None
        if closure is not None:
            self.look_ahead()
            with torch.enable_grad():
                loss = closure()
        slopes = [self._slopes(group) for group in self.param_groups]
        every = [g for pairs in slopes for _, g in pairs]
        start = 0
        for group, pairs in zip(self.param_groups, slopes, strict=True):
            rule, uphill, params = self._rule(group), group["maximize"], [p for p, _ in pairs]
            found = [g for _, g in pairs]
            if rule.spans_arrays:
                found = rule.together(every)[start : start + len(pairs)]
                uphill = False  # they were turned around before
            start += len(pairs)
            self._step_all(rule, params, found, uphill)
        return loss

    @torch.no_grad()
    def look_ahead(self) -> None:
        """Move the parameters to where the next gradient belongs, under the present rates.

        Worth a call between ``scheduler.step()`` and the forward pass if the rate changes much.
        """
        if self.rule.looks_ahead:
            for p, rule, *weights in self._stepped():
                self._publish(p, rule, *weights)

    @contextlib.contextmanager
    def settled(self) -> Iterator[None]:
        """While it lasts, the parameters are the weights to use: for validation, or to be saved.

        They are what the rule reads, which need not be where it takes its gradients. Take no step
        in here.

        >>> import torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> optimizer = to_torch("nesterov", layer.parameters())
        >>> with optimizer.settled():
        ...     weights = {name: w.clone() for name, w in layer.state_dict().items()}
        """
        held: list[tuple[torch.Tensor, torch.Tensor]] = []
        try:
            with torch.no_grad():
                for p, rule, *weights in self._stepped():
                    held.append((p, p.clone()))
                    p.copy_(rule.read(*weights))
            yield
        finally:
            with torch.no_grad():
                for p, was in held:
                    p.copy_(was)

    def load_state_dict(self, state_dict: StateDict) -> None:
        """As PyTorch's, which would bring the float32 state of 16-bit parameters down to them."""
        groups = state_dict["param_groups"]
        needed = [*map(_key, self.rule.hyperparameters()), "maximize"]
        for group, word in itertools.product([Group(self.rule, g) for g in groups], needed):
            if word not in group:
                raise InvalidArgument(f"this is no state of {self.rule.name}: it has no {word!r}")
        super().load_state_dict(state_dict)
        ids = itertools.chain.from_iterable(group["params"] for group in groups)
        ours = itertools.chain.from_iterable(group["params"] for group in self.param_groups)
        for number, p in zip(ids, ours, strict=True):
            for name, x in state_dict["state"].get(number, {}).items():
                if isinstance(x, torch.Tensor) and x.is_floating_point():
                    self.state[p][name] = x.to(p.device, _widened(p).dtype, copy=True)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "rule": self.rule, "_room": self._room.compile}

    def __setstate__(self, state: dict[str, Any]) -> None:
        compiles = state.get("_room")  # None where a state is loaded, which has but the slots
        room = self._room if compiles is None else FusedStepper(compiles)
        rule = state.get("rule") or self.rule
        groups = [Group(rule, group) for group in state["param_groups"]]
        super().__setstate__({**state, "param_groups": groups, "_built": {}, "_room": room})

    def _rule(self, group: dict[str, Any]) -> Rule:
        """The rule with the hyperparameters of a group."""
        if not isinstance(group, Group):  # somebody has put a dictionary in its place
            group = Group(self.rule, group)
        values = {name: group[_key(name)] for name in self.rule.hyperparameters()}
        rate = values.get("learning_rate")
        if isinstance(rate, numbers.Real) and rate == 0:
            # Schedules pass through 0, which no rule allows; the least number does as little.
            values["learning_rate"] = sys.float_info.min
        return decayed(self.rule.replace(values), group)

    def _slopes(self, group: dict[str, Any]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The parameters of a group that have a gradient, with it."""
        pairs = [(p, p.grad) for p in group["params"] if p.grad is not None]
        for p, g in pairs:
            if g.layout != torch.strided:
                raise RuntimeError(f"{self.rule.name} does not support sparse gradients")
            if not p.is_floating_point():
                raise InvalidArgument(
                    f"{self.rule.name} moves real weights, not {p.dtype}: torch.view_as_real"
                )
        if self.rule.spans_arrays:
            sign = -1.0 if group["maximize"] else 1.0
            pairs = [(p, sign * g.to(_widened(p).dtype)) for p, g in pairs]
        return pairs

    def _step_all(
        self, rule: Rule, params: list[torch.Tensor], slopes: list[torch.Tensor], uphill: bool
    ) -> None:
        parts: dict[int, list[Part]] = {}
        for p, g in zip(params, slopes, strict=True):
            slots, built = self.state.get(p), self._built.get(p)
            if not slots or p not in self._built:
                self._step(rule, p, -g if uphill else g)  # the first, which makes the state
                continue
            leaves = [slots[name] for name in _names(built)]
            part = Part(p, g, built, leaves, slots.get("offset"))
            parts.setdefault(slots["step"] + 1, []).append(part)
        for t, those in parts.items():
            stepped = self._room.step(rule, t, those, uphill=uphill)
            for part, plain in stepped.done:
                slots = self.state[part.p]
                slots["step"] = t
                for name, x in zip(_names(part.built), plain, strict=True):
                    if x is not None:
                        slots[name] = x
            for part in stepped.alone:
                self._step(rule, part.p, -part.g if uphill else part.g)

    def _step(self, rule: Rule, p: torch.Tensor, g: torch.Tensor) -> None:
        w, memory, t = self._recall(p, rule)
        w, memory = rule.update(w, g.to(w.dtype), memory, t + 1)
        self._remember(p, memory, t + 1)
        self._publish(p, rule, w, memory, t + 1)

    def _publish(self, p: torch.Tensor, rule: Rule, w: Array, memory: State, t: int) -> None:
        if self.rule.looks_ahead:
            p.copy_(rule.lookahead(w, memory, t + 1))
            self.state[p]["offset"] = w - _widened(p)
        else:
            p.copy_(w)

    def _stepped(self) -> Iterator[tuple[torch.Tensor, Rule, Array, State, int]]:
        """Each parameter that was stepped: its rule, weights, state, and how often."""
        for group in self.param_groups:
            rule = self._rule(group)
            for p in group["params"]:
                if self.state.get(p):
                    yield p, rule, *self._recall(p, rule)

    def _recall(self, p: torch.Tensor, rule: Rule) -> tuple[Array, State, int]:
        """The weights of a parameter, what the rule remembers of them, and its steps."""
        slots = self.state[p]
        w = _widened(p)
        if self.rule.looks_ahead:
            w = w + slots.get("offset", 0.0)
        if p not in self._built or not slots:
            memory = rule.init(w)
            self._built[p] = _named(memory, lambda name, _: name)
            if not slots:
                self._remember(p, memory, 0)
        return w, _named(self._built[p], lambda _, name: slots[name]), slots["step"]

    def _remember(self, p: torch.Tensor, memory: State, t: int) -> None:
        slots = self.state[p]
        slots["step"] = t
        # A rule may remember w or g as they are, or one array twice: all are to be overwritten.
        foreign = {x.untyped_storage().data_ptr() for x in (p, p.grad) if x is not None}

        def keep(name: str, x: Any) -> None:
            if isinstance(x, torch.Tensor):
                x = x.clone() if x.untyped_storage().data_ptr() in foreign else x
                foreign.add(x.untyped_storage().data_ptr())
            slots[name] = x

        _named(memory, keep)


def _key(name: str) -> str:
    """What a parameter group calls a hyperparameter."""
    return "lr" if name == "learning_rate" else name


def _widened(p: torch.Tensor) -> torch.Tensor:
    """A parameter in the type that its rule computes in."""
    return p.detach().float() if p.dtype.itemsize < 4 else p.detach()


def _named(memory: State, function: Callable[[str, Any], Any]) -> Any:
    """The leaves of a state as they are called in ``self.state[p]``."""
    return over(memory, function, "memory", ".")


@functools.lru_cache
def _names(built: State) -> list[str]:
    names: list[str] = []
    over(built, lambda _, name: names.append(name))
    return names
