"""Several races side by side: the same numbers in the terminal, as JSON and as a page."""

import io
import json

import pytest
from rich.console import Console

from ravine.analysis import Target
from ravine.reporting import comparison


@pytest.fixture
def races(make_results):
    other = make_results(speed={"sgd": 0.02, "adam": 0.03}, target=Target(0.4))
    return {"one": make_results(), "</script><script>alert(1)</script>": other}


@pytest.mark.parametrize("width", [80, 200])
def test_every_rule_of_every_race_is_printed(races, width):
    console = Console(file=io.StringIO(), width=width)
    comparison.show(races, console)
    said = console.file.getvalue()
    for results in races.values():
        for standing in results.verdict.standings:
            for cell in comparison.cells(results, standing.rule):
                assert cell in said
    assert max(map(len, said.splitlines())) <= width


def test_the_page_fits_and_axe_finds_nothing(browser, axe, races, tmp_path):
    comparison.write(races, tmp_path / "compared.html")
    for width, scheme in ((360, "light"), (1280, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto((tmp_path / "compared.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert axe(page) == []
        page.close()


def test_json_and_page_say_the_same(races, tmp_path):
    content = json.loads(comparison.to_json(races))
    assert len(content["rules"]) == sum(len(r.verdict.standings) for r in races.values())
    assert content["differences"] == comparison.differences(races)
    assert "target" in content["differences"]
    comparison.write(races, tmp_path / "compared.html")
    page = (tmp_path / "compared.html").read_text(encoding="utf-8")
    assert "<script" not in page
    for results in races.values():
        for standing in results.verdict.standings:
            assert all(c in page for c in comparison.cells(results, standing.rule))
