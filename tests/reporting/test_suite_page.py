"""The page of a suite in a real browser: whole, offline, nothing foreign runs."""

import io
import json

import pytest
from rich.console import Console

from ravine.analysis.suite_stats import across
from ravine.reporting import suite_page


@pytest.fixture
def races(make_results):
    return {"one": make_results(), "</script><script>alert(1)</script>": make_results()}


@pytest.fixture
def found(races):
    return across({name: results.verdict for name, results in races.items()})


def test_it_opens_offline_fits_and_axe_finds_nothing(browser, axe, found, races, tmp_path):
    suite_page.write(found, races, tmp_path / "suite.html")
    for width, scheme in ((360, "light"), (1280, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        noticed: list = []

        def notice(what, noticed=noticed):
            noticed.append(what)

        for event in ("request", "console", "pageerror", "dialog"):
            page.on(event, notice)
        page.goto((tmp_path / "suite.html").as_uri())
        assert [getattr(e, "url", e) for e in noticed] == [(tmp_path / "suite.html").as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.locator("h1").inner_text() == str(found)
        assert page.locator("[aria-labelledby=scores] tbody tr").count() == len(found.scores)
        assert page.locator(".picture svg").bounding_box()["height"] > 150
        assert axe(page) == []
        page.close()


def test_the_table_and_json_say_the_same(found, races):
    console = Console(file=io.StringIO(), width=80)
    suite_page.show(found, races, console)
    said = console.file.getvalue()
    content = json.loads(suite_page.to_json(found, races, {}))
    for score in content["rules"]:
        assert f"{score['score']:.3f}" in said
    assert content["verdict"] in said
    assert [task["task"] for task in content["tasks"]] == list(races)
    assert content["tasks"][0]["leader"] == races["one"].verdict.leader.rule
    assert len(content["profile"]["tau"]) == 100
