"""A rule's arithmetic, written down as the PyTorch calls it comes to.

A rule is run once a step on :class:`Element`, which stands for one number of every array. What it
does with them is a list of calls, to be played on any run of weights: the arrays of a model end to
end, or a stretch of one that stays in the processor's cache. On whole arrays, each operation of
eager PyTorch would go to the memory and back.

An Element can only do what treats each number alone, and has no values. A rule that wants more, a
norm or a shape or a branch on a value, is :class:`NotElementwise`: to be run on whole arrays, one
by one.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch


class NotElementwise(Exception):
    """A rule does more with an array than with each of its numbers alone."""


class ShapeAsked(NotElementwise):
    """It looks at the shape of its arrays: a tape of one shape alone may do."""


def _from(x: Any, number: Any, **out: Any) -> Any:
    """``number - x``, which PyTorch has for new memory alone."""
    return torch.sub(torch.as_tensor(number, dtype=x.dtype, device=x.device), x, **out)


def _where(truth: Any, x: Any, y: Any, **out: Any) -> Any:
    """PyTorch's, with a plain number too; one of the two is an array."""
    dtype = (y if isinstance(x, float | int) or not x.dim() else x).dtype
    x, y = (torch.as_tensor(one, dtype=dtype, device=truth.device) for one in (x, y))
    return torch.where(truth, x, y, **out)


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(x: Any, y: Any, **out: Any) -> Any:
        return function(x, torch.as_tensor(y, dtype=x.dtype, device=x.device), **out)

    return extreme


def _clone(x: Any, out: Any = None) -> Any:
    return x.clone() if out is None else out.copy_(x)


def _rounding(dtype: str) -> Callable[..., Any]:
    def rounded(x: Any, out: Any) -> Any:
        return out.copy_(x.to(getattr(torch, dtype)))

    return rounded


# All of them give a number the same bits wherever it stands. Others do not: the end of an array is
# computed by other instructions than its middle, and with them a power differs in the last bit.
CALLS: dict[str, Callable[..., Any]] = {
    **{name: getattr(torch, name) for name in ("add", "sub", "mul", "div", "neg", "abs", "sqrt")},
    **{name: getattr(torch, name) for name in ("sign", "reciprocal")},
    **{name: _extreme(getattr(torch, name)) for name in ("maximum", "minimum")},
    **{name: getattr(torch, name) for name in ("gt", "ge", "lt", "le", "eq", "ne", "addcdiv")},
    **{"from": _from, "where": _where, "clone": _clone},
    **{f"round to {dtype}": _rounding(dtype) for dtype in ("float16", "bfloat16")},
}
TRUTHS = {"gt", "ge", "lt", "le", "eq", "ne"}


class Call(NamedTuple):
    """One operation. Values are numbered, arguments first; a plain number n is -1 - n."""

    name: str
    arguments: tuple[int, ...]
    value: int  # what it makes


class Element:
    """One number of every array: a value on a tape."""

    __slots__ = ("_tape", "_value", "truth")
    # ravine.ops asks the library of an array's class for what is no method of it, and that is
    # PyTorch here: torch.where, say, comes back to __torch_function__.
    __module__ = "torch"
    __array_ufunc__ = None  # NumPy's scalars leave the operators to us
    __hash__ = None  # type: ignore[assignment]  # == belongs to the rule

    def __init__(self, tape: "Tape", value: int, truth: bool = False) -> None:
        self._tape = tape
        self._value = value
        self.truth = truth

    @property
    def dtype(self) -> torch.dtype:
        """That of the arithmetic, or of truths."""
        return torch.bool if self.truth else self._tape.dtype

    def astype(self, dtype: str) -> "Element":
        """Rounded as in that type; still in the type of the arithmetic."""
        if f"torch.{dtype}" == str(self.dtype):
            return self
        return self._tape.call(f"round to {dtype}", self)

    @property
    def shape(self) -> torch.Size:
        """That of the arrays, if they have one in common."""
        if self._tape.shape is None:
            raise ShapeAsked
        return self._tape.shape

    @property
    def ndim(self) -> int:
        """How many dimensions they have."""
        return len(self.shape)

    def new_full(self, shape: tuple[()], number: Any) -> Any:
        """A plain number: what ``ravine.ops`` makes of one where PyTorch takes tensors alone."""
        if shape != ():
            raise NotElementwise("new_full")
        return number

    def __bool__(self) -> bool:
        raise NotElementwise("a branch on a value")

    def __getattr__(self, name: str) -> Any:
        raise NotElementwise(name)

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> "Element":
        if function in _OF_TENSORS and len(arguments) == 2 and not named:
            number, element = arguments  # or the element's own method would be here
            method: Callable[..., Element] = getattr(element, _OF_TENSORS[function])
            return method(number)
        if function is not torch.where or len(arguments) != 3 or named:
            raise NotElementwise(str(function))
        truth, *choices = arguments
        if not (isinstance(truth, cls) and truth.truth and any(type(x) is cls for x in choices)):
            raise NotElementwise("where")
        return truth._tape.call("where", *arguments)


