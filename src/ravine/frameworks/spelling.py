"""Text becomes a rule: ``adam(beta_1=0.8)``. It is parsed, never evaluated."""

import ast
from collections.abc import Iterable
from typing import Any

from ravine.errors import WrongCall, unknown
from ravine.rules import RULES
from ravine.update_rule import Rule


def read_rule(given: str | type[Rule] | Rule) -> Rule:
    """A rule from its name, its spelling with hyperparameters, its class or itself."""
    if isinstance(given, Rule):
        return given
    if isinstance(given, type) and issubclass(given, Rule):
        return given()
    if isinstance(given, str):
        rules = read_rules(given)
        if len(rules) == 1:
            return rules[0]
    raise WrongCall(f"a rule is a name, a Rule class or a Rule object, not {given!r}")


def read_rules(text: str) -> list[Rule]:
    """The rules of a comma-separated list such as ``sgd,adam(beta_1=0.8)``."""
    try:
        parsed = ast.parse(f"({text},)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        parsed = None
    if not isinstance(parsed, ast.Tuple) or not parsed.elts:
        raise WrongCall(f"cannot read the rules {text!r}: write them as 'sgd,adam(beta_1=0.8)'")
    return [_rule(node, text) for node in parsed.elts]


def _rule(node: ast.expr, text: str) -> Rule:
    arguments: dict[str, Any] = {}
    if isinstance(node, ast.Call) and not node.args:
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in arguments:
                raise WrongCall(
                    f"cannot read {ast.unparse(keyword)!r} in {text!r}: each "
                    "hyperparameter is given once, by name"
                )
            arguments[keyword.arg] = _value(keyword.value, text)
        node = node.func
    if not isinstance(node, ast.Name):
        raise WrongCall(
            f"cannot read {ast.unparse(node)!r} in {text!r}: write a rule as 'adam(beta_1=0.8)'"
        )
    name = node.id.lower()
    if name not in RULES:
        raise unknown("rule", node.id, RULES)
    known: Iterable[str] = RULES[name].hyperparameters()
    for argument in arguments:
        if argument not in known:
            raise unknown(f"hyperparameter of {name}", argument, known)
    return RULES[name](**arguments)


def _value(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise WrongCall(f"{ast.unparse(node)!r} in {text!r} is not a number") from None
    except RecursionError:
        raise WrongCall(f"a hyperparameter in '{text[:40]}…' is not a number") from None
