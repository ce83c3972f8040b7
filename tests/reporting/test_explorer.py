"""The explorer in a real browser, with no network: its rules are Python's, and all can use it."""

import json
import math
import random
import struct

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

import ravine
from ravine.explain.surfaces import SURFACES, parsing
from ravine.reporting.explorer.entries import Entry
from ravine.reporting.explorer.printed import NesterovAsPrinted
from ravine.reporting.explorer.scenes import SCENES
from ravine.rules import RULES

KINDS = {**RULES, NesterovAsPrinted.name: NesterovAsPrinted}
HEX = """
const hex = xs => Array.from(new Uint8Array(Float64Array.from(xs).buffer))
  .map(b => b.toString(16).padStart(2, '0')).join('');
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    ravine.explore().write(path)
    return path


@pytest.fixture(autouse=True)
def left(browser):
    """Pages that a test opened are closed behind it."""
    before = browser.contexts
    yield
    for context in browser.contexts:
        if context not in before:
            context.close()


class Visit:
    """A page opened offline, and all that it did."""

    def __init__(self, browser: Browser, path, address: str = "", **options) -> None:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = browser.new_context(**options)
        context.set_offline(True)
        self.page: Page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri() + address)
        if options.get("java_script_enabled", True) and path.name != "notebook.html":
            until(self.page, "window.ravine")


@pytest.fixture(scope="module")
def page(browser, written) -> Page:
    return Visit(browser, written).page


def until(page: Page, condition: str) -> None:
    """Wait for it; Playwright's own way is an eval, which the page forbids."""
    page.evaluate(
        f"new Promise(done => {{ const look = () => ({condition}) ? done() : "
        "requestAnimationFrame(look); look(); })"
    )


def floats(text: str) -> list[float]:
    return list(struct.unpack(f"<{len(text) // 16}d", bytes.fromhex(text)))


def bits(numbers) -> str:
    return struct.pack(f"<{len(numbers)}d", *numbers).hex()


def test_it_is_small_asks_for_nothing_and_complains_of_nothing(browser, written):
    visit = Visit(browser, written)
    visit.page.locator("#basins").scroll_into_view_if_needed()
    until(
        visit.page,
        "document.querySelector('.shares') && "
        "[...document.querySelectorAll('.shares')].every(e => e.textContent !== '…')",
    )
    for scene in SCENES:
        visit.page.goto(f"{written.as_uri()}#scene={scene.name}")
        assert visit.page.locator("#question").inner_text() == scene.question
    assert {url.partition("#")[0] for url in visit.requests} == {written.as_uri()}
    assert visit.complaints == []
    assert written.stat().st_size <= 150_000
    visit.page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        "document.body.append(s)"
    )
    assert visit.page.evaluate("window.ran") is None


def recorded(steps: int) -> list[float]:
    draw = random.Random(8)
    return [draw.gauss(0, 1) * 10 ** draw.uniform(-3, 2) for _ in range(steps)]


def test_every_rule_is_pythons_bit_for_bit_on_recorded_gradients(page):
    slopes = recorded(500)
    walkers = [kind() for kind in KINDS.values()] + [ravine.Momentum(dampening=0.0)]
    for rule in walkers:
        w, state, expected = 0.3, rule.init(0.3), []
        for t, g in enumerate(slopes, 1):
            expected.append(rule.lookahead(w, state, t))
            w, state = rule.update(w, g, state, t)
            expected.append(rule.read(w, state, t))
        found = page.evaluate(
            f"""([name, h, slopes]) => {{ {HEX}
            const rule = ravine.RULES[name];
            const form = rule.forms[(h.dampening ?? null) === null ? "" : "dampening"];
            let w = 0.3, s = form.init(h, w);
            const seen = [];
            slopes.forEach((g, i) => {{
              seen.push(form.lookahead?.(h, w, s, i + 1) ?? w);
              w = form.update(h, w, g, s, i + 1);
              seen.push(form.read?.(h, w, s, i + 1) ?? w);
            }});
            return hex(seen); }}""",
            [rule.name, rule.values(), slopes],
        )
        assert len(set(expected)) > 400
        # Nadam's 0.96 ** psi is one Math.pow; for the declared psi both languages agree.
        assert found == bits(expected), rule