# What a tensor without dimensions that stands left of an operator asks for.
_OF_TENSORS = {
    getattr(torch.Tensor, name): f"__r{method}__"
    for name, method in {"add": "add", "mul": "mul", "sub": "sub", "div": "truediv"}.items()
}


def _method(name: str, *, swapped: str = "") -> Any:
    def method(self: Element, *others: Any) -> Element:
        return self._tape.call(swapped or name, self, *others)

    return method


for _name in ("add", "sub", "mul", "truediv", "gt", "ge", "lt", "le", "eq", "ne", "neg", "abs"):
    setattr(Element, f"__{_name}__", _method(_name.replace("true", "")))
for _name, _swapped in {"add": "add", "mul": "mul", "sub": "from"}.items():
    setattr(Element, f"__r{_name}__", _method(_name, swapped=_swapped))
for _name in ("sqrt", "sign", "maximum", "minimum"):
    setattr(Element, _name, _method(_name))
# As PyTorch does it, in two roundings.
_name = "__rtruediv__"
setattr(
    Element, _name, lambda self, x: self._tape.call("mul", self._tape.call("reciprocal", self), x)
)


class Tape:
    """What a rule did with its arrays, which are the values 0 to ``count - 1``."""

    def __init__(self, count: int, dtype: torch.dtype, shape: torch.Size | None) -> None:
        self.count = count
        self.dtype = dtype
        self.shape = shape
        self.calls: list[Call] = []
        self.numbers: list[Any] = []

    def call(self, name: str, *arguments: Any) -> Element:
        """Write a call down."""
        if name not in CALLS:
            raise NotElementwise(name)
        if name in ("add", "sub") and type(arguments[1]) is float and arguments[1] == 0:
            off: Element = arguments[0]  # an option that is; only the sign of a zero may differ
            return off
        floats = arguments[1:] if name == "where" else arguments
        if any(isinstance(x, Element) and x.truth for x in floats):
            raise NotElementwise("a truth is worth something to where alone")
        value = self.count + len(self.calls)
        self.calls.append(Call(name, tuple([self._number(x) for x in arguments]), value))
        return Element(self, value, name in TRUTHS)

    def _number(self, x: Any) -> int:
        if isinstance(x, Element):
            if x._tape is not self:
                raise NotElementwise("kept from another step")
            return x._value
        # Of an array beside w nobody knows the place in a run of weights.
        if not isinstance(x, float | int) and not (isinstance(x, torch.Tensor) and not x.dim()):
            raise NotElementwise(repr(x))
        self.numbers.append(x)
        return -len(self.numbers)

    def value_of(self, x: Any) -> int:
        """The value of a result, which is an array."""
        if not isinstance(x, Element) or x.truth:
            raise NotElementwise(repr(x))
        return self._number(x)


def record(
    function: Callable[..., Sequence[Any]],
    count: int,
    dtype: torch.dtype,
    shape: torch.Size | None = None,
) -> tuple["Program", list[Any]]:
    """What a function does with ``count`` arrays, all of ``shape`` if given; the numbers in it.

    It returns new values for arrays 0, 2, 3 …: 1, the gradient, stays. Raises
    :class:`NotElementwise` where it needs more of them than single elements.
    """
    tape = Tape(count, dtype, shape)
    try:
        results = [tape.value_of(x) for x in function(*(Element(tape, i) for i in range(count)))]
    except NotElementwise:
        raise
    except Exception as problem:  # whoever is at fault: on whole arrays it will show
        raise NotElementwise from problem
    fixed = tuple(isinstance(x, torch.Tensor) for x in tape.numbers)
    return Program(count, tuple(tape.calls), tuple(results), fixed), tape.numbers


class Program(NamedTuple):
    """What is the same in every step with the same rule."""

    arrays: int
    calls: tuple[Call, ...]
    results: tuple[int, ...]  # values
    tensors: tuple[bool, ...]  # which plain numbers are none, but tensors without dimensions

    @property
    def targets(self) -> list[int]:
        """The arrays that the results are new values of."""
        return [i for i in range(self.arrays) if i != 1]
