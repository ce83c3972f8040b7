"""Parameter groups in PyTorch's words as well as the rule's: ``betas`` are ``beta_1``, ``beta_2``.

Imports no PyTorch. What a native optimizer would take in a group is honoured or refused by name;
what is no optimizer's word (``"name"``, ``"initial_lr"``) is kept for its owner, as PyTorch does.
"""

from collections.abc import Mapping
from typing import Any

from ravine.errors import InvalidArgument, misspelt
from ravine.rules import RULES, VARIANTS, AdamW
from ravine.rules.ops import is_number
from ravine.rules.update_rule import Rule, declared_defaults
from ravine.rules.variants import AMSGrad, CorrectedAMSGrad
from ravine.rules.wrappers import L2, WRAPPING, Decay
from ravine.rules.wrappers.partition import BIASES
from ravine.rules.wrappers.wrapper import innermost, inside

# The words of PyTorch's optimizers, those of other families too; a test asks PyTorch for them.
NATIVE = frozenset(
    """adjust_lr_fn alpha amsgrad beta2_decay betas capturable centered d dampening
    decoupled_weight_decay differentiable eps etas foreach fused history_size
    initial_accumulator_value lambd line_search_fn lr lr_decay max_eval max_iter maximize momentum
    momentum_decay nesterov ns_coefficients ns_steps params rho step_sizes t0 tolerance_change
    tolerance_grad weight_decay""".split()  # noqa: SIM905  # as a list a line each
)
_PLAIN = {*RULES.values(), *VARIANTS.values()}
_OURS = frozenset(
    name for kind in (*_PLAIN, *WRAPPING.values()) for name in declared_defaults(kind)
)
# How PyTorch computes a step, not what.
_HOW = ("foreach", "fused")
# What PyTorch and its schedulers keep in a group for themselves.
_KEPT = ("params", "param_names", "maximize")


class Group(dict[str, Any]):
    """A parameter group: whatever word of PyTorch's is set in it sets the rule's own too."""

    def __init__(self, rule: Rule, values: Mapping[str, Any]) -> None:
        super().__init__()
        self._rule = rule
        self._set_by: dict[str, str] = {}
        for name, value in values.items():
            self._enter(name, value, once=True)

    def __setitem__(self, name: str, value: Any) -> None:
        """Set what a word means; raises :class:`InvalidArgument` for one that is not the rule's.

        >>> from ravine import Adam
        >>> group = Group(Adam(), {"params": [], "betas": (0.8, 0.9)})
        >>> group["beta_2"] = 0.95
        >>> group["betas"]
        (0.8, 0.95)
        """
        self._enter(name, value)

    def _enter(self, name: str, value: Any, once: bool = False) -> None:
        for own, x in own_words(self._rule, name, value).items():
            if once and own in self and not _equal(self[own], x):
                raise InvalidArgument(
                    f"a parameter group has {self._set_by[own]} and {name}, which say different "
                    f"things about {own}: give one of them"
                )
            self._set_by.setdefault(own, name)
            super().__setitem__(own, x)
        if "beta_1" in self and "beta_2" in self:
            super().__setitem__("betas", (self["beta_1"], self["beta_2"]))

    def setdefault(self, name: str, default: Any = None) -> Any:
        """As a dictionary's."""
        if name not in self:
            self[name] = default
        return self.get(name, default)

    def update(self, *given: Any, **named: Any) -> None:
        """As a dictionary's."""
        for name, value in dict(*given, **named).items():
            self[name] = value

    def __ior__(self, other: Any) -> "Group":  # type: ignore[override,misc]  # a dict's is wider
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return dict, (dict(self),)  # copies and pickles are plain: the optimizer knows the rule


