"""The site is built strictly, and asks nothing of any other host."""

import html
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from ravine.cli.app import app
from ravine.rules import RULES

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_no_page_fetches_from_another_host(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if page.name != "report.html"]
    assert len(pages) > 40
    fetched = re.compile(r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=[\"']?https?://")
    assert not [page for page in pages if fetched.search(page.read_text(encoding="utf-8"))]


def test_every_rule_has_its_page_with_its_equation(site: Path) -> None:
    for rule in RULES:
        assert "<math" in (site / "rules" / f"{rule}.html").read_text(encoding="utf-8")


def test_no_piece_is_left_out(site: Path) -> None:
    for page in (site / "guide").glob("*.html"):
        assert "<!-- equation" not in page.read_text(encoding="utf-8")
    stored = json.loads((ROOT / "docs/results/digits-mlp/verdict.json").read_text(encoding="utf-8"))
    text = html.unescape((site / "guide/application.html").read_text(encoding="utf-8"))
    assert stored["verdict"] in text


def test_a_page_that_is_whole_on_the_site_alone_says_so_in_the_repository(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs/hooks")
    pieces = runpy.run_path(str(ROOT / "docs/hooks/pieces.py"))
    written = [p for p in (ROOT / "docs").rglob("*.md") if "decisions" not in p.parts]
    for page in written:
        text = page.read_text(encoding="utf-8")
        assert bool(pieces["NOTE"].search(text)) == pieces["lacking"](text), page
    assert "this page lacks" not in (site / "first-race.html").read_text(encoding="utf-8")


def test_drawings_are_painted_by_the_page(site: Path) -> None:
    pages = ["index", "cost", "performance", "vanishing-gradients", "guide/application"]
    for page in (*pages, "guide/momentum"):
        text = (site / f"{page}.html").read_text(encoding="utf-8")
        assert 'class="drawn"' in text
        assert "#ffffff" not in text
        assert not re.search(r"<img\b[^>]*\.svg", text)
        ids = re.findall(r' id="([^"]+)"', text)
        assert len(ids) == len(set(ids))
    sheet = (site / "drawings.css").read_text(encoding="utf-8")
    assert set(re.findall(r"var\((--drawn-[\w-]+)\)", text)) <= set(
        re.findall(r"--drawn-[\w-]+", sheet)
    )


def test_every_command_is_explained(site: Path) -> None:
    text = html.unescape((site / "command-line.html").read_text(encoding="utf-8"))
    program: Any = get_command(app)
    for name, command in program.commands.items():
        assert f">ravine {name}<" in text
        options = {option for param in command.params for option in param.opts}
        assert all(o in text for o in options - {"--help"} if o.startswith("--"))


def test_every_dependency_has_its_licence(site: Path) -> None:
    text = (site / "licences.html").read_text(encoding="utf-8")
    for name in ("jax", "keras", "numpy", "tensorflow-cpu", "torch", "optax"):
        assert f"<td>{name}</td>" in text


def test_the_explorer_and_the_report_are_there(site: Path) -> None:
    # A written page of the same name would take their place, and no build would say so.
    assert "#scene" in (site / "pages/explorer.html").read_text(encoding="utf-8")
    assert "digits-mlp" in (site / "pages/report.html").read_text(encoding="utf-8")
    assert 'src="pages/explorer.html"' in (site / "play.html").read_text(encoding="utf-8")