def test_every_surface_is_pythons(page):
    for name, surface in SURFACES.items():
        x0, x1, y0, y1 = surface.window
        draw = random.Random(name)
        points = [(draw.uniform(x0, x1), draw.uniform(y0, y1)) for _ in range(40)]
        found = page.evaluate(
            f"""([name, points]) => {{ {HEX} const s = ravine.SURFACES[name];
            return hex(points.flatMap(([x, y], i) =>
              [s.value(x, y), ...s.gradient(x, y), ...s.sample(x, y, i, 7)])); }}""",
            [name, points],
        )
        expected = [
            number
            for i, (x, y) in enumerate(points)
            for number in (
                surface.value(x, y),
                *surface.gradient(x, y),
                *surface.sample(x, y, i, 7),
            )
        ]
        if any(word in surface.javascript() for word in ("Math.exp", "Math.sin", "Math.cos")):
            # The libraries round these functions each in its own way; sums of them cancel.
            size = max(map(abs, expected))
            assert floats(found) == pytest.approx(expected, rel=1e-13, abs=1e-14 * size)
        else:
            assert found == bits(expected), name


def shown(page: Page) -> list[tuple[str, list[float], list[float], list[float]]]:
    return page.evaluate(
        """() => ravine.now.walks.map(({rule, path}) => [rule.name,
        ...['xs', 'ys', 'values'].map(k => [...path[k].slice(0, path.n + 1)])])"""
    )


@pytest.mark.parametrize(
    ("address", "exact"),
    [
        ("#surface=rosenbrock&start=-1.2,1&steps=300&rates=tuned"
         "&rules=sgd,momentum(dampening=0),nesterov,adagrad,rmsprop,adam(beta_1=0.8),adamw,nadam",
         True),
        ("#surface=noisy-bowl&start=-4,3&steps=200&seed=5&rates=first&rules=sgd,adam", True),
        ("#scene=nesterov", True),
        ("#formula=x**2*exp(-y)%2B3*y**4%2Bcos(x)&start=1,0.5&steps=150&rates=tuned"
         "&rules=sgd,adam", False),
    ],
)  # fmt: skip
def test_what_is_copied_as_python_walks_the_paths_shown(browser, written, capsys, address, exact):
    page = Visit(browser, written, address).page
    page.get_by_role("button", name="Copy as Python").click()
    page.locator("#code-box").wait_for()
    code = page.locator("#code").inner_text()
    scope: dict = {}
    exec(code.replace("    print(", "    paths.append(path)\n    print(").replace(
        "rules = [", "paths = []\nrules = [", 1
    ), scope)  # fmt: skip
    found = shown(page)
    assert len(found) == len(scope["paths"]) >= 2
    for (name, xs, ys, values), path in zip(found, scope["paths"], strict=True):
        if exact:
            assert bits(xs) == bits(path.weights[:, 0].tolist()), name
            assert bits(ys) == bits(path.weights[:, 1].tolist()), name
        else:  # another way to write the derivative rounds otherwise
            walked = np.stack([xs, ys], axis=1)
            assert walked == pytest.approx(path.weights, rel=1e-6, abs=1e-9)
        assert values == pytest.approx(path.values.tolist(), rel=1e-6, abs=1e-9, nan_ok=True)
    assert capsys.readouterr().out.count("\n") >= len(found)


def test_an_ending_is_pythons(browser, written):
    from ravine.explain.surfaces.descent import Descent

    page = Visit(browser, written).page
    for scene in SCENES:
        page.goto(f"{written.as_uri()}#scene={scene.name}")
        page.get_by_text(scene.question).wait_for()
        state = dict(pair.split("=", 1) for pair in scene.state.split("&"))
        found = page.evaluate("ravine.now.walks.map(w => [w.end.kind, w.end.mark, w.end.step])")
        kinds = page.evaluate("ravine.now.walks.map(w => [w.rule.name, w.h])")
        rules = [KINDS[name](**h) for name, h in kinds]
        descent = Descent.of(
            SURFACES[state["surface"]].at(state["start"]), rules, int(state["steps"])
        )
        assert found == [[e.kind, e.mark, e.step] for e in descent.endings], scene.name


