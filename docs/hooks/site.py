"""What MkDocs calls while it builds: pages made from the code, and pieces put into written ones.

Imported by MkDocs with this folder on the path; ``mkdocs.yml`` names it.
"""

import logging
import tempfile
from pathlib import Path
from typing import Any

import drawings
import figures
import links
import pieces
import rule_pages
import samples
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
log = logging.getLogger("mkdocs.plugins.ravine")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Folders in the navigation become their pages."""
    listed = {
        "rules/": rule_pages.navigation(),
        "decisions/": [
            {_title(path): f"decisions/{path.name}"}
            for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))
        ],
    }
    config.nav = _spread(config.nav, listed)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what is generated."""
    made: dict[str, str | bytes] = {
        "contributing.md": links.from_root("CONTRIBUTING.md"),
        "security.md": links.from_root("SECURITY.md"),
        "changelog.md": links.from_root("CHANGELOG.md"),
        "drawings.css": drawings.style_sheet(),
        **rule_pages.pages(),
    }
    with tempfile.TemporaryDirectory() as folder:
        made |= samples.files(Path(folder))
    for where, content in made.items():
        files.append(File.generated(config, where, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Checks the figures, and puts the pieces and the drawings in."""
    try:
        return drawings.stored(pieces.put(figures.checked(markdown)), page.file.src_uri)
    except (pieces.Unknown, figures.Wrong) as failed:
        log.warning("%s: %s", page.file.src_uri, failed)  # an error, as the build is strict
        return markdown


def on_post_build(config: MkDocsConfig) -> None:
    """Opened from a folder, a page asks for its search index as a script."""
    folder = Path(config.site_dir, "search")
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")


def _spread(nav: Any, listed: dict[str, list[Any]]) -> Any:
    if isinstance(nav, list):
        return [_spread(entry, listed) for entry in nav]
    if isinstance(nav, dict):
        return {title: _spread(entry, listed) for title, entry in nav.items()}
    return listed.get(nav, nav)


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
