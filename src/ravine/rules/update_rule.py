"""What an update rule is: hyperparameters, and a few short methods of plain arithmetic."""

import dataclasses
import functools
import inspect
import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from ravine.errors import InvalidArgument
from ravine.rules.ops import cast, dtype_name

# A float, or an array of NumPy, JAX, TensorFlow or PyTorch; a rule does not care which.
Array = Any
# What a rule remembers of one weight array: a NamedTuple of arrays like it, or of scalars.
State = Any


@dataclasses.dataclass(frozen=True)
class Hyper:
    """What a rule declares about one hyperparameter.

    ``unit`` says how it scales: a product of powers of w (the unit of the weights) and g (of the
    gradient) such as ``"w/g"`` or ``"g^2"``. ``valid`` is the interval of values that make sense:
    ``"> 0"``, ``"[0, 1)"``; empty for any. ``search`` is the part of it worth searching.
    """

    meaning: str
    unit: str = ""
    valid: str = ""
    search: tuple[float, float] | None = None

    @property
    def allowed(self) -> str:
        """The valid interval in words: ``"> 0"``, ``"in [0, 1)"``, ``"finite"``."""
        return (
            f"in {self.valid}" if self.valid[:1] in "[(" and self.valid else self.valid or "finite"
        )

    def allows(self, value: float) -> bool:
        """Whether a plain number lies in the valid interval. NaN and infinity lie in none."""
        if not math.isfinite(value):
            return False
        if not self.valid:
            return True
        if above := re.fullmatch(r"(>=?) *(\S+)", self.valid):
            low = float(above[2])
            return value > low or (above[1] == ">=" and value == low)
        between = re.fullmatch(r"([\[(]) *([^, ]+) *, *([^, ]+) *([\])])", self.valid)
        if between is None:
            raise ValueError(f"cannot read the interval {self.valid!r}: write '> 0' or '[0, 1)'")
        low, high = float(between[2]), float(between[3])
        above_low = value > low or (between[1] == "[" and value == low)
        below_high = value < high or (between[4] == "]" and value == high)
        return above_low and below_high

    def rescaled(self, value: float, w: float, g: float) -> float:
        """The same setting once weights are counted in units ``w`` smaller, gradients in ``g``."""
        powers = unit_powers(self.unit)
        return float(value * w ** powers["w"] * g ** powers["g"])


def unit_powers(unit: str) -> dict[str, int]:
    """A unit as powers of w and g.

    >>> unit_powers("w/g^2")
    {'w': 1, 'g': -2}
    """
    product = r"[wg](?:\^\d+)?(?: [wg](?:\^\d+)?)*"
    if not re.fullmatch(rf"(?:(?:1|{product})(?:/{product})?)?", unit):
        raise ValueError(f"cannot read the unit {unit!r}: write 'w', 'g^2', 'w/g', '1/w', 'w g'")
    powers = {"w": 0, "g": 0}
    for side, sign in zip(unit.split("/"), (1, -1), strict=False):
        for letter, power in re.findall(r"([wg])(?:\^(\d+))?", side):
            powers[letter] += sign * int(power or 1)
    return powers


def unit_quotient(over: str, under: str) -> str:
    """The unit of a quotient.

    >>> unit_quotient("", "w/g"), unit_quotient("w", "w/g")
    ('g/w', 'g')
    """
    below = unit_powers(under)
    powers = {letter: power - below[letter] for letter, power in unit_powers(over).items()}
    up, down = (
        " ".join(f"{x}^{abs(n)}".removesuffix("^1") for x, n in powers.items() if n * sign > 0)
        for sign in (1, -1)
    )
    return f"{up or 1}/{down}" if down else up


def hyper(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    valid: str = "",
    search: tuple[float, float] | None = None,
) -> Any:
    """Declare a hyperparameter of a rule: default, meaning, unit, valid and searched interval.

    >>> beta_1: float = hyper(0.9, "memory of the mean", valid="[0, 1)")
    """
    declared = Hyper(meaning, unit, valid, search)
    return dataclasses.field(default=default, metadata={"hyper": declared})