FORMULAS = (
    "5*x**2 + 2*x*y + 3*y**2", "-x**2", "x²y", "2x", "x y", "sin x", "sin(x)", "x**-2", "-2**2",
    "x^2^3", "(x", "x)", "", "   ", "1,5*x", "1e400", "x2", "foo(x)", "e**x", "π*x·y",
    "sqrt(x*x + y⁴)",
    "abs(x) - sign(y)", "--x", "+-x", "x⁻²", "x²⁻",
    "x***2", "((((x))))", "log(x)/atan(y)", "$",
    "x\t+ y",
    "x+" * 300 + "y", "(" * 70 + "x" + ")" * 70, "alert(1)", "constructor", "__proto__",
    "x.y", "🙂x",
)  # fmt: skip


def test_formulas_are_read_as_in_python(page):
    found = page.evaluate(
        """texts => texts.map(text => { try {
        const s = ravine.ownSurface(text);
        const at = [1.25, 0.5];
        return [s.value(...at), ...s.gradient(...at), ...s.hessian(...at).flat()].map(String);
        } catch (error) { return error.position; } })""",
        list(FORMULAS),
    )
    for text, result in zip(FORMULAS, found, strict=True):
        try:
            position = None
            surface = ravine.surfaces.find(text)
            expected = [
                surface.value(1.25, 0.5),
                *surface.gradient(1.25, 0.5),
                *(second for row in surface.hessian(1.25, 0.5) for second in row),
            ]
        except parsing.WrongFormula as error:
            position = error.position
        except ravine.errors.InvalidArgument:
            position = result  # taken for the name of a surface, which the page does not ask
        if position is not None:
            assert result == position, text
        else:
            assert isinstance(result, list), text
            numbers = [float(r.replace("Infinity", "inf")) for r in result]
            assert numbers == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True), text


def test_a_wrong_formula_is_answered_with_a_caret_and_the_picture_stays(browser, written):
    visit = Visit(browser, written)
    page = visit.page
    page.locator("#formula").fill("x**2 + y**2")
    assert "formula=x**2%20%2B%20y**2" in page.evaluate("location.hash")
    before = shown(page)
    page.locator("#formula").fill("x**2 + q")
    assert page.locator("#formula-caret").inner_text().splitlines()[1].index("^") == 7
    assert "unknown name" in page.locator("#formula-said").inner_text()
    assert shown(page) == before
    page.locator("#formula").fill(SURFACES["beale"].text)
    assert "surface=beale" in page.evaluate("location.hash")
    assert page.locator("#formula-error").is_hidden()
    assert visit.complaints == []


def test_the_address_holds_the_whole_state(browser, written):
    address = (
        "#surface=himmelblau&window=-4,4,-4,4&start=-0.5,1.25&steps=90"
        "&rules=sgd(learning_rate=0.01),momentum(momentum=0.8,dampening=0),adam&rates=first&t=17&rule=momentum"
    )
    first = Visit(browser, written, address).page
    assert first.evaluate("location.hash") == address
    second = Visit(browser, written, first.evaluate("location.hash")).page
    assert shown(first) == shown(second)
    assert first.locator("#anatomy-title").inner_text() == "Step 17 of Momentum"
    for nonsense in (
        "#surface=%zz&start=a&steps=-1&rules=;&t=1e9",
        "#formula=x**&rates=3",
        "#__proto__=1",
    ):
        assert Visit(browser, written, nonsense).complaints == []


def test_a_walk_that_ends_early_leaves_nothing_of_the_one_before(browser, written):
    calm, wild = (
        f"#surface=worked-example&start=1,1&steps=100&rates=paper&rules=sgd(learning_rate={rate})"
        for rate in (0.1, 100)
    )
    scale = "JSON.stringify([ravine.now.scale.bottom, ravine.now.scale.top])"
    after = Visit(browser, written, calm).page
    least = after.evaluate(scale)
    after.evaluate(f"location.hash = {wild!r}")
    until(after, "ravine.now.walks[0].end.kind === 'diverged'")
    fresh = Visit(browser, written, wild).page
    assert after.evaluate(scale) == fresh.evaluate(scale) != least