def own_words(rule: Rule, name: str, value: Any) -> dict[str, Any]:
    """What a word of a group sets, in the rule's words; ``lr`` for the learning rate.

    >>> from ravine import RMSprop
    >>> own_words(RMSprop(), "eps", 1e-8)
    {'epsilon_outside': 1e-08, 'epsilon': 0.0}
    """
    names = rule.hyperparameters()
    if name == "learning_rate":
        raise InvalidArgument("a parameter group spells its learning_rate 'lr'")
    if name == "centered" and isinstance(value, bool) and name in names:
        return {name: float(value)}
    if name in _KEPT or name == "lr" or name in names:
        return {name: value}
    if name not in NATIVE and name not in _OURS:
        known = [word for word in ("lr", *names, *sorted(NATIVE)) if len(word) > 1]
        if near := misspelt(name, known):
            raise InvalidArgument(
                f"{rule.name}: unknown word '{name}' in a parameter group: did you mean '{near}'?"
            )
        return {name: value}
    if (found := _translated(rule, name, value)) is not None:
        # PyTorch's word is of all arrays of its group, whichever rule they follow.
        both = {f"{BIASES}{own}": x for own, x in found.items() if f"{BIASES}{own}" in names}
        return {**found, **both}
    advice = ""
    if name == "weight_decay":
        held = innermost(rule).name
        advice = (
            f"give {held} one, as ravine.L2({held}, weight_decay=0), which is torch.optim.Adam's, "
            "or ravine.Decay, which is torch.optim.AdamW's; "
        )
    honoured = [word for word in sorted(NATIVE - {*names, *_KEPT, "lr"}) if _place(rule, word)]
    raise InvalidArgument(
        f"{rule.name}: {name}={value!r} in a parameter group has no place in this rule: {advice}"
        f"a group may set {', '.join(['lr', *list(names)[1:], *honoured])}"
    )


def decayed(rule: Rule, group: Mapping[str, Any]) -> Rule:
    """The rule with the decay that a group gives to one that has none: L2, as in PyTorch."""
    weight_decay = group.get("weight_decay")
    if weight_decay is None or "weight_decay" in rule.hyperparameters():
        return rule
    if is_number(weight_decay) and weight_decay == 0:
        return rule
    return L2(rule, weight_decay=weight_decay)


def _place(rule: Rule, word: str) -> tuple[str, ...]:
    """The hyperparameters that a word of PyTorch's sets, of a rule that has no such itself."""
    names = rule.hyperparameters()
    places: dict[str, tuple[str, ...]] = {"betas": ("beta_1", "beta_2"), "alpha": ("rho",)}
    # PyTorch's ε stands outside the root, beside the bias correction.
    outside = "epsilon_outside" if "epsilon_outside" in names else "epsilon"
    places["eps"] = (outside,)
    if type(rule) in _PLAIN:
        places["weight_decay"] = ("weight_decay",)
        names = {**names, "weight_decay": None}  # type: ignore[dict-item]  # the names alone
    found = places.get(word, ())
    return found if all(name in names for name in found) else ()


def _translated(rule: Rule, word: str, value: Any) -> dict[str, Any] | None:
    """What a word sets that is PyTorch's alone; None for what the rule cannot do."""
    if value is None or word in _HOW or (word in NATIVE and _says_nothing(rule, word, value)):
        return {}
    place = _place(rule, word)
    if word == "betas" and place:
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise InvalidArgument(f"{rule.name}: betas={value!r} in a parameter group is no pair")
        return dict(zip(place, value, strict=True))
    if word == "eps" and place:
        others = {"epsilon", "epsilon_hat", "epsilon_root"} & {*rule.hyperparameters()} - {*place}
        return {place[0]: value, **dict.fromkeys(sorted(others), 0.0)}
    return dict.fromkeys(place, value) if place else None


def _says_nothing(rule: Rule, word: str, value: Any) -> bool:
    """Whether a word says what the rule does anyway."""
    if word in ("weight_decay", "momentum", "lr_decay", "dampening", "centered"):
        return not _place(rule, word) and bool(value == 0)
    kind = innermost(rule)
    does = {
        "nesterov": "nesterov" in kind.name,
        "amsgrad": isinstance(kind, AMSGrad) and not isinstance(kind, CorrectedAMSGrad),
        "decoupled_weight_decay": any(isinstance(r, AdamW | Decay) for r in inside(rule)),
        "capturable": False,
        "differentiable": False,
    }
    return word in does and does[word] is bool(value)


def _equal(one: Any, other: Any) -> bool:
    return one is other or bool(one == other)
