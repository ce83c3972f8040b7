"""The problem to walk on, and the walks of rules: what all frameworks are given alike.

A problem is where the weights start, and the gradients of each array step by step. ``FACTORS`` are
what the learning rate is multiplied by. They are those with which ``ravine.translation`` measures,
so that its figures can be checked.
"""

import ast
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import ravine
from ravine.frameworks.translate import READERS
from ravine.rules.update_rule import Rule

Floats = NDArray[np.float64]
STEPS = 100
SIZES = (1.0, 1e-2, 1e-4, 1e-6, 1e-8)
FACTORS = {
    "constant": np.ones(STEPS),
    "changing": 1 + 0.5 * np.sin(np.arange(1, STEPS + 1)),
}


class Problem(NamedTuple):
    start: list[Floats]
    slopes: list[Floats]  # of each array, a row a step


def problem_of(line: str) -> Problem:
    """Gradients of several sizes, a row each, and one array more for what knows arrays apart."""
    t = np.arange(1, STEPS + 1)[:, None]
    one = np.sin(t * np.sqrt([2.0, 3.0, 5.0])) * [1.0, 0.3, 0.1] + [0.2, 0.0, 0.1]
    rows = np.array(SIZES)[None, :, None] * one[:, None, :]
    if "clip" not in line.lower():
        return Problem([np.zeros((len(SIZES), 3))], [rows])
    return Problem([np.zeros((len(SIZES), 3)), np.zeros(2)], [rows, 0.5 * one[:, 1:]])


def is_keras(line: str) -> bool:
    return line.startswith(("keras.", "ravine.to_keras("))


def by_rule(rule: Rule, factors: Floats, problem: Problem) -> Floats:
    """The points where gradients are taken, in NumPy."""
    weights = problem.start
    states = [rule.init(w) for w in weights]
    path = []
    for t, factor in enumerate(factors, 1):
        now = rule.replace({"learning_rate": rule.learning_rate * float(factor)})
        gradients = now.together([slopes[t - 1] for slopes in problem.slopes])
        moved = [
            now.update(w, g, state, t)
            for w, g, state in zip(weights, gradients, states, strict=True)
        ]
        weights, states = [w for w, _ in moved], [state for _, state in moved]
        following = factors[min(t, len(factors) - 1)]
        then = rule.replace({"learning_rate": rule.learning_rate * float(following)})
        path.append(
            flat([then.lookahead(w, s, t + 1) for w, s in zip(weights, states, strict=True)])
        )
    return np.array(path)


def flat(arrays: Sequence[Any]) -> Floats:
    return np.concatenate([np.asarray(x, np.float64).ravel() for x in arrays])


def built(text: str, rate: Callable[[float], Any] | None = None, **names: Any) -> Any:
    """What a line of code makes. Given ``rate``, its learning rate is what that makes of it."""
    tree = ast.parse(text, mode="eval")
    if rate is not None:
        tree = ast.fix_missing_locations(_Rated().visit(tree))
    return eval(compile(tree, text, "eval"), {"ravine": ravine, "rate": rate, **names})


class _Rated(ast.NodeTransformer):
    """Brings a function into the place of every native's learning rate."""

    names = {name for readers in READERS.values() for name in readers}  # noqa: RUF012

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        native = isinstance(node.func, ast.Attribute) and node.func.attr in self.names
        if not native or ast.unparse(node.func).startswith("ravine."):
            return node
        for keyword in node.keywords:
            if keyword.arg == "learning_rate":
                keyword.value = ast.Call(ast.Name("rate", ast.Load()), [keyword.value], [])
                return node
        node.args[0] = ast.Call(ast.Name("rate", ast.Load()), [node.args[0]], [])
        return node
