"""A small race made of formulas: pages are tested without running one."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ravine import analysis
from ravine.analysis.crosscheck import Confirmation, confirmed
from ravine.experiment.config import RaceConfig
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan, Run, TaskInfo
from ravine.experiment.target import Target
from ravine.reporting.results import Results

HOSTILE = "</script><script>alert(1)</script>"
# What a rule gains a step at the middle one of its three learning rates; best is the hostile one.
SPEED = {"sgd": 0.02, "adam": 0.05, "nesterov": 0.03, f"mine{HOSTILE}": 0.09}
RATES = (0.01, 0.1, 1.0)
Make = Callable[..., Results]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail("no browser to open pages in: apt-get install chromium")
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium runs only without its sandbox.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


# Further rows of a table are made as those before them; and passes are not told apart.
AUDIT = """kinds => axe.run(
    {exclude: ["tbody tr:nth-child(n + 13)"]},
    {resultTypes: ["violations"], ...(kinds && {runOnly: kinds})},
).then(r => r.violations)"""


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[tuple[str, list[str]]]]:
    """What axe-core finds wrong with a page, and where; of some kinds of rules, or of all."""
    script = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

    def violations(page: Page, *kinds: str) -> list[tuple[str, list[str]]]:
        # Pages let no script in but their own: the auditor comes through the debugger.
        page.evaluate(script)
        found = page.evaluate(AUDIT, list(kinds) or None)
        return [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found]

    return violations


def make_plan(speed: Mapping[str, float]) -> Plan:
    choices = RaceConfig(
        task=f"digits{HOSTILE}",
        rules=tuple(speed),
        learning_rates=dict.fromkeys(speed, RATES),
        tuning_seeds=2,
        eval_seeds=8,
        epochs=4,
        batch_size=16,
        looked=False,
    )
    facts = TaskInfo(1234, (800, 100, 100), ("loss", "accuracy"), "f" * 64)
    sources = {rule: f"{i:064}" for i, rule in enumerate(speed)}
    return Plan(choices, facts, sources, 200, 5, 20, 4)


def make_curve(plan: Plan, run: Run, speed: float) -> Curve:
    """A loss that falls to a floor; at the largest rate it is lost, or ends where it should not."""
    rng = np.random.default_rng(run.seed)
    start, wobble = 2.3 + 0.1 * rng.random(), 0.05 * rng.standard_normal(plan.evaluations + 1)
    steps = np.arange(plan.evaluations + 1) * plan.period
    speed *= {0.01: 0.3, 0.1: 1.0, 1.0: 0.0}[run.learning_rate]
    loss = 0.1 + (start - 0.1) * np.exp(-speed * steps + wobble * (steps > 0))
    losses = np.interp(np.arange(1, plan.steps + 1), steps, loss)
    if run.learning_rate == max(RATES):
        if run.rule == "sgd":  # finite, and worse than at the start
            loss[1:], losses[:] = start + 1, start + 1
        else:
            loss[6:], losses[29:] = np.nan, np.nan
    measures = np.stack([loss, 1 - loss / 3], axis=-1)[:, None].repeat(2, axis=1)
    measures[:, analysis.TEST] *= 1.01
    return Curve(
        run,
        f"weights of {run.seed}",
        f"batches of {run.seed}",
        losses.astype(np.float32),
        measures.astype(np.float32),
    )


@pytest.fixture(scope="session")
def make_results() -> Make:
    """Results whose curves are first changed by a function, if one is given.

    ``speed``: other rules, and how fast they are. What else there is, the verdict is told.
    """

    def make(
        change: Callable[[Curve], Curve] = lambda curve: curve,
        speed: Mapping[str, float] = SPEED,
        step_seconds: Mapping[str, float] | None = None,
        **more: object,
    ) -> Results:
        more["step_seconds"] = {rule: [each] for rule, each in (step_seconds or {}).items()}
        plan = make_plan(speed)
        curves: list[Curve] = []
        while runs := analysis.due(plan, curves):
            there = {curve.run.id for curve in curves}
            new = [run for run in runs if run.id not in there]
            curves += [change(make_curve(plan, run, speed[run.rule])) for run in new]
        rules = {rule: {"learning_rate": 0.1} for rule in speed}
        judged = analysis.judge(plan, rules, curves, **more)
        machine = {"system": "Linux x86_64", "processor": f"chip{HOSTILE}", "cores": 2}
        versions = {"ravine": "0.1.0", "numpy": "2.4"}
        return Results(plan, curves, judged, machine, versions, f"ravine race 'digits{HOSTILE}'")

    return make


@pytest.fixture(scope="session")
def results(make_results: Make) -> Results:
    """One evaluation run of Nesterov is lost on its way; the winner was confirmed on TensorFlow."""
    return crosscheck(
        make_results(
            lambda c: lost(c, 101) if c.run.rule == "nesterov" and c.run.seed == 2_000_003 else c
        )
    )


@pytest.fixture(name="crosscheck", scope="session")
def confirm_fixture() -> Callable[[Results], Results]:
    return crosscheck


def crosscheck(results: Results) -> Results:
    """Three seeds more: the same there to five digits, but for the winner's first, which is late.

    Two seconds are for the graph, then each part takes 10 ms.
    """
    plan, leader = results.plan, results.verdict.leader
    chosen = {leader.rule: leader.configuration, "sgd": Configuration(0.1)}
    target = Target(results.verdict.target, 0, False)
    lines = dict.fromkeys(chosen, "keras.optimizers.SGD()")
    asked = Confirmation(leader.rule, chosen, target, 3, 1, "tensorflow", lines)
    curves = [make_curve(plan, run, SPEED[run.rule]) for run in asked.runs(plan)]
    seconds = 2 + 0.01 * np.arange(1, plan.evaluations + 1)
    there = {}
    for i, c in enumerate(curves):
        late = 1.5 if i == 0 else 1.00001
        there["tensorflow", c.run.id] = (c.measures[:, analysis.TEST] * late, seconds, False)
    return replace(results, confirmed=(confirmed(asked, plan, curves, there),))


def lost(curve: Curve, step: int) -> Curve:
    """The same run, not finite from a step on."""
    losses, measures = curve.losses.copy(), curve.measures.copy()
    losses[step - 1 :] = np.nan
    measures[-(-step // 5) :] = np.nan
    return replace(curve, losses=losses, measures=measures)


@pytest.fixture(name="lost")
def lost_fixture() -> Callable[[Curve, int], Curve]:
    return lost
