"""The folders of the package and what imports what, drawn from the code.

``python docs/hooks/architecture.py`` writes ``docs/architecture.svg`` anew.
"""

import ast
from collections.abc import Callable
from pathlib import Path

import ravine

PACKAGE = Path(ravine.__file__).parent
FILE = Path(__file__).parents[1] / "architecture.svg"
# From the top; each may import what stands below it. tests/test_structure.py keeps it so.
ORDER = (
    *("cli", "api", "execution", "results", "reporting", "analysis", "training", "storage"),
    *("experiment", "tasks", "explain", "frameworks", "rules"),
)
LEFT, WIDTH, HEIGHT, GAP = 8, 640, 34, 12
INK, MUTED, SURFACE, LINE = "#111418", "#5b6470", "#ffffff", "#c5ccd6"


def sentence(folder: str) -> str:
    """What a folder, or module, says that it is for."""
    at = PACKAGE / folder / "__init__.py"
    text = (at if at.exists() else PACKAGE / f"{folder}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].replace("\n", " ")


def uses(folder: str) -> set[str]:
    """The other folders that a folder imports from."""
    at = PACKAGE / folder
    found = set()
    for file in at.rglob("*.py") if at.is_dir() else [at.with_suffix(".py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ravine"):
                names = [f"{node.module}.{alias.name}".split(".")[1] for alias in node.names]
                found |= {name for name in names if name in ORDER}
    return found - {folder}


def picture() -> str:
    """An SVG: a box a folder, in their order, and an arc from each to those that it uses."""
    top = {name: GAP + i * (HEIGHT + GAP) for i, name in enumerate(ORDER)}
    width, height = LEFT + WIDTH + 150, GAP + len(ORDER) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="13">'
    ]
    for name in ORDER:
        for other in sorted(uses(name), key=ORDER.index):
            reach = 12 + 10 * (ORDER.index(other) - ORDER.index(name))
            x, y, to = LEFT + WIDTH, top[name] + HEIGHT * 0.65, top[other] + HEIGHT * 0.35
            curve = f"M{x} {y:g}C{x + reach} {y:g} {x + reach} {to:g} {x} {to:g}"
            parts.append(f'<path d="{curve}" fill="none" stroke="{LINE}"/>')
    for name in ORDER:
        y = top[name]
        parts.append(
            f'<rect x="{LEFT}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4" '
            f'fill="{SURFACE}" stroke="{MUTED}"/>'
            f'<text x="{LEFT + 12}" y="{y + 22}" font-weight="700" fill="{INK}">{name}</text>'
            f'<text x="{LEFT + 110}" y="{y + 22}" fill="{MUTED}">{_short(sentence(name))}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def folders(_: str) -> str:
    """A row a folder: what it is for."""
    rows = [f"| `{name}` | {sentence(name)} |" for name in ORDER]
    return "\n".join(["| folder | what it holds |", "|---|---|", *rows])


def _short(text: str, most: int = 80) -> str:
    text = text.split("; ", maxsplit=1)[0]
    return text if len(text) <= most else text[: most - 1].rsplit(" ", 1)[0] + " …"


PIECES: dict[str, Callable[[str], str]] = {"folders": folders}

if __name__ == "__main__":
    FILE.write_text(picture(), encoding="utf-8")
