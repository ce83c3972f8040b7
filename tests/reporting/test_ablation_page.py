"""The page of a race of levers in a real browser: whole, offline, nothing foreign runs."""

import io
import itertools
import json
import math

import pytest
from rich.console import Console

from ravine.reporting import ablation_page, style
from ravine.reporting.ablation_results import told

HOSTILE = "</script><script>alert(1)</script>"
LEVERS = {"activation": ("tanh", HOSTILE), "pretraining": ("none", "other-half")}
LAYERS = [f"dense_{i}" for i in range(10)]


@pytest.fixture(scope="module")
def found(make_results):
    values = {
        f"{a}-{p}": {"activation": a, "pretraining": p}
        for a, p in itertools.product(*LEVERS.values())
    }
    cost = {"rule": "adam", "steps": 90, "rows": 400, "batch_size": 16, "start": 2.3, "end": 0.4}
    tried_out = {
        name: {
            "parameters": 1234,
            "slopes": [
                {"layer": layer, "size": 0.02 * (0.3 if v["activation"] == "tanh" else 0.9) ** i}
                for i, layer in enumerate(reversed(LAYERS))
            ][::-1],
            "taken": ["dense"] if v["pretraining"] != "none" else [],
            "cost": cost if v["pretraining"] != "none" else None,
        }
        for name, v in values.items()
    }
    speed = {"sgd": 0.02, "adam": 0.05, "nesterov": 0.03}
    results = {
        name: make_results(speed={r: s * (3 if i > 1 else 1) for r, s in speed.items()})
        for i, name in enumerate(values)
    }
    return told("digits", LEVERS, values, results, tried_out)


def test_it_opens_offline_and_fits(browser, found, tmp_path):
    ablation_page.write(found, tmp_path / "levers.html")
    for width in (360, 1280):
        page = browser.new_page(viewport={"width": width, "height": 900})
        noticed: list = []

        def notice(what, noticed=noticed):
            noticed.append(what)

        for event in ("request", "console", "pageerror", "dialog"):
            page.on(event, notice)
        page.goto((tmp_path / "levers.html").as_uri())
        assert [getattr(e, "url", e) for e in noticed] == [(tmp_path / "levers.html").as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        shown = f"{page.locator('h1').inner_text()} {page.locator('h1 + p').inner_text()}"
        assert shown == str(found)
        assert page.locator("#effects ~ .scroll tbody tr").count() == 6
        assert page.locator("[aria-labelledby=firsts] tbody tr").count() == 4
        for picture in page.locator(".picture svg").all():
            assert picture.bounding_box()["height"] > 100
        page.close()


def test_table_and_json_say_the_same(found):
    console = Console(file=io.StringIO(), width=100)
    ablation_page.show(found, console)
    said = console.file.getvalue()
    content = json.loads(ablation_page.to_json(found, {}))
    assert content["verdict"] == str(found)
    assert str(found) in said
    assert [c["cost"] and c["cost"]["steps"] for c in content["combinations"]] == [
        None,
        90,
        None,
        90,
    ]
    assert "took 90 steps of adam" in said
    assert "With the steps of pretraining counted" in said
    for effect in content["effects"]:
        assert f"{1 / effect['speedup']:.2f}×" in said


def test_the_pictures_hold_what_was_measured(found):
    drawn = ablation_page.chart(found, "gradients", style.LIGHT).to_dict()
    points = [row for rows in drawn["datasets"].values() for row in rows if row.get("layer") == 1]
    assert any(math.isclose(p["size"], 0.02 * 0.3**9, rel_tol=1e-3) for p in points)
    assert ablation_page.chart(found, "effects", style.LIGHT).to_dict()["concat"]
