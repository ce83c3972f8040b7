"""The pictures show what was measured, in colours and dashes that can be told apart."""

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.analysis import TEST, VALIDATION, diverged_at, steps_to, title
from ravine.errors import InvalidArgument
from ravine.reporting import charts, style, tables
from ravine.reporting.charts import drawing
from ravine.reporting.charts.ecdf import arrivals, bounds
from ravine.reporting.charts.steps_vs_seconds import flips
from ravine.reporting.charts.targets import steps_by_target
from ravine.reporting.charts.training import envelopes
from ravine.rules import RULES

SPEED = ("sgd", "adam", "nesterov", "mine</script><script>alert(1)</script>")


def datasets(chart):
    """The rows a chart carries; refuses what is no number in JSON."""
    spec = json.loads(json.dumps(chart.to_dict(), allow_nan=False))
    return list(spec["datasets"].values())


def rows_with(chart, *fields):
    return next(rows for rows in datasets(chart) if rows and set(fields) <= set(rows[0]))


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("paint", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_everything_drawn_stands_out_from_its_surface(paint):
    assert len(set(paint.rules)) == 10
    assert min(contrast(c, paint.surface) for c in paint.rules) >= 3  # WCAG 1.4.11, graphics
    assert min(contrast(c, paint.surface) for c in (paint.ink, paint.muted)) >= 4.5  # 1.4.3, text


def test_a_registered_rule_looks_the_same_in_any_company_and_none_look_alike():
    own = [f"own_{i}" for i in range(50 - len(RULES))]
    everyone = style.looks([*reversed(own), *RULES])
    assert all(style.looks([rule])[rule] == everyone[rule] for rule in RULES)
    assert style.looks(own)[own[0]].colour == style.LIGHT.rules[len(RULES)]
    assert len(set(everyone.values())) == 50


@given(st.lists(st.floats(0, 300), min_size=1, max_size=18), st.floats(1, 17))
def test_labels_keep_order_and_distance_and_move_no_further_than_they_must(positions, gap):
    placed = style.spread_out(positions, gap, 0, 310)
    order = np.argsort(positions, kind="stable")
    apart = np.diff(np.array(placed)[order])
    assert (apart >= gap - 1e-9).all()
    assert min(placed) >= -1e-9
    assert max(placed) <= 310 + 1e-9
    if (np.diff(np.sort(positions)) >= gap).all():
        assert placed == pytest.approx(positions)


@given(st.floats(1e-9, 1e6), st.floats(1.3, 1e12))
def test_an_axis_has_a_few_round_ticks_however_short_or_long(low, ratio):
    ticks = style.ticks(low, low * ratio)
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))
    assert low <= ticks[0]
    assert ticks[-1] <= low * ratio
    assert all(tick == float(f"{tick:.1e}") for tick in ticks)  # two digits at most


def test_curves_are_medians_and_quartiles_of_the_fresh_test_losses(results):
    chart = charts.chart(results, "curves")
    drawn = {(r["rule"], r["step"]): r for r in rows_with(chart, "low", "median")}
    for rule in results.plan.choices.rules:
        runs = [c for c in results.curves if c.run.stage == "evaluation" and c.run.rule == rule]
        losses = np.sort(np.array([c.measures[:, TEST, 0] for c in runs]), axis=0)  # NaN last
        for i in (0, 7, 19, 20, results.plan.evaluations):
            row = drawn[rule, i * results.plan.period]
            # Of eight: the second and the sixth occurred, the median lies between two.
            assert row["low"] == pytest.approx(losses[1, i], rel=1e-4)
            assert row["high"] == pytest.approx(losses[5, i], rel=1e-4)
            assert row["median"] == pytest.approx(losses[3:5, i].mean(), rel=1e-4)
    assert rows_with(chart, "level")[0]["level"] == results.verdict.target


def test_each_line_has_its_own_label_and_none_overlap(results):
    chart = charts.chart(results, "curves")
    labels = rows_with(chart, "label_at")
    assert [r["label"] for r in labels] == [title(s.rule) for s in results.verdict.standings]
    domain = chart.to_dict()["layer"][0]["encoding"]["y"]["scale"]["domain"]
    axis = style.Axis("log", domain[0], domain[1], domain[1])
    pixels = sorted(drawing.HEIGHT * axis.height(row["label_at"]) for row in labels)
    assert min(np.diff(pixels)) >= drawing.LABEL_GAP - 0.1  # the data carries five digits


