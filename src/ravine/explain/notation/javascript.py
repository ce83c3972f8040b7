"""A rule as JavaScript over plain numbers, with the bits of the same rule on Python's floats.

+ − × ÷ √ are rounded alike everywhere, and ``power`` multiplies out whole exponents as
``ravine.ops.power`` does. Other exponents (Nadam's 0.96^ψ) are left to ``Math.pow``, and the cosine
of a schedule to ``Math.cos``: these differ from Python's in the last bit of some results.
"""

import json
import re

from ravine.errors import RavineError
from ravine.explain.notation.node import COMPARISONS, FUNCTIONS, Node, Symbol
from ravine.explain.notation.trace import Method, hyperparameters, is_structure, steps, trace
from ravine.explain.notation.writing import is_negative
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers.partition import parts

# Each mirrors the function of its name in ravine.ops on plain numbers, -0 and NaN included.
HELPERS = {
    "power": """\
function power(base, exponent) {
  if (exponent < 0 || !Number.isInteger(exponent)) return Math.pow(base, exponent);
  let result = 1;
  for (let square = base, left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2) result *= square;
    square *= square;
  }
  return result;
}
""",
    "sign": "function sign(x) { return (x > 0) - (x < 0); }\n",
    "maximum": """\
function maximum(x, y) {
  if (Number.isNaN(x) || Number.isNaN(y)) return x + y;
  return y > x ? y : x;
}
""",
    "minimum": """\
function minimum(x, y) {
  if (Number.isNaN(x) || Number.isNaN(y)) return x + y;
  return y < x ? y : x;
}
""",
    "where": "function where(condition, x, y) { return condition ? x : y; }\n",
}
# Of one number the norm is its size.
_FUNCTIONS = {"sqrt": "Math.sqrt", "abs": "Math.abs", "norm": "Math.abs", "cos": "Math.cos"}
_FUNCTIONS |= {name: f"Math.{name}" for name in FUNCTIONS}
_FUNCTIONS |= {name: name for name in HELPERS}
_WORDS = (
    "arguments await break case catch class const continue debugger default delete do else enum "
    "eval export extends false finally for function if implements import in instanceof interface "
    "let new null package private protected public return static super switch this throw true try "
    "typeof undefined var void while with yield NaN Infinity Math Number"
)
_NOTHING = "    return w;\n"
_TIGHTNESS = {"+": 1, "-": 1, "*": 2, "/": 2, "negative": 3} | dict.fromkeys(COMPARISONS, 0)


def write(rule: Rule) -> str:
    """A script that defines one constant, named as the rule; it holds :func:`literal`.

    Of a rule that treats arrays differently it is one constant for each kind of array:
    ``partition_weights`` and ``partition_biases``.

    >>> from ravine import SGD
    >>> print(write(SGD()).splitlines()[1])
    const sgd = {
    """
    own = {f"{rule.name}_{what}" if what else rule.name: p for what, p in parts(rule).items()}
    tops = [top for p in own.values() for method in trace(p) for _, top in method.results]
    called = {node.kind for top in tops for node in top.inside()}
    helpers = [text for name, text in HELPERS.items() if name in called]
    names = [identifier(name, set()) for name in own]
    first = names[0]
    usage = f"// let s = {first}.init(h, w), then w = {first}.update(h, w, g, s, t), t from 1\n"
    bodies = [f"const {n} = {literal(p)};" for n, p in zip(names, own.values(), strict=True)]
    return "".join([usage, *helpers, "\n".join(bodies)])


def literal(rule: Rule, whole: bool = True) -> str:
    """An object: ``hyper``, and the rule's methods, each given hyperparameters as ``h``.

    ``init(h, w)`` gives the memory, ``lookahead(h, w, s, t)`` the point of the gradient,
    ``update(h, w, g, s, t)`` the new weights, and changes the memory in its place, for an object
    made anew in every step costs more than the step; ``read(h, w, s, t)`` the weights to use. The
    functions in :data:`HELPERS` must be in scope. Where it need not be ``whole``, ``hyper`` and
    the methods that only give w are left out. A rule that treats arrays differently is none:
    raises ``RavineError``.
    """
    if len(parts(rule)) > 1:
        raise RavineError(f"{rule.name} is a rule for weights and one for biases: take its parts")
    values = [
        f"{_key(name)}: {number(float(value))}"
        for name, value in hyperparameters(rule)
        if not is_structure(value)
    ]
    traced = trace(rule)
    given = ["init(h, w)", "lookahead(h, w, s, t)", "update(h, w, g, s, t)", "read(h, w, s, t)"]
    bodies = [_body(method, changing=method is traced.update) for method in traced]
    methods = [
        f"  {signature} {{\n{body}  }},\n"
        for signature, body in zip(given, bodies, strict=True)
        if whole or body != _NOTHING
    ]
    hyper = [f"  hyper: {{{', '.join(values)}}},\n"] if whole else []
    return "".join(["{\n", *hyper, *methods, "}"])