def test_the_keyboard_alone_does_everything(browser, written):
    visit = Visit(
        browser, written, "#surface=worked-example&start=1,1&steps=50&rates=paper&rules=sgd,adam"
    )
    page = visit.page
    page.locator("#start").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    x, y = page.evaluate("ravine.state.start")
    assert x < 1 < y
    assert f"start={x:g},{y:g}" in page.evaluate("location.hash")
    assert shown(page)[0][1][0] == x
    page.locator("#scrub").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("ravine.state.t") == 1
    page.locator("#adam-learning_rate").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("ravine.state.values.adam.learning_rate") > 0.001
    page.get_by_label("SGD, learning_rate, as a number").fill("-1")
    page.keyboard.press("Enter")
    assert "learning_rate must be > 0" in page.locator("#rows").inner_text()
    page.locator("#on-nadam").focus()
    page.keyboard.press("Space")
    assert len(shown(page)) == 3
    page.get_by_label("equal first step").check()
    lengths = [math.hypot(xs[1] - xs[0], ys[1] - ys[0]) for _, xs, ys, _ in shown(page)]
    assert lengths == pytest.approx([lengths[0]] * 3, rel=1e-4)
    focused = []
    for _ in range(60):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"SUMMARY", "BUTTON", "INPUT"} & set(focused)
    assert visit.complaints == []


def test_space_plays_and_reduced_motion_steps(browser, written):
    page = Visit(browser, written, "#surface=saddle&steps=80", reduced_motion="reduce").page
    assert page.evaluate("ravine.state.t") is None  # nothing plays by itself
    page.keyboard.press("Space")
    assert page.evaluate("ravine.state.t") == 2
    assert page.locator("#play").inner_text().startswith("Step")
    moving = Visit(browser, written, "#surface=saddle&steps=80").page
    moving.keyboard.press("Space")
    until(moving, "ravine.state.t > 3 && ravine.state.t < 80")
    moving.keyboard.press("Space")
    assert moving.locator("#play").inner_text().startswith("Play")