def test_a_line_ends_where_most_runs_are_lost_and_says_so(make_results, lost):
    chart = charts.chart(
        make_results(
            lambda c: lost(c, 101) if (c.run.stage, c.run.rule) == ("evaluation", "adam") else c
        ),
        "curves",
    )
    assert max(r["step"] for r in rows_with(chart, "low", "median") if r["rule"] == "adam") == 100
    end = next(row for row in rows_with(chart, "label_at") if row["rule"] == "adam")
    assert end["label"] == "Adam × not finite"
    assert end["early"]


def test_every_tuning_run_is_in_the_sensitivity_chart(results):
    chart = charts.chart(results, "sensitivity")
    tuning = [c for c in results.curves if c.run.stage == "tuning"]
    gone = [c for c in tuning if diverged_at(c, VALIDATION)]
    assert gone
    found = datasets(chart)
    # Panels whose numbers agree share a dataset: count what the panels refer to.
    names = chart.to_dict()["datasets"]
    shown = [
        names[layer["data"]["name"]]
        for panel in chart.to_dict()["concat"]
        for layer in panel["layer"]
    ]
    assert found
    assert sum(len(rows) for rows in shown if rows and "seed" in rows[0]) == len(tuning) - len(gone)
    # Crosses and their numbers are two layers over the same rows.
    assert sum(r["sum"] for rows in shown if rows and "sum" in rows[0] for r in rows) == 2 * len(
        gone
    )
    assert [panel["title"]["text"] for panel in chart.to_dict()["concat"]] == [
        title(s.rule) for s in results.verdict.standings
    ]


def test_a_loss_without_logarithm_gets_a_linear_axis_and_no_target_no_line(make_results):
    def shifted(curve):
        curve.measures[..., 0] -= 1
        if curve.run.stage == "reference":
            curve.measures[1:] = math.nan
        return curve

    chart = charts.chart(make_results(shifted), "curves")
    assert chart.to_dict()["layer"][0]["encoding"]["y"]["scale"]["type"] == "linear"
    assert not any("level" in rows[0] for rows in datasets(chart) if rows)


@pytest.fixture(scope="module")
def all_measured(make_results, crosscheck):
    """Steps were timed too, so that there is every chart."""
    return crosscheck(make_results(step_seconds=dict.fromkeys(SPEED, 1e-4)))


