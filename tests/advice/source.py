"""All advice in the texts of ravine: what a message tells its reader to do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "ravine"
VERBS = """add build call change choose copy did.you.mean drop encode end export fill give go.on
    import install keep leave let list load lower make move name narrow negate pad pass pip.install
    put race raise remove reshape restart run save say set spell start take train translate try
    turn use vary wrap write""".split()  # noqa: SIM905  # as a list a line each
# At the beginning of a clause: what is told, not what is said of something.
ADVICE = re.compile(
    rf"(?:^|[:;,(?] |\. |— |: or |and )(?:or |then |first |please )?(?:{'|'.join(VERBS)})\b",
    re.IGNORECASE,
)
Found = tuple[str, str]  # a file, and a text with {} for what is filled in


def advice() -> set[Found]:
    """Every such text, but for documentation, help and pages."""
    return {
        (str(file.relative_to(SOURCE)), text)
        for file in sorted(SOURCE.rglob("*.py"))
        for text in _texts(ast.parse(file.read_text(encoding="utf-8")))
        if " " in text and "\n" not in text and ADVICE.search(text)
    }


def pattern(text: str) -> re.Pattern[str]:
    """What a text looks like once it is filled in."""
    return re.compile(".*".join(map(re.escape, text.split("{}"))), re.DOTALL)


def _texts(tree: ast.Module) -> Iterator[str]:
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        if _is_help(node) or _is_documentation(node):
            continue
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [x.value if isinstance(x, ast.Constant) else "{}" for x in node.values]
            yield "".join(map(str, parts))
        else:
            left += ast.iter_child_nodes(node)


def _is_documentation(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_help(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg in ("help", "epilog")
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "hyper"