def test_each_rule_is_tuned_with_as_many_rates_and_has_the_best(browser, written):
    page = Visit(browser, written, "#surface=booth&start=-6,-3&steps=60&rates=tuned").page
    sweeps = page.evaluate("ravine.now.sweeps")
    rates = dict(page.evaluate("ravine.now.walks.map(w => [w.rule.name, w.h.learning_rate])"))
    assert len(rates) == 6
    for name, rate in rates.items():
        tried = sweeps[name]
        assert len(tried) == 25
        losses = {one["rate"]: one["loss"] for one in tried}
        assert losses[rate] == min(x for x in losses.values() if x is not None)
        path = ravine.descend(KINDS[name](learning_rate=rate), "booth", steps=60)
        assert losses[rate] == pytest.approx(path.values[-6:].mean(), rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True},
        {"viewport": {"width": 2560, "height": 1400}, "color_scheme": "light"},
        {"viewport": {"width": 1000, "height": 800}, "forced_colors": "active"},
    ],
    ids=["phone, dark", "wide, light", "forced colours"],
)
def test_it_can_be_read_and_axe_finds_nothing(browser, written, axe, options):
    visit = Visit(browser, written, "#scene=adam", **options)
    page, width = visit.page, options["viewport"]["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator("#basins").scroll_into_view_if_needed()
    for table in ("map-table", "loss-table", "strips-table", "basins-table"):
        page.locator(f"#{table} > summary").click()
        page.locator(f"#{table} tbody tr").nth(1).wait_for()
    assert axe(page) == []
    assert visit.complaints == []


def test_axe_finds_nothing_in_any_scene(browser, written, axe):
    page = Visit(browser, written).page
    for number, scene in enumerate(SCENES):
        page.emulate_media(color_scheme=("light", "dark")[number % 2])
        page.goto(f"{written.as_uri()}#scene={scene.name}")
        page.get_by_text(scene.question).wait_for()
        assert axe(page) == [], scene.name


def test_noise_is_hovered_about_and_an_edge_is_said(browser, written):
    """The small maps of a noisy bowl are not grey; a rate at the end of its range is no optimum."""
    page = Visit(browser, written, "#scene=noise").page
    page.locator("#basins").scroll_into_view_if_needed()
    until(
        page,
        "document.querySelectorAll('.shares').length === 4 && "
        "[...document.querySelectorAll('.shares')].every(e => e.textContent !== '…')",
    )
    assert all(
        "hover about the minimum" in text for text in page.locator(".shares").all_inner_texts()
    )
    page.goto(f"{written.as_uri()}#surface=rosenbrock&rates=tuned")
    until(page, "ravine.state.surface === 'rosenbrock'")
    edges = page.evaluate(
        """ravine.now.walks.map(({rule, h}) => { const tried = ravine.now.sweeps[rule.name];
        const row = document.querySelector(`[aria-label="${rule.title}"]`);
        return [[tried[0].rate, tried.at(-1).rate].includes(h.learning_rate),
          !row.querySelector('.edge').hidden]; })"""
    )
    assert {at for at, _ in edges} == {True, False}
    assert all(at == told for at, told in edges)


def test_pictures_are_taken_away(browser, written):
    visit = Visit(browser, written, "#scene=zig-zag")
    for button, begins in (("#save-svg", b"<svg"), ("#save-png", b"\x89PNG")):
        with visit.page.expect_download() as waiting:
            visit.page.locator(button).click()
        content = waiting.value.path().read_bytes()
        assert content.startswith(begins)
        assert len(content) > 5000
    assert visit.complaints == []


def test_what_a_rule_remembers_is_told_by_how_it_answers():
    kinds = {
        name: [field["kind"] for field in Entry(kind()).memory()] for name, kind in RULES.items()
    }
    assert kinds["momentum"] == ["arrow"]
    assert kinds["adam"] == ["arrow", "scale"]
    assert kinds["adagrad"] == kinds["rmsprop"] == ["scale"]
    assert kinds["nadam"] == ["arrow", "scale", "number"]


def test_given_rules_and_formula_are_what_it_begins_with(browser, tmp_path):
    path = tmp_path / "own.html"
    page = ravine.explore("x**2 + 10*y**2", rules="adam(beta_1=0.8),sgd", start=(2, 1), steps=30)
    page.write(str(path))
    seen = Visit(browser, path).page
    assert [name for name, *_ in shown(seen)] == ["adam", "sgd"]
    assert json.loads(seen.evaluate("JSON.stringify(ravine.now.walks[0].h)"))["beta_1"] == 0.8
    assert seen.evaluate("ravine.state.start") == [2, 1]
    with pytest.raises(ravine.errors.InvalidArgument, match="wrap"):
        ravine.explore(rules="decay(adam)").html()


def test_the_command_writes_a_file_once(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from ravine.cli.app import app

    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    out = tmp_path / "a page.html"
    done = CliRunner().invoke(app, ["explore", "saddle", "--out", str(out)])
    assert (done.exit_code, done.output) == (0, f"Explorer: {out}\n")
    assert opened == [out.as_uri()]
    again = CliRunner().invoke(app, ["explore", "--no-open", "--out", str(out)])
    assert again.exit_code == 2
    assert f"'{out}' exists" in again.output
    assert "surface=saddle" in out.read_text(encoding="utf-8")


def test_a_notebook_shows_the_page_and_without_scripts_a_picture(browser, tmp_path):
    shown_ = ravine.explore("booth", rules="sgd")._repr_html_()
    holder = tmp_path / "notebook.html"
    holder.write_text(f"<!doctype html>{shown_}", encoding="utf-8")
    frame = Visit(browser, holder).page.frame_locator("iframe")
    assert frame.locator("#surface").input_value() == "booth"
    still = Visit(browser, holder, java_script_enabled=False).page.frame_locator("iframe")
    picture = still.locator("noscript img")
    assert picture.bounding_box()["width"] > 300
    assert "SGD" in picture.get_attribute("alt")
