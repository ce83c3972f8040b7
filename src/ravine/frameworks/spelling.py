"""Text becomes a rule: ``adam(beta_1=0.8)``, ``clip(momentum, clipnorm=1)``. Never evaluated."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from ravine.errors import InvalidArgument, unknown
from ravine.rules import RULES, VARIANTS
from ravine.rules.schedules import SCHEDULES
from ravine.rules.update_rule import Rule, declared_defaults
from ravine.rules.wrappers import WRAPPING, Scheduled, Wrapper

AnyRule = str | type[Rule] | Rule
KNOWN: Mapping[str, type[Rule]] = {**RULES, **VARIANTS, **WRAPPING}


def read_rule(given: AnyRule) -> Rule:
    """A rule from its name, its spelling with hyperparameters, its class or itself."""
    if isinstance(given, Rule):
        return given
    if isinstance(given, type) and issubclass(given, Rule):
        return read_rule(given.name) if issubclass(given, Wrapper) else given()
    if isinstance(given, str):
        rules = read_rules(given)
        if len(rules) == 1:
            return rules[0]
    raise InvalidArgument(f"a rule is a name, a Rule class or a Rule object, not {given!r}")


def read_rules(text: str) -> list[Rule]:
    """The rules of a comma-separated list such as ``sgd,adam(beta_1=0.8)``."""
    return [_rule(node, text) for node in _parsed(text, "rules", "sgd,adam(beta_1=0.8)")]


def is_spelled(name: str) -> bool:
    """Whether a rule's text is enough to make it, as it is of ravine's own.

    >>> is_spelled("decay(adam)"), is_spelled("decay(mine)")
    (True, False)
    """
    try:
        read_rule(name)
    except InvalidArgument:
        return False
    return True


def read_schedule(text: str) -> dict[str, Any]:
    """What ``Scheduled`` is given for a schedule such as ``cosine(warmup=0.05)``.

    >>> read_schedule("linear(warmup=0.1, end=0.01)")
    {'schedule': 'linear', 'warmup': 0.1, 'end': 0.01}
    """
    known = [name for name in declared_defaults(Scheduled) if name not in ("schedule", "steps")]
    nodes = _parsed(text, "schedule", "cosine(warmup=0.05)") if isinstance(text, str) else []
    if len(nodes) != 1:
        raise InvalidArgument(f"a schedule is one of {', '.join(SCHEDULES)}, not {text!r}")
    name, given, held = _call(nodes[0], text, "a schedule as 'cosine(warmup=0.05)'")
    if name not in SCHEDULES:
        raise unknown("schedule", name, SCHEDULES)
    if held:
        raise InvalidArgument(f"cannot read {text!r}: write a schedule as 'cosine(warmup=0.05)'")
    for argument in given:
        if argument not in known:
            raise unknown(f"hyperparameter of schedule {name}", argument, known)
    return {"schedule": name} | {k: _value(v, text, None) for k, v in given.items()}


def _parsed(text: str, what: str, example: str) -> list[ast.expr]:
    try:
        parsed = ast.parse(f"({text},)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        parsed = None
    if not isinstance(parsed, ast.Tuple) or not parsed.elts:
        raise InvalidArgument(f"cannot read the {what} {text!r}: write them as '{example}'")
    return parsed.elts


def _call(
    node: ast.expr, text: str, example: str
) -> tuple[str, dict[str, ast.expr], list[ast.expr]]:
    """A name, what it is given by name, and what it is given by place."""
    named: dict[str, ast.expr] = {}
    placed: list[ast.expr] = []
    whole = node
    if isinstance(node, ast.Call):
        placed = node.args
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in named:
                raise InvalidArgument(
                    f"cannot read {ast.unparse(keyword)!r} in {text!r}: each "
                    "hyperparameter is given once, by name"
                )
            named[keyword.arg] = keyword.value
        node = node.func
    if not isinstance(node, ast.Name):
        raise InvalidArgument(f"cannot read {ast.unparse(whole)!r} in {text!r}: write {example}")
    return node.id.lower() if node.id.lower() in {*KNOWN, *SCHEDULES} else node.id, named, placed


def _rule(node: ast.expr, text: str) -> Rule:
    name, named, placed = _call(node, text, "a rule as 'adam(beta_1=0.8)'")
    if name not in KNOWN:
        raise unknown("rule", name, KNOWN)
    kind = KNOWN[name]
    holds: Iterable[str] = kind.holds if issubclass(kind, Wrapper) else ()
    if placed and (not holds or len(placed) > 1 or "rule" in named):
        example = f"'{name}(adam, …)'" if holds else "a rule as 'adam(beta_1=0.8)'"
        raise InvalidArgument(f"cannot read {ast.unparse(node)!r} in {text!r}: write {example}")
    if placed:
        named = {"rule": placed[0], **named}
    if holds and "rule" not in named:
        raise InvalidArgument(f"{name} holds another rule: write it as '{name}(adam)'")
    held = {field: _rule(named.pop(field), text) for field in holds if field in named}
    defaults = declared_defaults(kind)
    for argument in named:
        for field, rule in held.items():
            if argument in rule.hyperparameters() and argument not in defaults:
                raise InvalidArgument(
                    f"{argument} is a hyperparameter of {rule.name}: write "
                    f"'{name}({'' if field == 'rule' else 'biases='}{rule.name}({argument}=…))'"
                )
        if argument not in defaults:
            raise unknown(
                f"hyperparameter of {name}", argument, {**dict.fromkeys(holds), **defaults}
            )
    values = {k: _value(v, text, defaults[k]) for k, v in named.items()}
    return kind(**held, **values)


def _value(node: ast.expr, text: str, default: Any) -> Any:
    if isinstance(default, str) and isinstance(node, ast.Name):
        return node.id  # schedule=cosine
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise InvalidArgument(f"{ast.unparse(node)!r} in {text!r} is not a number") from None
    except RecursionError:
        raise InvalidArgument(f"a hyperparameter in '{text[:40]}…' is not a number") from None
