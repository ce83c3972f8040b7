"""Any rule as a PyTorch optimizer.

The parameters are where the next gradient belongs: the weights themselves or, for a rule with a
lookahead, the point ahead. The state then keeps the offset between the two, so that whatever else
moves the parameters (a clamp, another file's weights) moves the weights along.
"""

import contextlib
import itertools
import numbers
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ravine.errors import RavineError, WrongCall
from ravine.frameworks.spelling import read_rule
from ravine.update_rule import Array, Rule, State

try:
    import torch
    from torch.optim.optimizer import ParamsT, StateDict
except ModuleNotFoundError as missing:
    raise RavineError("to_torch needs PyTorch: pip install ravine[torch]") from missing


def to_torch(
    rule: str | type[Rule] | Rule, params: ParamsT, *, maximize: bool = False
) -> "RuleOptimizer":
    """The rule as a native optimizer of tensors, named tensors or parameter groups.

    A group may set every hyperparameter, under the rule's own name for it; only the learning rate
    is called ``lr``, as PyTorch's schedulers know it. A value that the rule does not allow is a
    ``WrongCall``. Parameters are real; those of 16 bits have state and arithmetic in float32.

    >>> import ravine, torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> groups = [{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.1, "beta_1": 0.8}]
    >>> optimizer = to_torch(ravine.Adam(learning_rate=0.01), groups)
    >>> layer(torch.ones(2)).backward()
    >>> optimizer.step()
    >>> [group["lr"] for group in optimizer.param_groups]
    [0.01, 0.1]
    """
    return RuleOptimizer(read_rule(rule), params, maximize=maximize)


class RuleOptimizer(torch.optim.Optimizer):
    """What :func:`to_torch` makes; ``self.state[p]`` has ``step``, ``memory.m``, ``memory.v`` etc.

    With a rule that looks ahead, ``step`` leaves the parameters at the point ahead under the
    present rates, as the first gradient is taken at the parameters as they come. A scheduler sets
    the next rate only afterwards: :meth:`look_ahead` then moves the parameters to precisely where
    the rule wants its gradient, and ``step(closure)`` does that by itself.
    """

    def __init__(self, rule: Rule, params: ParamsT, *, maximize: bool = False) -> None:
        self.rule = rule
        self._built: dict[torch.Tensor, State] = {}
        defaults = {_key(name): value for name, value in rule.values().items()}
        super().__init__(params, {**defaults, "maximize": maximize})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As PyTorch's, and the rule has a look at the hyperparameters."""
        if isinstance(param_group, dict):
            if "learning_rate" in param_group:
                raise WrongCall("a parameter group spells its learning_rate 'lr'")
            self._rule({**self.defaults, **param_group})
        super().add_param_group(param_group)

    # Compiled with PyTorch 2.13, the second step mixes up the states of different parameters.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every parameter that has a gradient; returns what ``closure`` does."""
        loss = None
        if closure is not None:
            self.look_ahead()
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rule = self._rule(group)
            for p in group["params"]:
                if p.grad is not None:
                    self._step(rule, p, -p.grad if group["maximize"] else p.grad)
        return loss

    @torch.no_grad()
    def look_ahead(self) -> None:
        """Move the parameters to where the next gradient belongs, under the present rates.

        Worth a call between ``scheduler.step()`` and the forward pass if the rate changes much.
        """
        if self._looks_ahead:
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
        for key in itertools.product(groups, self.defaults):
            if key[1] not in key[0]:
                raise WrongCall(f"this is no state of {self.rule.name}: it has no {key[1]!r}")
        super().load_state_dict(state_dict)
        ids = itertools.chain.from_iterable(group["params"] for group in groups)
        ours = itertools.chain.from_iterable(group["params"] for group in self.param_groups)
        for number, p in zip(ids, ours, strict=True):
            for name, x in state_dict["state"].get(number, {}).items():
                if isinstance(x, torch.Tensor) and x.is_floating_point():
                    self.state[p][name] = x.to(p.device, _widened(p).dtype, copy=True)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "rule": self.rule}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_built": {}})

    @property
    def _looks_ahead(self) -> bool:
        return type(self.rule).lookahead is not Rule.lookahead

    def _rule(self, group: dict[str, Any]) -> Rule:
        """The rule with the hyperparameters of a group."""
        values = {name: group[_key(name)] for name in self.rule.hyperparameters()}
        rate = values.get("learning_rate")
        if isinstance(rate, numbers.Real) and rate == 0:
            # Schedules pass through 0, which no rule allows; the least number does as little.
            values["learning_rate"] = sys.float_info.min
        return self.rule.replace(values)

    def _step(self, rule: Rule, p: torch.Tensor, g: torch.Tensor) -> None:
        if g.layout != torch.strided:
            raise RuntimeError(f"{rule.name} does not support sparse gradients")
        if not p.is_floating_point():
            raise WrongCall(f"{rule.name} moves real weights, not {p.dtype}: torch.view_as_real")
        w, memory, t = self._recall(p, rule)
        w, memory = rule.update(w, g.to(w.dtype), memory, t + 1)
        self._remember(p, memory, t + 1)
        self._publish(p, rule, w, memory, t + 1)

    def _publish(self, p: torch.Tensor, rule: Rule, w: Array, memory: State, t: int) -> None:
        if self._looks_ahead:
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
        if self._looks_ahead:
            w = w + slots.get("offset", 0.0)
        if p not in self._built or not slots:
            memory = rule.init(w)
            self._built[p] = _over(memory, lambda name, _: name)
            if not slots:
                self._remember(p, memory, 0)
        return w, _over(self._built[p], lambda name, _: slots[name]), slots["step"]

    def _remember(self, p: torch.Tensor, memory: State, t: int) -> None:
        slots = self.state[p]
        slots["step"] = t
        # A rule may remember w or g as they are, and these are about to be overwritten.
        foreign = {x.untyped_storage().data_ptr() for x in (p, p.grad) if x is not None}

        def keep(name: str, x: Any) -> None:
            taken = isinstance(x, torch.Tensor) and x.untyped_storage().data_ptr() in foreign
            slots[name] = x.clone() if taken else x

        _over(memory, keep)


def _key(name: str) -> str:
    """What a parameter group calls a hyperparameter."""
    return "lr" if name == "learning_rate" else name


def _widened(p: torch.Tensor) -> torch.Tensor:
    """A parameter in the type that its rule computes in."""
    return p.detach().float() if p.dtype.itemsize < 4 else p.detach()


def _over(memory: State, function: Callable[[str, Any], Any], name: str = "memory") -> Any:
    """``function(name, leaf)`` in place of every leaf of a rule's state.

    The leaves lie in ``self.state[p]`` one by one: PyTorch can neither copy nor, with
    ``weights_only``, load a NamedTuple.
    """
    if not isinstance(memory, tuple):
        return function(name, memory)
    fields = getattr(memory, "_fields", range(len(memory)))
    parts = [_over(x, function, f"{name}.{f}") for f, x in zip(fields, memory, strict=True)]
    return type(memory)(*parts) if hasattr(memory, "_fields") else tuple(parts)
