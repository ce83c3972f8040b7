"""A rule as lines of mathematics: letters for its names, and what is switched off left out.

Letters: learning_rate is α, momentum β, weight_decay λ; a meaning that ends in ", ψ" names its own;
Greek words become letters; the rest keeps its name. ``_hat``, ``_bar`` and ``_tilde`` become
accents, ``_next`` the step t + 1, digits and words behind a single letter an index.
"""

import re
from typing import Any, NamedTuple

from ravine.explain.notation.node import Node, Symbol
from ravine.explain.notation.trace import Method, hyperparameters, steps, trace
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers.partition import parts

_SPELLED = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega"
)
GREEK = dict(zip(_SPELLED.split(), "αβγδεζηθικλμνξπρστυφχψω", strict=True))
_USUAL = {"learning_rate": "α", "momentum": "β", "weight_decay": "λ"}
_ARRAYS = {
    "": "",
    "weights": "for weights of two and more dimensions",
    "biases": "for biases and all of fewer",
}
_ACCENTS = ("hat", "bar", "tilde")


class Glyph(NamedTuple):
    """How a name is written: a letter or a word, what is above, beside and below it."""

    base: str
    accent: str = ""  # hat, bar, tilde
    below: str = ""
    step: str = ""  # t, t-1, t+1, 0; empty for what does not change
    primes: int = 0


class Line(NamedTuple):
    """One equation; the symbols in it are glyphs. A value of kind "gradient" is ∇J at its part."""

    target: Node
    value: Node


def sections(rule: Rule) -> list[tuple[str, list[list[Line]]]]:
    """The equations of a rule, and in front of them for which arrays they are, if not for all.

    >>> from ravine import Momentum, Partition
    >>> [said for said, _ in sections(Partition(Momentum()))]
    ['for weights of two and more dimensions', 'for biases and all of fewer']
    """
    return [(_ARRAYS[what], equations(part)) for what, part in parts(rule).items()]


def equations(rule: Rule) -> list[list[Line]]:
    """The equations of a rule, in rows: where its memory starts, the gradient, a step, the reading.

    >>> from ravine import SGD
    >>> [line.target.value.base for row in equations(SGD()) for line in row]
    ['g', 'w']
    """
    traced = trace(rule, zeros=False)
    letters = Letters(rule)
    for symbol, _ in traced.update.results:
        letters.of(symbol)  # memory has the first choice of letters, before local variables
    rows = []
    if starts := _lines(traced.init, letters, old="0", new="0"):
        rows.append(starts)
    said: dict[Any, Node] = {}
    *on_the_way, ahead = _lines(traced.lookahead, letters, "t-1", "t", said)
    gradient = Line(_symbol(Glyph("g", step="t")), Node("gradient", (ahead.value,)))
    rows += [[line] for line in (*on_the_way, gradient)]
    rows += [[line] for line in _lines(traced.update, letters, "t-1", "t", said)]
    if traced.read.results[0][1].value != Symbol("", "w"):
        *on_the_way, used = _lines(traced.read, letters, old="t", new="t")
        reading = Line(_symbol(letters.local("read")._replace(step="t")), used.value)
        rows += [[line] for line in (*on_the_way, reading)]
    return rows


class Letters:
    """Gives every name a glyph of its own."""

    def __init__(self, rule: Rule) -> None:
        self._taken = {Glyph(letter) for letter in "wgt"}
        self._known = {Symbol("", letter): Glyph(letter) for letter in "wgt"}
        meanings = _meanings(rule)
        for name, _ in hyperparameters(rule):
            own = re.search(r", ([^\W\d_])$", meanings[name])
            wishes = [Glyph(letter) for letter in (own and own[1], _USUAL.get(name)) if letter]
            self._give(Symbol("h", name), [*wishes, glyph(name), Glyph(name)])

    def of(self, symbol: Symbol) -> Glyph:
        """The glyph of what was named before; another for a new name."""
        if symbol not in self._known:
            self._give(symbol, [glyph(symbol.name)])
        return self._known[symbol]

    def symbol(self, symbol: Symbol) -> Node:
        """The same as a node, to be written."""
        return _symbol(self.of(symbol))

    def local(self, name: str) -> Glyph:
        """A glyph for a local variable; two of one name are two values."""
        self._known.pop(Symbol("local", name), None)
        return self.of(Symbol("local", name))

    def _give(self, symbol: Symbol, wishes: list[Glyph]) -> None:
        last = wishes[-1]
        wishes = wishes + [last._replace(primes=n) for n in range(1, len(self._taken) + 2)]
        self._known[symbol] = next(g for g in wishes if g not in self._taken)
        self._taken.add(self._known[symbol])