class Rule:
    """An update rule, written once: subclass it, declare hyperparameters, decorate with @rule.

    A rule sees one weight array at a time and uses plain operators and ``ravine.ops``. ``t`` is
    the number of the step, from 1. The meaning of the methods is the function :func:`step`.
    """

    name: ClassVar[str]
    # Hyperparameters that keep a divisor off 0 between them: one at least is not 0.
    floors: ClassVar[tuple[str, ...]] = ()
    learning_rate: float

    def __post_init__(self) -> None:
        defaults = declared_defaults(type(self))
        for name, declared in declared_hyperparameters(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, numbers.Real) and not isinstance(value, bool):
                # np.float64 would widen float32 weights and TensorFlow refuses integers.
                try:
                    value = float(value)
                except OverflowError:
                    value = math.inf
                object.__setattr__(self, name, value)
                if not declared.allows(value):
                    raise InvalidArgument(
                        f"{self.name}: {name}={value:g} is not allowed; "
                        f"{declared.meaning} must be {declared.allowed}"
                    )
            elif not hasattr(value, "dtype") and type(value) is not type(defaults[name]):
                raise InvalidArgument(f"{self.name}: {name}={value!r} is not a number")
        values = [getattr(self, name) for name in self.floors]
        if values and all(isinstance(value, float) and value == 0 for value in values):
            zero = " and ".join(self.floors)
            raise InvalidArgument(
                f"{self.name}: {zero} cannot all be 0: no gradient would be 0 / 0"
            )

    def init(self, w: Array) -> State:
        """What the rule remembers before its first step."""
        return ()

    def lookahead(self, w: Array, state: State, t: Any) -> Array:
        """Where the gradient of step ``t`` is taken."""
        return w

    def update(self, w: Array, g: Array, state: State, t: Any) -> tuple[Array, State]:
        """The weights and the memory after step ``t``."""
        raise NotImplementedError(f"{type(self).__name__} defines no update(w, g, state, t)")

    def read(self, w: Array, state: State, t: Any) -> Array:
        """The weights to use once step ``t`` is done."""
        return w

    def together(self, gradients: Sequence[Array]) -> list[Array]:
        """The gradients of all of a model's weight arrays, before any of them is used.

        What spans arrays belongs here, a norm over the whole model for one. ``update`` is given
        what this makes of its own array's gradient.
        """
        return list(gradients)

    @property
    def looks_ahead(self) -> bool:
        """Whether gradients are taken elsewhere than at ``w``."""
        return type(self).lookahead is not Rule.lookahead

    @property
    def reads_elsewhere(self) -> bool:
        """Whether the weights to use are others than ``w``."""
        return type(self).read is not Rule.read

    @property
    def spans_arrays(self) -> bool:
        """Whether a step of one weight array depends on the gradients of the others."""
        return type(self).together is not Rule.together

    @classmethod
    def hyperparameters(cls) -> dict[str, Hyper]:
        """What the rule declares, by name, in order."""
        return declared_hyperparameters(cls)

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The declared defaults, by name."""
        return declared_defaults(cls)

    def values(self) -> dict[str, Any]:
        """The hyperparameters of this object, by name."""
        return {name: getattr(self, name) for name in self.hyperparameters()}

    def replace(self, changes: Mapping[str, Any]) -> Self:
        """The same rule with other hyperparameters."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]  # a dataclass by @rule

    def __str__(self) -> str:
        """As the command line spells it: the name, and what departs from the defaults."""
        changed = spelled(self.values(), self.defaults())
        return f"{self.name}({', '.join(changed)})" if changed else self.name


def declared_hyperparameters(kind: type[Rule]) -> dict[str, Hyper]:
    """What a class declares itself, by name; a rule that holds others has theirs too."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # @rule makes it a dataclass
    return {f.name: f.metadata["hyper"] for f in fields if "hyper" in f.metadata}


def declared_defaults(kind: type[Rule]) -> dict[str, Any]:
    """The defaults of the same."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # as above
    return {f.name: f.default for f in fields if "hyper" in f.metadata}


R = TypeVar("R", bound=Rule)


@dataclass_transform(frozen_default=True)
def rule(cls: type[R]) -> type[R]:
    """Make a class a rule: a frozen dataclass whose arithmetic never runs in 16 bits.

    Weights and gradients of a 16-bit type are widened to float32, the state is kept there, and
    the new weights are cast back: in bfloat16 the smallest step from 1 is 0.008, and a running
    mean stops moving long before it has arrived.
    """
    cls.name = cls.__name__.lower()
    for method in ("init", "lookahead", "update", "read"):
        if method in cls.__dict__:
            setattr(cls, method, _guarded(getattr(cls, method)))
    return dataclasses.dataclass(frozen=True)(cls)


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """``method`` with its arguments brought into the types that a rule's arithmetic expects."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def guarded(self: Rule, *arguments: Any, **named: Any) -> Any:
        if named:
            arguments = signature.bind(self, *arguments, **named).args[1:]
        w, *rest = arguments
        if isinstance(w, list | tuple):
            raise InvalidArgument(
                f"w is a {type(w).__name__}; give a number or an array: np.asarray(w)"
            )
        given = dtype_name(w)
        narrow = "float16" in given  # bfloat16 too
        if rest:
            rest[-1] = _plain_number(rest[-1])  # t is the last of all but init, which has none
        result = method(self, *map(_widened, (w, *rest)))
        if method.__name__ == "update" and not (isinstance(result, tuple) and len(result) == 2):
            # An array of two would come apart into w and state without a word.
            raise InvalidArgument(f"{self.name}: update must return the pair (w, state)")
        if not narrow or method.__name__ == "init":
            return result
        if method.__name__ == "update":
            return cast(result[0], given), result[1]
        return cast(result, given)

    return guarded


def _widened(x: Any) -> Any:
    return cast(x, "float32") if "float16" in dtype_name(x) else x


def _plain_number(t: Any) -> Any:
    """NumPy's scalars would widen what they meet; TensorFlow refuses integers."""
    return float(t) if isinstance(t, numbers.Real) else t


def spelled(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """What departs from the defaults, as ``beta_1=0.8`` each; words stand without quotes."""
    return [
        f"{name}={value if isinstance(value, str) else repr(value).removesuffix('.0')}"
        for name, value in values.items()
        if value != defaults[name]
    ]


def step(
    rule: Rule, grad: Callable[[Array], Array], w: Array, state: State, t: Any
) -> tuple[Array, State]:
    """One step of a rule: look ahead, take the gradient there, update.

    ``w`` is a float or an array, ``grad`` a function of the like, ``state`` what ``rule.init(w)``
    or the step before gave, ``t`` the number of this step, from 1.

    >>> from ravine import SGD, step
    >>> rule = SGD(learning_rate=0.1)
    >>> w, state = step(rule, lambda w: 2 * w, 1.0, rule.init(1.0), 1)
    >>> w
    0.8
    """
    if not isinstance(rule, Rule):
        raise InvalidArgument(f"step takes a rule, such as ravine.Adam(), not {rule!r}")
    (g,) = rule.together([grad(rule.lookahead(w, state, t))])
    return rule.update(w, g, state, t)
