"""A line of code, taken apart: what is called, with what. It is parsed, never evaluated."""

import ast
import contextlib
import functools
import inspect
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ravine.errors import InvalidArgument, unknown
from ravine.rules.update_rule import Rule

Reader = Callable[..., Rule]

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


_IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Call:
    """``keras.optimizers.SGD(0.1, momentum=0.9)``: arguments are literals, calls or other text."""

    name: str
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]

    def bound(self, to: Callable[..., Any]) -> dict[str, Any]:
        """All arguments by name, the defaults of the native filled in."""
        signature = inspect.signature(to)
        for name in self.named:
            if name not in signature.parameters:
                raise unknown(f"argument of {self.name}", name, signature.parameters)
        try:
            found = signature.bind(*self.arguments, **self.named)
        except TypeError as error:
            raise InvalidArgument(f"{self.name}: {error}") from None
        found.apply_defaults()
        return dict(found.arguments)


@dataclass(frozen=True)
class Other:
    """Code that is neither a literal nor a call: ``model.parameters()``, a variable."""

    text: str

    def __str__(self) -> str:
        return _short(self.text)


def parse(text: str) -> Call:
    """The call that a text spells; it may stand right of an equals sign.

    Of several lines it is the last one's; those before it may name what it is given.
    """
    lines: list[ast.stmt] = []
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        lines = [x for x in ast.parse(text.strip()).body if not isinstance(x, _IMPORTS)]
    found: Any = None
    with contextlib.suppress(RecursionError):
        found = _last(lines)
    if not isinstance(found, Call):
        raise InvalidArgument(
            f"cannot read {_short(text)!r}: write an optimizer as its framework does, such as "
            "keras.optimizers.Adam(learning_rate=0.001)"
        )
    return found


def _last(lines: list[ast.stmt]) -> Any:
    names: dict[str, Any] = {}
    found: Any = None
    for place, line in enumerate(lines, 1):
        if not isinstance(line, ast.Expr | ast.Assign) or (
            place < len(lines) and not isinstance(line, ast.Assign)
        ):
            return None
        node = line.value
        if len(lines) == 1 and isinstance(node, ast.Name | ast.Attribute):
            node = ast.Call(node, [], [])
        found = _value(node, names)
        if isinstance(line, ast.Assign):
            names |= {one.id: found for one in line.targets if isinstance(one, ast.Name)}
    return found