def glyph(name: str) -> Glyph:
    """How a name is usually written.

    >>> glyph("beta_1"), glyph("v_hat")
    (Glyph(base='β', accent='', below='1', step='', primes=0), \
Glyph(base='v', accent='hat', below='', step='', primes=0))
    """
    first, *rest = re.sub(r"(?<=[^\W\d_])(\d+)$", r"_\1", name).split("_")
    base = GREEK.get(first, first)
    step = "+1" if "next" in rest else ""
    accents = [part for part in rest if part in _ACCENTS]
    index = [part for part in rest if part not in (*_ACCENTS, "next")]
    is_word = len(base) > 1 and not all(part.isdigit() for part in rest)
    if is_word or len(accents) > 1 or len(index) > 1 or not all([first, *index]):
        return Glyph(name)  # trust_ratio stays a word
    return Glyph(base, "".join(accents), "".join(index), step)


def _lines(
    method: Method, letters: Letters, old: str, new: str, said: dict[Any, Node] | None = None
) -> list[Line]:
    """What a method calculates, results last unless the author calculated something after them.

    ``said`` is what was calculated on the way so far, by name and content: the same is not said
    again. It grows.
    """
    said = {} if said is None else said
    known: dict[int, Node] = {}  # what a node is called, or what it became
    symbols: dict[Symbol, Node] = {}

    def simplified(node: Node) -> Node:
        if id(node) not in known:
            if node.kind == "symbol":
                name = node.value
                moving = name.owner == "s" or name == Symbol("", "w")
                step = old if moving else new if name == Symbol("", "g") else ""
                known[id(node)] = symbols.setdefault(name, _symbol(_at(letters.of(name), step)))
            elif node.is_leaf:
                known[id(node)] = node
            else:
                known[id(node)] = _folded(node.kind, tuple(map(simplified, node.parts)))
        return known[id(node)]

    lines: list[Line] = []
    written: set[Symbol] = set()
    for symbol, node in steps(method, constants=False):
        value = simplified(node)
        if symbol.owner == "local":
            if value.is_leaf:
                continue  # "decayed = w - 0 * w": its users show w
            content = (symbol.name, _content(value))
            if content in said:
                known[id(node)] = said[content]
                continue
            target = letters.local(symbol.name)
            said[content] = _symbol(_at(target, new))
        else:
            target = letters.of(symbol)
            written.add(symbol)
        lines.append(Line(_symbol(_at(target, new)), value))
        known[id(node)] = lines[-1].target
    for symbol, node in method.results:
        if symbol not in written:
            lines.append(Line(_symbol(_at(letters.of(symbol), new)), simplified(node)))
    return lines


def _content(node: Node) -> Any:
    """Equal for expressions that are written alike."""
    return (node.kind, node.value, *map(_content, node.parts))


def _at(glyph: Glyph, step: str) -> Glyph:
    """The glyph at a step; one that is called next is a step ahead."""
    if glyph.step and step:
        step = {"0": "1", "t-1": "t", "t": "t+1"}[step]
    return glyph._replace(step=step)


def _symbol(glyph: Glyph) -> Node:
    return Node("symbol", value=glyph)


def _folded(kind: str, parts: tuple[Node, ...]) -> Node:
    """The operation without what is mathematically nothing: x + 0, 1 · x, 0 · x, x¹."""
    a, b = parts[0], parts[-1]
    if kind == "power" and a.kind == "power" and _is_positive(a.parts[0]):
        # (0.96^ψ)^t = 0.96^(ψ t): true of a positive base alone.
        return _folded("power", (a.parts[0], _folded("*", (a.parts[1], b))))
    none, one = Node("number", value=0.0), Node("number", value=1.0)
    instead = {
        "+": [(a, 0, b), (b, 0, a)],
        "-": [(b, 0, a), (a, 0, Node("negative", (b,)))],
        "*": [(a, 0, none), (b, 0, none), (a, 1, b), (b, 1, a)],
        "/": [(a, 0, none), (b, 1, a)],
        "power": [(b, 1, a), (b, 0, one), (a, 1, one)],
    }
    kept = (node for part, value, node in instead.get(kind, []) if part.is_number(value))
    return next(kept, Node(kind, parts))


def _is_positive(node: Node) -> bool:
    return node.kind == "number" and bool(node.value > 0)


def _meanings(rule: Rule) -> dict[str, str]:
    held = [getattr(rule, name) for name in vars(rule)]
    found = {name: declared.meaning for name, declared in rule.hyperparameters().items()}
    for other in held:
        if isinstance(other, Rule):
            found = _meanings(other) | found
    return found
