"""Partition: one rule for matrices and kernels, another for the biases."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ravine.errors import InvalidArgument
from ravine.rules.ops import is_number
from ravine.rules.sgd import SGD
from ravine.rules.update_rule import Array, Rule, State, hyper, rule, unit_quotient
from ravine.rules.update_rule import Hyper as Declared
from ravine.rules.wrappers.scheduled import Scheduled
from ravine.rules.wrappers.wrapper import Wrapper, inside, rate

BIASES = "biases_"  # in front of the names of their hyperparameters


class Halves(NamedTuple):
    rule: State
    biases: State  # of the rule not followed: what it would remember of the number 0


@rule
class Partition(Wrapper):
    """Momentum off the biases: arrays of fewer than two dimensions follow ``biases``.

    That is: biases, and the scales of normalising layers. They walk at the learning rate times
    ``biases_rate``, whatever becomes of it: at the same rate, or as many times that as the rates
    of the two rules said when they were given. Those of rules that measure steps differently, adam
    and sgd, are never the same. Around it, decay takes each array's own rate.

    Differs: PyTorch, with parameter groups, and Optax, with ``multi_transform``, divide by name
    or by a function; Keras by name, for weight decay alone.
    https://docs.pytorch.org/docs/stable/optim.html
    """

    holds = {"rule": "", "biases": BIASES}  # noqa: RUF012  # nobody changes it
    biases: Rule = SGD()
    biases_rate: float | None = hyper(
        None, "learning rate of the biases over that of the others; None: the same", valid="> 0"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        usual, given = self.biases.defaults()["learning_rate"], self.biases.learning_rate
        own = not is_number(given) or given != usual
        if own and self.biases_rate is not None:
            raise InvalidArgument(
                f"{self.name}: the biases have a learning rate and a biases_rate; give one"
            )
        if own or (self.biases_rate is None and len(set(self._rate_units())) > 1):
            object.__setattr__(self, "biases_rate", given / self.rule.learning_rate)
            unsaid = self.biases.replace({"learning_rate": usual})
            object.__setattr__(self, "biases", unsaid)
        scheduled = [
            any(isinstance(r, Scheduled) for r in inside(h)) for h in self._held().values()
        ]
        if scheduled == [True, False]:
            raise InvalidArgument(
                "the biases would not follow that schedule: put it outside, "
                "scheduled(partition(…), …)"
            )

    @cached_property
    def small(self) -> Rule:
        """The rule of the biases, at their learning rate."""
        alpha = self.learning_rate
        if self.biases_rate is not None:
            alpha = alpha * self.biases_rate
        return self.biases.replace({"learning_rate": alpha})

    def hyperparameters(self) -> dict[str, Declared]:  # type: ignore[override]  # as Wrapper's
        declared = super().hyperparameters()
        unit = unit_quotient(*self._rate_units()[::-1])
        return {**declared, "biases_rate": dataclasses.replace(declared["biases_rate"], unit=unit)}

    def _rate_units(self) -> list[str]:
        return [held.hyperparameters()["learning_rate"].unit for held in self._held().values()]

    def init(self, w: Array) -> Halves:
        # One structure for all arrays, so that their states can be laid out field by field.
        if _is_large(w):
            return Halves(self.rule.init(w), self.small.init(0.0))
        return Halves(self.rule.init(0.0), self.small.init(w))

    def lookahead(self, w: Array, state: Halves, t: float) -> Array:
        if _is_large(w):
            return self.rule.lookahead(w, state.rule, t)
        return self.small.lookahead(w, state.biases, t)

    def update(self, w: Array, g: Array, state: Halves, t: float) -> tuple[Array, Halves]:
        if _is_large(w):
            w, new = self.rule.update(w, g, state.rule, t)
            return w, state._replace(rule=new)
        w, new = self.small.update(w, g, state.biases, t)
        return w, state._replace(biases=new)

    def read(self, w: Array, state: Halves, t: float) -> Array:
        if _is_large(w):
            return self.rule.read(w, state.rule, t)
        return self.small.read(w, state.biases, t)

    def together(self, gradients: Sequence[Array]) -> list[Array]:
        found = list(gradients)
        for held, large in ((self.rule, True), (self.small, False)):
            places = [i for i, g in enumerate(gradients) if _is_large(g) is large]
            for i, g in zip(places, held.together([gradients[i] for i in places]), strict=True):
                found[i] = g
        return found

    def rate(self, w: Array, t: Any) -> Any:
        return rate(self.rule if _is_large(w) else self.small, w, t)


def parts(rule: Rule) -> dict[str, Rule]:
    """What a rule does to each kind of array; one nameless part if there is no partition in it."""
    if not any(isinstance(held, Partition) for held in inside(rule)):
        return {"": rule}
    return {"weights": _part(rule, large=True), "biases": _part(rule, large=False)}


def _part(rule: Rule, large: bool) -> Rule:
    if isinstance(rule, Partition):
        return _part(rule.rule if large else rule.small, large)
    if isinstance(rule, Wrapper):
        return dataclasses.replace(rule, rule=_part(rule.rule, large))
    return rule


def _is_large(x: Array) -> bool:
    return len(getattr(x, "shape", ())) > 1
