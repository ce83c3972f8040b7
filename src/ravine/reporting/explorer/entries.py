"""A rule as the page holds it: traced code and equations, and a control a hyperparameter."""

import json
import math
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from ravine.errors import InvalidArgument, RavineError
from ravine.explain.notation import javascript, mathml
from ravine.explain.notation.equations import Letters
from ravine.explain.notation.node import Symbol
from ravine.explain.notation.trace import trace
from ravine.frameworks.spelling import is_spelled
from ravine.reporting.style import PAGE, looks
from ravine.rules import RULES
from ravine.rules.update_rule import Hyper, Rule
from ravine.rules.wrappers import Wrapper

_STYLE = re.compile(r' style="[^"]*"')  # the page's own style sheet says it once
_ROW = re.compile(r"<mtr>(.*?)</mtr>", re.DOTALL)
_MEMORY_LEAST = 1e-4  # how near to 1 the slider of a share in [0, 1) goes


class Entry:
    """One rule of the page. Raises ``InvalidArgument`` for one that no coordinate can do alone."""

    def __init__(self, rule: Rule) -> None:
        if isinstance(rule, Wrapper) or rule.spans_arrays:
            raise InvalidArgument(
                f"the explorer shows rules that wrap no other, not '{rule}'; take the rule inside"
            )
        self.rule = rule
        self.name = rule.name
        self.kind = type(rule)()  # as declared: the page's changes are changes to this
        self.given = {
            name: value for name, value in rule.values().items() if value != self._defaults[name]
        }

    @property
    def title(self) -> str:
        """Its name in a sentence."""
        if self.name in RULES:
            return type(self.rule).__name__
        first, *rest = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self.rule).__name__).split(" ")
        return " ".join([first, *map(str.lower, rest)])

    @property
    def _defaults(self) -> dict[str, Any]:
        return self.kind.defaults()

    def script(self, everyone: list[str], rows: dict[str, int]) -> str:
        """An object: what is known of the rule, and ``forms``, its code with and without options.

        A hyperparameter that may be None decides how a rule is built, so there is a form for it
        given and one for it not given, under the names of those given.
        """
        look = looks(everyone, PAGE)[self.name]  # the page says what is light and what dark
        known = {
            "name": self.name,
            "title": self.title,
            "dash": list(look.dash) if look.dash[1] else [],
            "outline": look.outline,
            "about": (type(self.rule).__doc__ or "").strip().splitlines()[0],
            "slot": list(looks(everyone)).index(self.name),
            "shade": look.colour,
            "lookahead": self.rule.looks_ahead,
            "equations": {
                key: [rows.setdefault(row, len(rows)) for row in texts]
                for key, texts in self.equations().items()
            },
            "controls": list(self.controls()),
            "memory": list(self.memory()),
            "module": None if is_spelled(self.name) else type(self.rule).__module__,
            "kind": type(self.rule).__name__,
        }
        forms = ",\n".join(
            f"{json.dumps(key)}: {javascript.literal(form, whole=False)}"
            for key, form in self.forms().items()
        )
        text = json.dumps(known, ensure_ascii=False, separators=(",", ":"))
        return f"{text[:-1]},forms: {{\n{forms}\n}}}}"

    def forms(self) -> dict[str, Rule]:
        """The rule as declared, and with each of the hyperparameters given that may be None."""
        optional = [name for name, value in self._defaults.items() if value is None]
        changes = dict.fromkeys(optional, 0.5)
        forms = {"": self.kind}
        return forms | ({"|".join(optional): self.kind.replace(changes)} if optional else {})

    def equations(self) -> dict[str, list[str]]:
        """Rows of MathML by form: as declared, and ``full``, with nothing that is switched off."""
        full = self.kind.replace(
            {
                name: _some(self.kind.hyperparameters()[name])
                for name, value in self._defaults.items()
                if value is None or value == 0
            }
        )
        forms = {"plain": mathml.write(self.kind), "full": mathml.write(full)}
        return {key: _ROW.findall(_STYLE.sub("", unescape(text))) for key, text in forms.items()}

    def controls(self) -> Iterator[dict[str, Any]]:
        """What a slider needs to know of each hyperparameter."""
        for name, declared in self.kind.hyperparameters().items():
            default = self._defaults[name]
            yield {
                "name": name,
                "glyph": _letter(Letters(self.kind), Symbol("h", name)),
                "meaning": declared.meaning,
                "unit": declared.unit,
                "allowed": declared.allowed,
                "valid": declared.valid,
                "default": default,
                **_scale(declared, default),
            }

    def memory(self) -> Iterator[dict[str, Any]]:
        """The fields of a rule's state, and how each answers to the gradient.

        Found by asking: a field that doubles and turns round with g is an arrow, one that
        quadruples is a scale, anything else a number.
        """
        fields = [symbol for symbol, _ in trace(self.kind).init.results]
        letters = Letters(self.kind)
        for symbol, *values in zip(fields, *map(self._after, (1.0, -1.0, 2.0)), strict=True):
            one, turned, twice = values
            ratio = twice / one if one else math.nan
            arrow = turned == -one and math.isclose(ratio, 2)
            scale = turned == one and math.isclose(ratio, 4)
            yield {
                "name": symbol.name,
                "glyph": _letter(letters, symbol),
                "kind": "arrow" if arrow else "scale" if scale else "number",
            }

    def _after(self, g: float) -> list[float]:
        _, state = self.kind.update(0.0, g, self.kind.init(0.0), 1.0)
        return list(_flat(state))


def script(entries: list[Entry]) -> str:
    """The rules of a page, the rows of their equations, each once, and the functions they call."""
    everyone = [entry.name for entry in entries]
    rows: dict[str, int] = {}
    try:
        bodies = ",\n".join(f"{json.dumps(e.name)}: {e.script(everyone, rows)}" for e in entries)
    except RavineError as error:
        raise InvalidArgument(str(error)) from error
    equations = json.dumps(list(rows), ensure_ascii=False)
    helpers = "".join(javascript.HELPERS.values())
    return f"{helpers}const RULES = {{\n{bodies}\n}};\nconst EQUATIONS = {equations};\n"


def _letter(letters: Letters, symbol: Symbol) -> str:
    return f"<math>{mathml.MathML().write(letters.symbol(symbol))}</math>"


def _flat(state: Any) -> Iterator[float]:
    if isinstance(state, tuple):
        for part in state:
            yield from _flat(part)
    else:
        yield float(state)


def _some(declared: Hyper) -> float:
    """A value that is allowed and is not 0."""
    return next(value for value in (0.5, 1.0, 1.5) if declared.allows(value))


def _scale(declared: Hyper, default: float | None) -> dict[str, Any]:
    """How a slider runs: ``log`` from low to high, with 0 in front of it if that is allowed.

    ``memory`` is logarithmic in what lacks to 1, as 0.9, 0.99, 0.999 are equally far apart.
    """
    if declared.valid.startswith("["):
        kind = "memory" if declared.valid.endswith(")") else "linear"
        return {"scale": kind, "low": 0, "high": 1 - _MEMORY_LEAST if kind == "memory" else 1}
    low, high = declared.search or (1e-12, 1.0)
    low, high = min(low, default or low), max(high, default or high)
    return {"scale": "log", "low": low, "high": high, "zero": declared.allows(0.0)}
