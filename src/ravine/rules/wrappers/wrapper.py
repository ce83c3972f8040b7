"""What a wrapping rule is: a rule that holds another, and shows its hyperparameters as well."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from ravine.errors import InvalidArgument
from ravine.rules.update_rule import (
    Array,
    Hyper,
    Rule,
    State,
    declared_defaults,
    declared_hyperparameters,
    spelled,
)


@dataclasses.dataclass(frozen=True)
class Wrapper(Rule):
    """A rule that holds another: override what is to differ, all else is the held rule's.

    Its hyperparameters are those of the held rule and its own, in one dictionary, and ``replace``
    brings each to where it belongs. So whatever sets hyperparameters by name (parameter groups,
    schedules, the lanes of a race) need not know that there are two rules.
    """

    rule: Rule

    # The fields that are rules, and what stands before the names of their hyperparameters.
    holds: ClassVar[Mapping[str, str]] = {"rule": ""}
    # Whether ``update`` hands on another gradient than it is given.
    changes_gradients: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in self.holds:
            object.__setattr__(self, field, self._checked(getattr(self, field)))
        super().__post_init__()
        own = declared_hyperparameters(type(self))
        for name in own:
            if name in self.rule.hyperparameters():
                raise InvalidArgument(f"{self.rule.name} already has a {name} of its own")
        if self.changes_gradients and self.rule.spans_arrays:
            raise InvalidArgument(
                f"{self.rule.name} looks at the gradients of all arrays before {self.name} has "
                f"changed them: write {self.name} inside of {self.rule.name}"
            )

    def _checked(self, held: Any) -> Rule:
        if isinstance(held, type) and issubclass(held, Rule) and not issubclass(held, Wrapper):
            held = held()
        if not isinstance(held, Rule):
            raise InvalidArgument(f"{self.name} holds a rule, such as ravine.Adam(), not {held!r}")
        return held

    @property
    def learning_rate(self) -> Any:  # type: ignore[override]  # a rule's is a field
        """The held rule's."""
        return self.rule.learning_rate

    def init(self, w: Array) -> State:
        """The held rule's."""
        return self.rule.init(w)

    def lookahead(self, w: Array, state: State, t: Any) -> Array:
        """The held rule's."""
        return self.rule.lookahead(w, state, t)

    def update(self, w: Array, g: Array, state: State, t: Any) -> tuple[Array, State]:
        """The held rule's."""
        return self.rule.update(w, g, state, t)

    def read(self, w: Array, state: State, t: Any) -> Array:
        """The held rule's."""
        return self.rule.read(w, state, t)

    def together(self, gradients: Sequence[Array]) -> list[Array]:
        """The held rule's."""
        return self.rule.together(gradients)

    def rate(self, w: Array, t: Any) -> Any:
        """The learning rate by which step ``t`` moves ``w``."""
        return rate(self.rule, w, t)

    @property
    def looks_ahead(self) -> bool:
        """Whether a held rule does."""
        return any(held.looks_ahead for held in self._held().values())

    @property
    def reads_elsewhere(self) -> bool:
        """Whether a held rule does."""
        return any(held.reads_elsewhere for held in self._held().values())

    @property
    def spans_arrays(self) -> bool:
        """Whether a held rule does."""
        return any(held.spans_arrays for held in self._held().values())

    # Of a class there is nothing to tell: it depends on the rule that an object holds.
    def hyperparameters(self) -> dict[str, Hyper]:  # type: ignore[override]  # a class method there
        """Those of the held rules, and its own, by name."""
        return self._theirs("hyperparameters") | declared_hyperparameters(type(self))

    def defaults(self) -> dict[str, Any]:  # type: ignore[override]  # a class method there
        """Of the same, the declared defaults."""
        return self._theirs("defaults") | declared_defaults(type(self))

    def values(self) -> dict[str, Any]:
        """Of the same, those of this object."""
        own = declared_hyperparameters(type(self))
        return self._theirs("values") | {name: getattr(self, name) for name in own}

    def replace(self, changes: Mapping[str, Any]) -> Self:
        """The same rules with other hyperparameters, each where it belongs."""
        fields = {field.name for field in dataclasses.fields(self)}
        own = {name: value for name, value in changes.items() if name in fields}
        theirs: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            if name not in fields:
                field = next(f for f, start in self._last_first() if name.startswith(start))
                short = name.removeprefix(self.holds[field])
                theirs.setdefault(field, {})[short] = value
        for field, values in theirs.items():
            own[field] = own.get(field, getattr(self, field)).replace(values)
        return dataclasses.replace(self, **own)

    def _held(self) -> dict[str, Rule]:
        return {field: getattr(self, field) for field in self.holds}

    def _last_first(self) -> list[tuple[str, str]]:
        return [*self.holds.items()][::-1]

    def _theirs(self, what: str) -> dict[str, Any]:
        # There is one learning rate: the first rule's.
        return {
            self.holds[field] + name: value
            for field, held in self._held().items()
            for name, value in getattr(held, what)().items()
            if not (self.holds[field] and name == "learning_rate")
        }

    def __str__(self) -> str:
        """As the command line spells it: ``decay(adam(beta_1=0.8), weight_decay=0.1)``."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        others = [
            f"{field}={held}"
            for field, held in self._held().items()
            if field != "rule" and held != defaults[field]
        ]
        own = {name: getattr(self, name) for name in declared_hyperparameters(type(self))}
        changed = spelled(own, declared_defaults(type(self)))
        return f"{self.name}({', '.join([str(self.rule), *others, *changed])})"


def rate(rule: Rule, w: Array, t: Any) -> Any:
    """The learning rate by which a rule's step ``t`` moves ``w``."""
    return rule.rate(w, t) if isinstance(rule, Wrapper) else rule.learning_rate


def inside(rule: Rule) -> Iterator[Rule]:
    """A rule and all the rules that it holds, from the outside in."""
    yield rule
    for field in dataclasses.fields(rule):  # type: ignore[arg-type]  # @rule makes it a dataclass
        held = getattr(rule, field.name)
        if isinstance(held, Rule):
            yield from inside(held)


def innermost(rule: Rule) -> Rule:
    """The rule that walks once all wrapping is taken off."""
    return innermost(rule.rule) if isinstance(rule, Wrapper) else rule