def expression(node: Node, tightness: int = 0) -> str:
    """An expression with the brackets it needs, so that it is calculated in the order written.

    The value of a symbol is a Symbol as in a trace, or JavaScript's name for it.
    """
    kind, parts = node.kind, node.parts
    if kind == "number":
        own, text = 3 if is_negative(node.value) else 4, number(node.value)
    elif kind == "symbol":
        own, text = 4, node.value if isinstance(node.value, str) else _given(node.value)
    elif kind in _FUNCTIONS:
        own, text = 4, f"{_FUNCTIONS[kind]}({', '.join(map(expression, parts))})"
    elif kind == "negative":
        own = _TIGHTNESS[kind]
        text = f"-{expression(parts[0], own + 1)}"
    else:
        own = _TIGHTNESS[kind]
        # Neither language rounds a + (b + c) as (a + b) + c; a comparison's sides are never one.
        left = expression(parts[0], max(own, 1))
        text = f"{left} {kind} {expression(parts[1], own + 1)}"
    return f"({text})" if own < tightness else text


def number(value: float) -> str:
    """The shortest text that reads back as the same float."""
    text = repr(value).replace("inf", "Infinity").replace("nan", "NaN")
    # -0 is a whole number to some readers and loses its sign.
    return text if text == "-0.0" else text.removesuffix(".0")


def identifier(name: str, taken: set[str]) -> str:
    """A name that JavaScript allows and that is not taken yet."""
    name = re.sub(r"\W", lambda m: f"u{ord(m[0]):x}", name, flags=re.ASCII)
    name = f"_{name}" if name[:1].isdigit() or not name else name
    while name in taken or name in _WORDS.split() or name in HELPERS:
        name += "_"
    return name


def _body(method: Method, changing: bool) -> str:
    names: dict[int, Node] = {}
    taken = set("hwgst")
    lines = []

    def named(node: Node) -> Node:
        if id(node) not in names:
            parts = tuple(map(named, node.parts))
            names[id(node)] = Node(node.kind, parts, node.value) if parts else node
        return names[id(node)]

    def held(symbol: Symbol, node: Node) -> str:
        name = identifier(symbol.name, taken)
        taken.add(name)
        lines.append(f"const {name} = {expression(named(node))};")
        return name

    for symbol, node in steps(method):
        names[id(node)] = Node("symbol", value=held(symbol, node))
    memory = [(symbol, node) for symbol, node in method.results if symbol.owner == "s"]
    if changing and memory:  # all is known before anything is changed
        results = [
            (symbol, _atom(named(node)) or held(symbol, node)) for symbol, node in method.results
        ]
        lines += [f"{_given(symbol)} = {text};" for symbol, text in results if symbol.owner == "s"]
        own = [text for symbol, text in results if not symbol.owner]
    else:
        fields = ", ".join(
            name if text == (name := _key(symbol.name)) else f"{name}: {text}"
            for symbol, text in ((symbol, expression(named(node))) for symbol, node in memory)
        )
        own = [f"{{{fields}}}", *(expression(named(n)) for s, n in method.results if not s.owner)]
    lines.append(f"return {own[-1]};")
    return "".join(f"    {line}\n" for line in lines)


def _atom(node: Node) -> str:
    """The text of a number or a name of this call; nothing for what a change could reach."""
    own = node.kind == "number" or (node.kind == "symbol" and not getattr(node.value, "owner", ""))
    return expression(node) if own else ""


def _given(symbol: Symbol) -> str:
    if not symbol.owner:
        return symbol.name
    key = _key(symbol.name)
    return f"{symbol.owner}[{key}]" if key.startswith('"') else f"{symbol.owner}.{key}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else json.dumps(name)
