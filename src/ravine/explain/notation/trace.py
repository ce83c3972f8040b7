"""A rule run on symbols: the values it calculates, under the names that its author gave them.

Names come from the local variables that the rule's methods end with; they are read from the
running methods, so inheritance and rules that hold other rules need no special care.
"""

import dataclasses
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

from ravine.errors import RavineError
from ravine.explain.notation.node import Node, Symbol, Untraceable, as_node
from ravine.rules import update_rule
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import Wrapper, wrapper

Named = tuple[Symbol, Node]
W = Symbol("", "w")
_MACHINERY = (update_rule.__name__, wrapper.__name__)  # what no rule's author wrote


class Method(NamedTuple):
    """One method of a rule: what it returns, and the local variables on the way."""

    results: tuple[Named, ...]  # state fields, then weights
    locals: tuple[Named, ...]


class Trace(NamedTuple):
    """A rule as symbols. Each method was given symbols of its own."""

    init: Method
    lookahead: Method
    update: Method
    read: Method


def trace(rule: Rule, *, zeros: bool = True) -> Trace:
    """Run a rule's methods on symbols.

    Hyperparameters become symbols, but for what is not a number: ``None`` and flags choose how a
    rule is built. Without ``zeros`` neither do those that are 0: what is switched off is not
    shown. A partition is traced as a number sees it; see ``ravine.rules.wrappers.partition.parts``.
    Raises ``RavineError`` with advice if the rule asks for more than arithmetic.

    >>> from ravine import SGD
    >>> [symbol.name for symbol, value in trace(SGD()).update.results]
    ['w']
    """
    names = [name for name, _ in hyperparameters(rule)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise RavineError(f"{rule.name} has two hyperparameters called {twice.pop()}; rename one")
    symbolic = _symbolic(rule, zeros)
    w, g, t = (Node("symbol", value=Symbol("", name)) for name in "wgt")
    state: Any = None

    def run(name: str, *arguments: Any) -> Method:
        nonlocal state
        with _explained(rule, name):
            result, found = _run(getattr(symbolic, name), *arguments)
            results: tuple[Named, ...] = ()
            if name == "update":
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise Untraceable("does not return a pair (w, state)")
                result, new = result
                results = _fields(new)
                if [s for s, _ in results] != [s for s, _ in _fields(state)]:
                    raise Untraceable("returns a state unlike the one that init makes")
            if name == "init":
                state = _mapped(result, lambda s, _: Node("symbol", value=s))
                return Method(_fields(result), found)
            return Method((*results, (W, as_node(result))), found)

    init = run("init", w)
    lookahead = run("lookahead", w, state, t)
    with _explained(rule, "together"):
        (g,) = symbolic.together([g])  # alone, it is all gradients together
    return Trace(init, lookahead, run("update", w, g, state, t), run("read", w, state, t))


def steps(method: Method, *, constants: bool = True) -> Iterator[Named]:
    """All that is calculated, in the order written: named values, each once.

    A value that is used twice and whose name was given away again is called ``x_1``, ``x_2`` …
    Without ``constants``, what does not change from step to step is left inside its users.
    """
    uses: dict[int, int] = {}
    reached: dict[int, Node] = {}
    for _, result in method.results:
        for node in result.inside():
            if id(node) not in reached:
                reached[id(node)] = node
                for part in node.parts:
                    uses[id(part)] = uses.get(id(part), 0) + 1
    names: dict[int, Symbol] = {}
    for name, node in (*method.results, *method.locals):
        names.setdefault(id(node), name)
    count = 0
    for node in sorted(reached.values(), key=lambda node: node.serial):
        name = names.get(id(node), Symbol("local", ""))
        if node.is_leaf or not (constants or name.owner != "local" or moves(node)):
            continue
        if name.name:
            yield name, node
        elif uses.get(id(node), 0) > 1:
            count += 1
            yield Symbol("local", f"x_{count}"), node


def moves(node: Node) -> bool:
    """Whether a value may change from step to step: not if it is made of hyperparameters alone."""
    return any(n.kind == "symbol" and n.value.owner != "h" for n in node.inside())


def hyperparameters(rule: Rule) -> Iterator[tuple[str, Any]]:
    """Names and values of a rule's hyperparameters; those of a rule that it holds come after."""
    yield from rule.values().items()
    for _, held in _held(rule):
        yield from hyperparameters(held)


def is_structure(value: Any) -> bool:
    """Whether a hyperparameter decides how a rule is built instead of entering its arithmetic."""
    return value is None or isinstance(value, bool | str)


def _held(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rules in a rule's fields, where its own hyperparameters do not include theirs."""
    if isinstance(rule, Wrapper):
        return
    for field in dataclasses.fields(rule):  # type: ignore[arg-type]  # @rule makes it a dataclass
        held = getattr(rule, field.name)
        if isinstance(held, Rule):
            yield field.name, held


def _symbolic(rule: Rule, zeros: bool) -> Rule:
    changes: dict[str, Any] = {
        name: Node("symbol", value=Symbol("h", name))
        for name, value in rule.values().items()
        if not is_structure(value) and (zeros or not (isinstance(value, float) and value == 0))
    }
    for field, held in _held(rule):
        changes[field] = _symbolic(held, zeros)
    with _explained(rule, "__post_init__"):
        return rule.replace(changes)


def _run(method: Callable[..., Any], *arguments: Any) -> tuple[Any, tuple[Named, ...]]:
    """The result of a method, and the local variables of it and of other rules' it called."""
    found: list[Named] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "return" or not code.co_argcount or code.co_name == "__init__":
            return
        values = frame.f_locals
        of_a_rule = isinstance(values.get(code.co_varnames[0]), Rule)
        if of_a_rule and frame.f_globals.get("__name__") not in _MACHINERY:
            found.extend((Symbol("local", k), v) for k, v in values.items() if isinstance(v, Node))

    def run() -> Any:
        sys.setprofile(watch)
        return method(*arguments)

    # A profiler belongs to a thread: in one of its own nobody else's is disturbed.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(run).result(), tuple(found)


@contextmanager
def _explained(rule: Rule, method: str) -> Iterator[None]:
    """Whatever goes wrong inside a rule becomes an error that says where, and what to do."""
    try:
        yield
    except Exception as error:
        lines = [f for f in traceback.extract_tb(error.__traceback__) if f.name == method]
        where = f", line {lines[-1].lineno} of {lines[-1].filename}" if lines else ""
        said = str(error) if isinstance(error, Untraceable) else f"fails on symbols: {error}"
        if not isinstance(error, Untraceable):
            said += "; use operators and ravine.ops alone"
        raise RavineError(f"{rule.name} cannot be written down: {method} {said}{where}") from error


def _mapped(state: Any, change: Callable[[Symbol, Any], Any], *path: str) -> Any:
    """The same state with every field changed; those of a state inside are ``outer_inner``."""
    if not isinstance(state, tuple):
        return change(Symbol("s", "_".join(path) or "state"), state)
    names = getattr(state, "_fields", None)
    fields = names or [f"s_{i}" for i in range(len(state))]
    values = [_mapped(x, change, *path, name) for name, x in zip(fields, state, strict=True)]
    return type(state)(*values) if names is not None else tuple(values)


def _fields(state: Any) -> tuple[Named, ...]:
    fields: list[Named] = []
    _mapped(state, lambda symbol, value: fields.append((symbol, as_node(value))))
    return tuple(fields)
