"""One value in a rule that is run on symbols: it remembers how it was calculated, in what order."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

from ravine.errors import RavineError

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
# Functions of one number that formulas of surfaces have beyond what rules use, named as in C.
FUNCTIONS = ("sin", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log")


class Symbol(NamedTuple):
    """What has a name: w, g, t (no owner), a hyperparameter ("h"), a state field ("s"), a local."""

    owner: str
    name: str


class Untraceable(RavineError):
    """A rule did with a value what cannot be written down; the message says what to do instead."""


def _operator(kind: str) -> Callable[["Node", Any], "Node"]:
    def apply(self: "Node", other: Any) -> "Node":
        return Node(kind, (self, as_node(other)))

    return apply


def _swapped(kind: str) -> Callable[["Node", Any], "Node"]:
    def apply(self: "Node", other: Any) -> "Node":
        return Node(kind, (as_node(other), self))

    return apply


def _refuse(what: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise Untraceable(f"{what}; {instead}")

    return refuse


_BRANCH = 'asks whether a value is true ("if", "and", "or", "max"), which an array cannot say'
_NUMBER = "turns a value into a Python number, which an array is not"
_NUMPY = "hands a value to NumPy, which other libraries' arrays do not allow"
_OPS = (
    "use operators and ravine.ops: sqrt, sign, maximum, minimum, where, power, cos, norm; "
    "0 * w for zeros like w"
)


class Node:
    """A number, a symbol, or an operation on other nodes.

    ``serial`` counts the nodes as they are made, so that lines can be put in the order in which
    the rule's author wrote them. Two nodes are the same value only if they are the same object:
    ``==`` belongs to the rule.
    """

    __slots__ = ("kind", "parts", "serial", "value")
    dtype = "traced"  # what has a dtype is an array to a rule; its range is not checked
    _count = itertools.count()

    def __init__(self, kind: str, parts: tuple["Node", ...] = (), value: Any = None) -> None:
        self.kind = kind
        self.parts = parts
        self.value = value
        self.serial = next(Node._count)

    __add__ = _operator("+")
    __radd__ = _swapped("+")
    __sub__ = _operator("-")
    __rsub__ = _swapped("-")
    __mul__ = _operator("*")
    __rmul__ = _swapped("*")
    __truediv__ = _operator("/")
    __rtruediv__ = _swapped("/")
    __pow__ = _operator("power")
    __rpow__ = _swapped("power")
    __lt__ = _operator("<")
    __le__ = _operator("<=")
    __gt__ = _operator(">")
    __ge__ = _operator(">=")
    __eq__ = _operator("==")  # type: ignore[assignment]  # a comparison is a node too
    __ne__ = _operator("!=")  # type: ignore[assignment]  # as above
    __hash__ = object.__hash__

    def __neg__(self) -> "Node":
        return Node("negative", (self,))

    def __pos__(self) -> "Node":
        return self

    def __abs__(self) -> "Node":
        return Node("abs", (self,))

    def sqrt(self) -> "Node":
        """Asked by ``ravine.ops.sqrt``."""
        return Node("sqrt", (self,))

    def sign(self) -> "Node":
        """Asked by ``ravine.ops.sign``."""
        return Node("sign", (self,))

    def cos(self) -> "Node":
        """Asked by ``ravine.ops.cos``."""
        return Node("cos", (self,))

    def norm(self) -> "Node":
        """Asked by ``ravine.ops.norm``."""
        return Node("norm", (self,))

    def maximum(self, other: Any) -> "Node":
        """Asked by ``ravine.ops.maximum``."""
        return Node("maximum", (self, as_node(other)))

    def minimum(self, other: Any) -> "Node":
        """Asked by ``ravine.ops.minimum``."""
        return Node("minimum", (self, as_node(other)))

    __bool__ = _refuse(_BRANCH, "use ravine.ops.where(condition, x, y) or ravine.ops.maximum")
    __float__ = __int__ = __index__ = __complex__ = __round__ = _refuse(_NUMBER, _OPS)
    __floor__ = __ceil__ = __trunc__ = _refuse(_NUMBER, _OPS)
    __array__ = __array_ufunc__ = __array_function__ = _refuse(_NUMPY, _OPS)

    def is_number(self, value: float) -> bool:
        """Whether this is the constant given."""
        return self.kind == "number" and bool(self.value == value)

    @property
    def is_leaf(self) -> bool:
        """Whether nothing is calculated here."""
        return not self.parts

    def inside(self) -> Iterator["Node"]:
        """Itself and all that it is made of, each once."""
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if id(node) not in seen:
                seen.add(id(node))
                yield node
                waiting.extend(node.parts)


def as_node(value: Any) -> Node:
    """A node as it is; a plain number as a constant."""
    if isinstance(value, Node):
        return value
    if isinstance(value, int | float):  # True and False too: they calculate as 1 and 0
        return Node("number", value=float(value))
    raise Untraceable(f"mixes a value with {type(value).__module__}.{type(value).__name__}; {_OPS}")


def where(condition: Any, x: Any, y: Any) -> Node:
    """Asked by ``ravine.ops.where``."""
    return Node("where", (as_node(condition), as_node(x), as_node(y)))