@pytest.mark.parametrize("name", charts.CHARTS)
def test_pictures_are_written(all_measured, name, tmp_path: Path):
    results = all_measured
    chart = charts.chart(results, name)
    charts.save(chart, tmp_path / "a.png", tmp_path / "a.svg")
    png = (tmp_path / "a.png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(png[at : at + 4]) for at in (16, 20))
    svg = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert width == pytest.approx(2 * float(svg.get("width")), abs=2)
    assert height == pytest.approx(2 * float(svg.get("height")), abs=2)
    words = " ".join(svg.itertext())
    drawn = results.confirmed[0].rules if name == "confirmation" else results.plan.choices.rules
    assert all(title(rule)[:9] in words for rule in drawn)


@pytest.mark.parametrize("name", ["reached", "training"])
def test_a_picture_of_the_same_is_the_same(results, name, tmp_path: Path):
    """Though Vega counts ids on."""
    chart = charts.chart(results, name)
    for file in ("a.svg", "b.svg"):
        charts.save(chart, tmp_path / file)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_wrong_names_are_met_with_the_right_ones(results, tmp_path: Path):
    with pytest.raises(InvalidArgument, match="unknown chart 'curve': did you mean 'curves'"):
        charts.chart(results, "curve")
    with pytest.raises(
        InvalidArgument, match=r"unknown picture format '.pgn': did you mean '.png'"
    ):
        charts.save(charts.chart(results, "curves"), tmp_path / "a.pgn")


def test_a_chart_is_drawn_as_asked_or_says_what_is_known(results):
    by = charts.chart(results, "curves", by="gradients", scale="linear").to_dict()
    assert by["layer"][0]["encoding"]["x"]["title"] == "gradient evaluations"
    assert by["layer"][0]["encoding"]["y"]["scale"]["type"] == "linear"
    with pytest.raises(InvalidArgument, match="by of chart curves 'step': did you mean 'steps'"):
        charts.chart(results, "curves", by="step")
    with pytest.raises(InvalidArgument, match="unknown option of chart tries 'by'"):
        charts.chart(results, "tries", by="steps")
    with pytest.raises(
        InvalidArgument, match="no chart clocks of this race: how long a step takes"
    ):
        charts.chart(results, "clocks")
    with pytest.raises(
        InvalidArgument, match=r"no chart confirmation of this race: .* ravine crosscheck"
    ):
        charts.chart(replace(results, confirmed=()), "confirmation")


def test_a_confirmed_run_is_drawn_and_told_both_ways(results):
    (found,) = results.confirmed
    chart = charts.chart(results, "confirmation").to_dict()
    panels = chart["concat"]
    assert [p["title"]["text"] for p in panels] == ["in the race", "by model.fit on TensorFlow"]
    for way, panel in enumerate(panels):
        rows = chart["datasets"][panel["layer"][0]["data"]["name"]]
        assert len(rows) == len(found.curves) == 6
        for row in rows:
            losses = found.curves[row["rule"], row["seed"]][way]
            assert row["at"] == found.steps.tolist()  # so few need no thinning
            assert row["loss"] == pytest.approx(losses.tolist(), rel=1e-3)
    lines = tables.BEHIND["confirmation"](results).rows
    assert [line.cells[4] for line in lines] == ["no", *["yes"] * 5]
    assert found.agreeing == 5
    # Two seconds of each are for building, whatever follows: only the rest is told apart.
    rule = found.confirmation.rule
    steps = np.median([p.steps_there for p in found.of(rule)])
    assert found.seconds_built[rule] == pytest.approx(0.01 * steps / results.plan.period)
    assert found.seconds[rule] == pytest.approx(found.seconds_built[rule] + 2)
    assert f"{1 - found.seconds[rule] / found.seconds['sgd']:.0%} of the time saved" in str(found)


def test_shares_are_those_of_the_runs_wherever_the_target_is(results):
    """Each record is when a run's time to the target changes: no other target needs more."""
    fresh = [c for c in results.curves if c.run.stage == "evaluation"]
    easiest, hardest = bounds(results)
    for target in [results.verdict.target, *np.geomspace(easiest, hardest, 27)[1:-1]]:
        found = arrivals(results, target)
        for rule, times in found.items():
            own = [steps_to(c, target, results.plan.period) for c in fresh if c.run.rule == rule]
            assert sorted(times) == sorted(own)


def test_of_a_decaying_rate_only_ends_count(results):
    plan = replace(results.plan, decaying=("adam",))
    found = arrivals(replace(results, plan=plan), results.verdict.target)
    assert set(found["adam"]) <= {plan.steps, math.inf}
    assert found["sgd"] == arrivals(results, results.verdict.target)["sgd"]


def test_who_leads_by_target_is_whose_line_is_lowest(results):
    data = steps_by_target(results)
    for stretch in results.verdict.leads_by_target:
        inside = data[(data["target"] < stretch.high) & (data["target"] > stretch.low)]
        for _, at in inside.groupby("target"):
            lowest = at["steps"].min()
            assert at.loc[at["rule"] == stretch.rule, "steps"].item() == lowest


def test_places_change_where_steps_and_seconds_disagree(make_results):
    """The fastest in steps is given steps ten times as long as the others'."""
    first = "adam"
    speed = {"sgd": 0.02, first: 0.05, "nesterov": 0.03}
    pace = {"sgd": 1e-4, first: 1e-3, "nesterov": 1e-4}
    slow, even = (
        make_results(speed=speed, step_seconds=seconds)
        for seconds in (pace, dict.fromkeys(pace, 1e-4))
    )
    assert (first, "nesterov") in flips(slow)
    assert flips(even) == []
    assert "change places" in charts.chart(slow, "clocks").title.subtitle
    assert "No two rules" in charts.chart(even, "clocks").title.subtitle


def test_the_envelope_holds_every_training_loss(results):
    found = envelopes(results).set_index(["rule", "part"])
    for rule in results.plan.choices.rules:
        losses = np.stack(
            [c.losses for c in results.curves if c.run.stage == "evaluation" and c.run.rule == rule]
        )
        assert max(found.loc[(rule, "high"), "loss"]) == pytest.approx(np.nanmax(losses), rel=1e-3)
        assert min(found.loc[(rule, "low"), "loss"]) == pytest.approx(np.nanmin(losses), rel=1e-3)
