"""Pages of the repository's root, with links that lead from the site."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What lies elsewhere in the repository, and where the site has it.
_ELSEWHERE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "src/ravine/rules": "rules/index.md",
    "docs/decisions": "decisions/0001-layout.md",
}


def from_root(name: str) -> str:
    """A page of the root as the site has it."""
    return re.sub(r"\]\(([^)#:]+)", _link, (ROOT / name).read_text(encoding="utf-8"))


def _link(found: re.Match[str]) -> str:
    target = found[1]
    return f"]({_ELSEWHERE.get(target, target.removeprefix('docs/'))}"
