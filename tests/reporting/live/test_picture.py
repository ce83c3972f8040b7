"""The live table: text for a state at a width, and nothing else."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from ravine.analysis import title
from ravine.experiment.cost import Cost
from ravine.experiment.plan import CONTENDER
from ravine.reporting import style
from ravine.reporting.live.picture import Picture, joined
from ravine.reporting.live.state import State, runs_of
from ravine.reporting.results import Results

WIDTHS = [50, 80, 200]


@pytest.fixture
def state(results: Results) -> State:
    """Two rules are tuned, the third is not through, of the fourth nothing is known."""
    state = State(results.plan, runs_of(results.plan), began=0.0)
    tuning = [curve for curve in results.curves if curve.run.stage == "tuning"]
    last = next(curve for curve in tuning if curve.run.rule == "nesterov")
    for curve in [*(c for c in tuning if c.run.rule in ("sgd", "adam")), last]:
        state.advance([curve.run], 0, len(curve.losses), [curve.measures])
        state.finish(curve.run, curve.measures[1:])
    return state


def text(state: State, width: int, **more: object) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=True)
    looks = style.looks(state.plan.choices.rules)
    console.print(Picture(state, 18.0, looks, ["training adam"] * 2, **more))  # type: ignore[arg-type]
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_fits_and_has_every_rule(state: State, width: int) -> None:
    lines = text(state, width, foot=["a file was damaged"])
    assert max(map(cell_len, lines)) <= width
    said = "\n".join(lines)
    assert f"{state.done}/{state.count} runs" in said
    assert "left" in said
    assert "0.5 runs a second" in said
    assert f"{state.diverged} diverged" in said
    assert "training adam (2)" in said
    assert lines[-1] == "a file was damaged"
    for rule in ("sgd", "adam", "nesterov"):
        row = next(line for line in lines if title(rule) in line)
        assert row.startswith(style.looks([rule])[rule].glyph)
        assert any(level in row for level in "▁▂▃▄▅▆▇█")
    assert ("best rate" in said) == (width >= 80)
    assert "…" in said  # the longest name is cut, whatever is in it


def test_the_best_comes_first_and_says_what_it_is(state: State) -> None:
    rows = state.rows()
    assert [row.rule for row in rows[:2]] == ["adam", "sgd"]
    assert [row.learning_rate for row in rows[:2]] == [0.1, 0.1]
    assert rows[0].loss is not None
    assert len(rows[0].curve) == state.plan.evaluations + 1
    # Three rates, of which the one that is near the best has a second seed; and at most all.
    assert (rows[0].runs, rows[0].of) == (4, 6 + 8)
    assert rows[1].of == 6 + 8 + 10  # with those that the target is taken from
    half = next(row for row in rows if row.rule == "nesterov")
    assert half.loss is None
    assert half.runs == 1
    assert len(half.curve) > 0
    lines = text(state, 80)
    assert next(line for line in lines if f"{rows[0].loss:.4f}" in line).startswith("✚ Adam")


def test_time_left_begins_with_what_was_estimated(results: Results) -> None:
    cost = Cost(2, 1e-2, 0, 0, 0, 0, 0, 3e8, 1e8, 4e8, 2e8)
    state = State(results.plan, runs_of(results.plan), cost)
    whole = state.left(now=0.0)
    assert whole == pytest.approx(results.plan.count * 200 * 1e-2 / 4 / 2, rel=0.4)
    for curve in list(results.curves)[:-1]:
        state.advance([curve.run], 0, 200, [curve.measures])
        state.finish(curve.run, curve.measures[1:])
    # At ten times the pace that was thought: then what was seen counts.
    left = state.left(now=whole * 10)
    assert left is not None
    assert 0 < left < whole
    state.finish(results.curves[-1].run, results.curves[-1].measures[1:])
    assert state.left(now=whole * 10) is None


def test_what_is_not_wanted_is_not_waited_for(results: Results) -> None:
    """Neither rates without hope on further seeds; nor does a contender come unexpected."""
    state = State(results.plan, runs_of(results.plan))
    assert state.count == results.plan.count == 4 * (3 * 2 + 8) + 10
    wanted = sorted(results.curves, key=lambda c: c.run.stage != "tuning")
    for curve in wanted[:-1]:
        state.advance([curve.run], 0, 200, [curve.measures])
        state.finish(curve.run, curve.measures[1:])
    assert (state.done, state.count) == (len(wanted) - 1, len(wanted))
    assert state.share == pytest.approx(1 - 200 / (66 * 200), abs=0.01)
    contender = replace(wanted[-1].run, id="another", stage=CONTENDER)
    state.advance([contender], 0, 100, [wanted[-1].measures])
    assert state.count == len(wanted) + 1
    state.end()
    assert state.done == state.count == len(wanted) - 1
    assert state.left(now=1.0) is None


def test_what_was_stored_before_is_no_pace(results: Results) -> None:
    state = State(results.plan, runs_of(results.plan))
    half = list(results.curves)[: state.count // 2]
    state.stored(half, now=100.0)
    assert state.done == state.kept == len(half)
    assert state.left(now=101.0) is None
    curve = results.curves[len(half)]
    state.advance([curve.run], 0, 200, [curve.measures])
    state.finish(curve.run, curve.measures[1:])
    assert state.speed(now=102.0) == 0.5
    left = state.left(now=102.0)
    assert left is not None
    assert left == pytest.approx(2.0 * (state.count - state.done), rel=0.3)


def test_parts_are_not_torn() -> None:
    assert joined(["aaaa", "bbbb", "cc"], 11).plain == "aaaa · bbbb\ncc"
