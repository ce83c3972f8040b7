"""Where a source file can be changed so that it is wrong, and what it would say then."""

import ast
import random
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "ravine"
# How many mutants of each part of ravine, so that no large one crowds out the others.
SHARES = {
    "rules": 30,
    "analysis": 40,
    "execution": 20,
    "experiment": 15,
    "storage": 10,
    "training": 5,
    "frameworks": 25,
    "tasks": 20,
}
COMPARE = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True)
class Mutant:
    """One change: on ``line`` of ``file``, counted from 1, ``before`` becomes ``after``.

    ``text`` is the whole line, by which it is found where lines before it have come or gone.
    """

    file: str
    line: int
    text: str
    column: int
    before: str
    after: str

    @property
    def name(self) -> str:
        """In one line."""
        squeezed = [" ".join(text.split()) for text in (self.before, self.after)]
        return f"{self.file}:{self.line} {' -> '.join(squeezed)}"

    def apply(self, source: str) -> str:
        """The file with the change. Raises ``ValueError`` if it is not there."""
        lines = source.splitlines(keepends=True)
        alike = [i for i, line in enumerate(lines) if line.rstrip("\n") == self.text]
        for i in sorted(alike, key=lambda i: abs(i + 1 - self.line)):
            start = sum(map(len, lines[:i])) + self.column
            if source.startswith(self.before, start):
                return source[:start] + self.after + source[start + len(self.before) :]
        raise ValueError(self.name)


def sample(count: int, seed: int, source: Path = SOURCE) -> list[Mutant]:
    """So many mutants, drawn from the parts by their shares."""
    draw, found = random.Random(seed), []  # noqa: S311 — no secret
    for part, share in SHARES.items():
        files = [source / part] if part.endswith(".py") else sorted((source / part).rglob("*.py"))
        sites = [mutant for file in files for mutant in mutants(file, source)]
        wanted = round(count * share / sum(SHARES.values()))
        found += draw.sample(sites, min(wanted, len(sites)))
    return found


def mutants(file: Path, source: Path = SOURCE) -> Iterator[Mutant]:
    """All changes of a file that are tried, each of one expression."""
    text = file.read_text(encoding="utf-8")
    name = file.relative_to(source).as_posix()
    for node, changed in _changes(ast.parse(text)):
        before = ast.get_source_segment(text, node)
        line = text.splitlines()[node.lineno - 1]
        column = len(line.encode()[: node.col_offset].decode())
        if before is not None:
            after = "pass" if isinstance(changed, ast.Pass) else f"({ast.unparse(changed)})"
            yield Mutant(name, node.lineno, line, column, before, after)


def _changes(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, ast.AST]]:
    for node in _code(tree):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
            changed = deepcopy(node)
            changed.ops[0] = COMPARE[type(node.ops[0])]()
            yield node, changed
        elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            if not any(map(_text, (node.left, node.right))):
                changed = deepcopy(node)
                changed.op = ARITHMETIC[type(node.op)]()
                yield node, changed
        elif isinstance(node, ast.BoolOp):
            changed = deepcopy(node)
            changed.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, changed
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            yield node, node.operand
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield node, ast.Constant(_other(node.value))
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.expr):
            if not (isinstance(node.value, ast.Constant) and node.value.value is None):
                yield node.value, ast.Constant(None)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield node, ast.Pass()


def _other(value: float) -> float:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else 2 * value or 1.0


def _text(node: ast.expr) -> bool:
    """Whether it is a text, whose sum is no arithmetic."""
    constant = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return constant or isinstance(node, ast.JoinedStr)


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs: no annotation, no piece of an f-string, no import for types alone."""
    skipped: Sequence[str] = ("annotation", "returns", "decorator_list", "type_comment")
    for name, value in ast.iter_fields(tree):
        if name in skipped:
            continue
        for node in value if isinstance(value, list) else [value]:
            checked = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            if isinstance(node, ast.AST) and not isinstance(node, ast.JoinedStr) and not checked:
                yield node
                yield from _code(node)
