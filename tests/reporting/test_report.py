"""The report in a real browser, with no network: what it says, and what it does not do."""

import base64
import gzip
import json
import math
import re
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from ravine.analysis import TEST, VALIDATION, diverged_at, steps_to, title
from ravine.reporting import report, runs, tables

DRAWN = (
    "speedups",
    "curves",
    "sensitivity",
    "reached",
    "tries",
    "targets",
    "confirmation",
    "training",
)


@pytest.fixture(scope="module")
def written(results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    report.write(results, path)
    return path


class Visit:
    """A page opened offline, and all that it did."""

    def __init__(self, browser: Browser, path: Path, drawn: bool = False, **options) -> None:
        context = browser.new_context(**options)
        context.set_offline(True)
        self.page: Page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append("a dialog opened"))
        self.page.goto(path.as_uri())
        if drawn:  # each when it is touched
            for figure in self.page.locator("figure").all():
                figure.hover()
                figure.locator(".picture:not(.still)").wait_for()
            self.page.locator("#runs").scroll_into_view_if_needed()
            self.page.wait_for_selector("#all:not([hidden])")


@pytest.fixture(scope="module")
def visit(browser, written) -> Visit:
    """The page as it opens, for tests that each touch their own part of it."""
    return Visit(browser, written)


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"[\d.]+(?:e[+-]?\d+)?", text.replace("∞", "1e999"))]


def test_it_opens_offline_asks_for_nothing_and_runs_nothing_foreign(browser, written, results):
    visit = Visit(browser, written, drawn=True, viewport={"width": 1280, "height": 900})
    page = visit.page
    assert page.locator("h1").inner_text() == results.verdict.sentence
    assert "<script>alert(1)</script>" in page.locator("h1").inner_text()
    for chart in DRAWN:
        drawn = page.locator(f"section[aria-labelledby={chart}] .picture > div > svg")
        box = drawn.bounding_box()
        assert box["width"] > 600
        assert box["height"] > 200
    assert visit.requests == [written.as_uri()]
    assert visit.complaints == []
    # Whatever found its way in would not run: the page names its own two scripts.
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        "document.body.append(s)"
    )
    assert page.evaluate("window.ran") is None
    assert written.stat().st_size <= 3 * 2**20


def test_the_table_is_the_leaderboard(visit, results):
    page = visit.page
    page.get_by_text("More of each rule").click()
    lines, more = (
        page.locator(f"#{id_} tbody tr").all() for id_ in ("standings", "more-standings")
    )
    leaderboard = results.leaderboard().to_dict("records")
    assert len(lines) == len(leaderboard)
    headings = [
        page.locator(f"#{id_} thead tr:last-child th").all_inner_texts()[1:]
        for id_ in ("standings", "more-standings")
    ]
    for *both, row in zip(lines, more, leaderboard, strict=True):
        cells: dict[str, str] = {}
        for heads, line in zip(headings, both, strict=True):
            assert line.locator("th").inner_text().strip() == title(row["rule"])
            cells |= zip(heads, line.locator("td").all_inner_texts(), strict=True)
        assert cells["conclusion"] == ("" if row["rule"] == "sgd" else row["finding"])
        said = {heading: numbers(cell) for heading, cell in cells.items()}
        assert said["chosen"] == [row["learning_rate"]]
        if row["rule"] != "sgd":
            interval = [row["speedup"], row["speedup_low"], row["speedup_high"]]
            assert said["in steps"] == pytest.approx(interval, abs=0.00501)
            inverse = [1 / s if s else math.inf for s in (interval[0], interval[2], interval[1])]
            relative = said["steps against gradient descent"]
            assert relative == pytest.approx(inverse, abs=0.00501)
        assert said["reached"] == [row["reached"], row["runs"]]
        assert said["steps"][0] == row["steps_to_target"]
        assert said["gradient evaluations to the target"] == [row["gradients_to_target"]]
        assert said["diverged"] == [row["diverged"], row["runs"]]
        assert said["forgiving"] == pytest.approx([row["forgiving_decades"]], abs=0.0501)
        for cell, value in (("test loss", "final_loss"), ("accuracy", "final_accuracy")):
            assert not said[cell] or said[cell] == pytest.approx([row[value]], abs=5e-5)
        assert said["accuracy"] or row["diverged"]
        assert (cells["memory"] == "–") == math.isnan(row["state_bytes"])


