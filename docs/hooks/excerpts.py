"""Files of the repository, or parts of them, as a page shows them: never a copy."""

import ast
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]


def part(asked: str) -> str:
    """``FILE NAME``: what a file defines by that name; ``main`` is what it does when it is run."""
    where, name = asked.split()
    lines = (ROOT / where).read_text(encoding="utf-8").splitlines()
    body = ast.parse("\n".join(lines)).body
    if name == "main":
        (block,) = (one for one in body if isinstance(one, ast.If))
        first, last = block.body[0].lineno, block.end_lineno
    else:
        one = next(
            o for o in body if isinstance(o, ast.ClassDef | ast.FunctionDef) and o.name == name
        )
        first, last = min([one.lineno, *(d.lineno for d in one.decorator_list)]), one.end_lineno
    code = textwrap.dedent("\n".join(lines[first - 1 : last]))
    return f'```python title="{where}"\n{code}\n```'


PIECES = {"part": part}