def number(value: Any, name: str) -> float:
    """A plain number, or an error that says whose argument is none."""
    if isinstance(value, Call):
        raise InvalidArgument(f"{name}={value.name}(…) is not evaluated: write a plain number")
    if isinstance(value, Other):
        raise InvalidArgument(
            f"{name}={value} is not evaluated: write the plain number that it is, or before this "
            "the line that sets it"
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgument(f"{name}={_short(repr(value))} is not a plain number")
    try:
        return float(value)
    except OverflowError:
        raise InvalidArgument(f"{name}={_short(str(value))} is too large") from None


def lifted(
    call: Call, known: Mapping[str, Any], curve: Callable[[Call, Mapping[str, Any]], Any]
) -> tuple[Call, dict[str, Any]]:
    """A call with the first rate in place of its schedule, and what that is to ``Scheduled``."""
    name = next((n for n in ("learning_rate", "lr", "step_size_fn") if n in call.named), None)
    given = call.named[name] if name else call.arguments[0] if call.arguments else None
    if not isinstance(given, Call) or not known or not _is_schedule(given, known):
        return call, {}
    rate, options = curve(given, known)
    if name:
        return Call(call.name, call.arguments, {**call.named, name: rate}), options
    return Call(call.name, (rate, *call.arguments[1:]), call.named), options


def _is_schedule(call: Call, known: Mapping[str, Any]) -> bool:
    short = call.name.rpartition(".")[2]
    return short in known or any(word in call.name.lower() for word in ("schedule", "decay"))


def refused(reason: str, **arguments: Any) -> None:
    """Raise an error for the first argument that is set: neither None nor False nor 0."""
    for name, value in arguments.items():
        if value is not None and value != 0:
            raise InvalidArgument(f"{name}={value} is not translated: {reason}")


def reader(registry: dict[str, Reader], common: Reader) -> Callable[[Reader], Reader]:
    """Enters a function under its name, with the parameters that all of a framework's share.

    The function has the parameters and defaults of the native, and makes the rule; ``common``
    takes that rule and all that it has not taken. What is not None or a flag is made a number.
    """

    def enter(function: Reader) -> Reader:
        own = inspect.signature(function).parameters
        _, *rest = inspect.signature(common).parameters.values()
        rest = [p.replace(kind=p.KEYWORD_ONLY) for p in rest if p.name not in own]

        @functools.wraps(function)
        def read(**given: Any) -> Rule:
            mine = {name: _numeric(given[name], name, p) for name, p in own.items()}
            return common(function(**mine), **{p.name: given[p.name] for p in rest})

        whole = inspect.Signature([*own.values(), *rest])
        read.__signature__ = whole  # type: ignore[attr-defined]  # Call.bound asks for it
        registry[function.__name__] = read
        return read

    return enter


def _numeric(value: Any, name: str, parameter: inspect.Parameter) -> Any:
    if isinstance(parameter.default, bool):
        if value not in (True, False):  # a variable's name, say, which might be either
            raise InvalidArgument(f"{name}={value} is neither True nor False")
        return bool(value)
    if value is parameter.default:
        return value
    if isinstance(parameter.default, tuple):
        if not isinstance(value, tuple | list) or len(value) != len(parameter.default):
            raise InvalidArgument(f"{name}={value} is not a pair of numbers")
        return tuple(number(one, name) for one in value)
    return number(value, name)


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """A literal, a call or other code; ``names`` are those of the lines before."""
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.Call):
        function, arguments = _inner(node)
        name = ast.unparse(function)
        if isinstance(function, ast.Name | ast.Attribute) and "(" not in name:
            if any(k.arg is None for k in node.keywords):
                raise InvalidArgument(f"{name}: ** is not read; write each argument by name")
            if any(isinstance(x, ast.Starred) for x in arguments):
                raise InvalidArgument(f"{name}: * is not read; write each argument")
            given = [k.arg for k in node.keywords]
            if twice := next((n for n in given if given.count(n) > 1), None):
                raise InvalidArgument(f"{name}: {twice} is given twice")
            named = {str(k.arg): _value(k.value, names) for k in node.keywords}
            return Call(name, tuple(_value(x, names) for x in arguments), named)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        sides = _value(node.left, names), _value(node.right, names)
        if all(isinstance(x, int | float) and abs(x) < 1e9 for x in sides):  # as 1e-3 * 8
            with contextlib.suppress(ArithmeticError):
                return _ARITHMETIC[type(node.op)](*map(float, sides))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        composed = isinstance(node.operand, ast.Name | ast.BinOp)  # as -lr, or -(2 * lr)
        value = _value(node.operand, names) if composed else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        return Other(ast.unparse(node))


def _inner(node: ast.Call) -> tuple[ast.expr, list[ast.expr]]:
    """What is called, with what: of ``optax.inject_hyperparams(optax.adam)(…)`` it is adam."""
    outer = node.func
    if not isinstance(outer, ast.Call) or not ast.unparse(outer.func).endswith(_INJECTED):
        return outer, node.args
    if wrong := [str(k.arg) for k in outer.keywords if k.arg != "static_args"]:
        raise InvalidArgument(
            f"{ast.unparse(outer.func)}: {wrong[0]} is not translated: leave it out"
        )
    return (outer.args[0], node.args) if outer.args else (outer, node.args)


# What lets hyperparameters be set from outside, and leaves them what they are.
_INJECTED = ("inject_hyperparams", "inject_stateful_hyperparams")


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "…"