def test_the_table_of_any_two_rules_is_that_of_python(visit, results):
    """A cell is the row's time as a multiple of the column's; bold is what is decided."""
    rules = [s.rule for s in results.verdict.standings]
    lines = visit.page.locator("section[aria-labelledby=pairs] tbody tr").all()
    said = {}
    for rule, line in zip(rules, lines, strict=True):
        assert line.locator("th").inner_text().strip() == title(rule)
        for over, cell in zip(rules, line.locator("td").all(), strict=True):
            if rule == over:
                assert cell.inner_text() == "–"
                continue
            said[rule, over], low, high = numbers(cell.inner_text())
            speedup, least, most = results.verdict.pairs[over, rule]
            assert (said[rule, over], low, high) == pytest.approx(
                (1 / speedup, 1 / most, 1 / least), abs=0.00501
            )
            assert cell.locator("b").count() == (least > 1 or most < 1)
    best, *_, worst = rules
    assert said[best, worst] < 1 < said[worst, best]


@pytest.mark.parametrize(
    "options",
    [
        {"viewport": {"width": 360, "height": 700}, "color_scheme": "dark"},
        {"viewport": {"width": 2560, "height": 1400}},
        {"viewport": {"width": 800, "height": 900}, "java_script_enabled": False},
    ],
    ids=["phone, dark", "wide", "without scripts"],
)
def test_it_can_be_read(browser, written, options):
    scripts = options.get("java_script_enabled", True)
    visit = Visit(browser, written, drawn=scripts, **options)
    assert visit.complaints == []
    page, width = visit.page, options["viewport"]["width"]
    for svg in page.locator(".picture svg").all():
        assert svg.bounding_box()["height"] > 140
    # Wide things scroll within themselves: the page itself never does, sideways.
    boxes = [section.bounding_box() for section in page.locator("section, header, h1").all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    if scripts:
        assert page.evaluate("document.documentElement.scrollWidth") == width
    tables = page.locator("details table")
    assert tables.count() == len(DRAWN) + 1
    assert (
        tables.nth(2).locator("tbody tr").count() == 41
    )  # after the speed-ups, and more of each rule


def test_the_keyboard_reaches_everything_that_scrolls_or_opens(browser, written):
    page = Visit(browser, written, viewport={"width": 360, "height": 700}).page
    wanted = {"scroll", "picture", "summary", "button", "copy", "radio", "range", "search", "sort"}
    reached: set[str] = set()
    # A picture that becomes live has more places to stop at, the sooner the more of them are met.
    for _ in range(200):
        page.keyboard.press("Tab")
        reached |= set(
            page.evaluate(
                "(a => a.className || a.type || a.localName)(document.activeElement)"
            ).split()
        )
        if wanted <= reached:
            return
    assert wanted <= reached


def test_a_still_picture_becomes_live_where_it_stands(browser, written):
    """Untouched, the page does nothing; a chart that is touched neither moves nor changes size."""
    visit = Visit(browser, written, viewport={"width": 1280, "height": 900})
    for figure in visit.page.locator("figure").all():
        figure.scroll_into_view_if_needed()
        assert figure.locator(".picture.still").count() == 1
        still = figure.locator("svg").first.bounding_box()
        figure.locator(".picture").focus()
        live = figure.locator(".picture:not(.still) > div > svg")
        live.wait_for()
        box = live.bounding_box()
        # Fonts differ between here and there, so the room that labels take does a little.
        assert box["width"] == pytest.approx(still["width"], rel=0.04)
        assert [box[k] for k in "xy"] == pytest.approx([still[k] for k in "xy"], abs=2)
        assert box["height"] == pytest.approx(still["height"], abs=12)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 1280


def test_axe_finds_nothing(browser, written, axe):
    visit = Visit(browser, written)
    for summary in visit.page.locator("summary").all():
        summary.click()
    assert axe(visit.page) == []
    visit.page.emulate_media(color_scheme="dark")
    assert axe(visit.page, "cat.color") == []
    assert visit.complaints == []


def test_verdict_json_travels_along(visit, results):
    page = visit.page
    link = page.locator("a[download='verdict.json.gz']")
    packed = base64.b64decode(link.get_attribute("href").partition(",")[2])
    assert gzip.decompress(packed).decode() == results.to_json()
    with page.expect_download() as waiting:  # with scripts it comes unpacked
        link.click()
    assert waiting.value.suggested_filename == "verdict.json"
    assert json.loads(waiting.value.path().read_text("utf-8"))["verdict"] == str(results.verdict)


def followed(page: Page, target: float) -> None:
    """Once the table is that of a target."""
    page.wait_for_function(
        "t => Math.abs(document.querySelector('#shares').dataset.target / t - 1) < 1e-9", arg=target
    )


def test_the_target_slider_agrees_with_the_runs(visit, results):
    page = visit.page
    slider = page.locator("#target")
    fresh = [c for c in results.curves if c.run.stage == "evaluation"]
    seen = set()
    for key in ("Home", "PageUp", "PageUp", "PageUp", "End", "PageDown", "ArrowLeft"):
        slider.press(key)
        place = int(slider.input_value())
        easy, hard = (float(slider.get_attribute(f"data-{end}")) for end in ("easy", "hard"))
        target = math.exp(math.log(easy) + (math.log(hard) - math.log(easy)) * place / 400)
        followed(page, target)
        for line in page.locator("#shares tbody tr").all():
            rule = line.get_attribute("data-rule")
            own = [steps_to(c, target, results.plan.period) for c in fresh if c.run.rule == rule]
            reached, median = line.locator("td").all_inner_texts()
            if place not in (0, 400):  # there a run's best is the target, to its last digit
                there = sum(map(math.isfinite, own))
                assert reached == f"{there} of {len(own)}"
                assert numbers(median) == [float(np.median(own))]
            seen.add(reached)
    assert len(seen) > 2
    page.locator("#target-back").click()
    followed(page, results.verdict.target)
    shown = [
        row.split(" of ")[0] for row in page.locator("#shares td:nth-child(2)").all_inner_texts()
    ]
    assert shown == [str(s.reached) for s in results.verdict.standings]


def test_all_runs_can_be_sorted_found_and_drawn(browser, written, results):
    visit = Visit(browser, written, drawn=True)
    page, data = visit.page, runs.table(results)
    page.locator("#filter").fill("adam tuning")
    wanted = data[(data["rule"] == "adam") & (data["stage"] == "tuning")]
    assert page.locator("#every tbody tr").count() == len(wanted)
    page.get_by_role("button", name="test loss").click()
    place = list(data.columns).index("test_loss") + 1
    shown = page.locator(f"#every tbody tr > :nth-child({place})").all_inner_texts()
    finite = [float(text) for text in shown if text != "–"]
    assert finite == sorted(finite)
    assert finite == pytest.approx(sorted(wanted["test_loss"].dropna()), rel=1e-3)
    lines = page.locator("figure[data-chart=training] .mark-line path")
    before = lines.count()
    page.locator("#every tbody button").first.click()
    page.wait_for_function(
        "n => document.querySelectorAll('figure[data-chart=training] .mark-line path').length > n",
        arg=before,
    )
    assert "panel of adam" in page.locator("#drawn").inner_text()
    ticks = page.locator("figure[data-chart=curves] svg text")
    logarithmic = ticks.all_text_contents()
    page.locator("figure[data-chart=curves] input[value=linear]").check()
    page.wait_for_function(
        "n => [...document.querySelectorAll('figure[data-chart=curves] svg text')]"
        ".map(e => e.textContent).join() !== n",
        arg=",".join(logarithmic),
    )
    assert visit.complaints == []


def test_every_diverged_run_is_a_result(results):
    cases = tables.failures(results.curves)
    gone = [
        (c.run.stage, c.run.rule, c.run.learning_rate, str(c.run.seed))
        for c in results.curves
        if diverged_at(c, VALIDATION if c.run.stage == "tuning" else TEST) is not None
    ]
    told = [
        (case["stage"], case["rule"], case["learning_rate"], seed)
        for case in cases
        for seed in case["seeds"].split(", ")
    ]
    assert sorted(told) == sorted(gone)
    by_rule = {(case["stage"], case["rule"]): case for case in cases}
    ended_high = by_rule["tuning", "sgd"]
    assert (ended_high["count"], ended_high["step"]) == ("1 of 1", 200)
    assert ended_high["how"] == "ended above its start"
    fresh = by_rule["evaluation", "nesterov"]
    assert (fresh["count"], fresh["step"], fresh["seeds"]) == ("1 of 1", 101, "2000003")
    assert fresh["how"] == "not finite"


def test_diverged_tuning_runs_of_a_learning_rate_are_one_line(results, lost):
    """What diverges on the first seed is not tried on the second, but others may there."""
    one, two = [
        c
        for c in results.curves
        if (c.run.stage, c.run.rule, c.run.learning_rate) == ("tuning", "adam", 0.1)
    ]
    (case,) = tables.failures([lost(one, 151), lost(two, 101)])
    assert [case[k] for k in ("count", "seeds", "step")] == ["2 of 2", "0, 1", 101]
    (case,) = tables.failures([one, lost(two, 101)])
    assert [case[k] for k in ("count", "seeds", "step")] == ["1 of 2", "1", 101]


@pytest.mark.parametrize("chart", DRAWN)
def test_every_row_behind_a_chart_is_whole(results, chart):
    """Of a learning rate too that was tried on fewer seeds than others."""
    behind = tables.BEHIND[chart](results)
    assert behind.rows
    assert {1 + len(row.cells) for row in behind.rows} == {len(behind.columns)}


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("initial weights", lambda c: replace(c, weights_digest="others")),
        ("batch order", lambda c: replace(c, batches_digest="others")),
        ("loss before step one", lambda c: replace(c, measures=c.measures * 1.001)),
    ],
)
def test_a_race_that_was_not_fair_is_refused(make_results, results, what, change):
    def tampered(curve):
        return change(curve) if (curve.run.rule, curve.run.seed) == ("adam", 2_000_002) else curve

    rigged = make_results(tampered)
    assert not results.verdict.refused
    ((found, (line,)),) = [(a.what, a.wrong) for a in rigged.verdict.audits if a.refuses]
    assert found == what
    assert line == f"Adam at 0.1, evaluation seed 2000002: not the {what} of SGD"


def test_what_was_refused_is_said_at_the_top(make_results, tmp_path):
    odd = ("adam", 2_000_002)
    report.write(
        make_results(
            lambda c: replace(c, weights_digest="others") if (c.run.rule, c.run.seed) == odd else c
        ),
        tmp_path / "report.html",
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.index("Not a fair race") < page.index("Leaderboard")
    assert "Any two rules" not in page  # where bold would be a claim


def test_a_race_of_400_runs_fits_its_budget_and_its_leaderboard_the_window(browser, tmp_path):
    made = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "synthetic.py"))
    race = made["race"](tmp_path / "race")
    assert (len(race.stored), race.plan.steps) == (402, 2_000)
    written = race.report()
    assert written.stat().st_size <= 3_000_000
    page = Visit(browser, written, viewport={"width": 1280, "height": 900}).page
    board = "document.querySelector('#standings').parentElement"
    assert page.evaluate(f"{board}.scrollWidth - {board}.clientWidth") == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.08181, "0.0818"), (0.0, "0.0000"), (1.5e-7, "1.5e-07"), (math.inf, "∞")],
)
def test_numbers_are_short_and_tell_small_from_none(value, said):
    assert tables.number(value) == said
