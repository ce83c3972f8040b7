"""Down-sampling keeps what can be seen: checked against drawing every point."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.reporting import runs
from ravine.reporting.sampling import m4

SERIES = st.lists(
    st.floats(-1e6, 1e6) | st.just(math.nan) | st.just(math.inf), min_size=1, max_size=300
)


def brute_force(values, columns, log):
    """Of each column: the first, last, least and most of its finite points, one after the other."""
    seen = {}
    for i, value in enumerate(values):
        if not math.isfinite(value):
            continue
        n = len(values)
        share = math.log(i + 1) / math.log(max(2, n)) if log else i / max(1, n - 1)
        seen.setdefault(min(int(share * columns), columns - 1), []).append((value, i))
    kept = set()
    for points in seen.values():
        kept |= {points[0][1], points[-1][1]}
        kept |= {min(points, key=lambda p: (p[0], p[1]))[1]}
        kept |= {max(points, key=lambda p: (p[0], -p[1]))[1]}
    return sorted(kept)


@given(SERIES, st.integers(1, 60), st.booleans())
def test_it_keeps_first_last_least_and_most_of_each_column(values, columns, log):
    kept = m4(np.array(values), columns, log).tolist()
    assert kept == brute_force(values, columns, log)
    assert len(kept) <= 4 * columns


@given(st.integers(300, 3000), st.data())
def test_no_spike_of_one_step_is_lost(count, data):
    """A spike higher than the noise, anywhere, is in what is drawn, in both directions."""
    values = np.sin(np.arange(count) * 0.7)
    spikes = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=8, unique=True))
    values[spikes] = [3.0 + i if i % 2 else -3.0 - i for i in range(len(spikes))]
    columns = 100
    kept = set(m4(values, columns).tolist())
    place = np.minimum((np.arange(count) / (count - 1) * columns).astype(int), columns - 1)
    for spike in spikes:  # unless a larger one of the same column hides it
        rivals = [s for s in spikes if place[s] == place[spike] and values[s] * values[spike] > 0]
        if abs(values[spike]) == max(abs(values[s]) for s in rivals):
            assert spike in kept


def test_runs_travel_with_the_page_to_within_a_pixel(results):
    found = runs.packed(results)
    for curve, points in zip(results.curves, runs.unpacked(found), strict=True):
        finite = np.flatnonzero(np.isfinite(curve.losses))
        assert points[0, 0] == finite[0] + 1
        assert points[-1, 0] == finite[-1] + 1
        there = curve.losses[(points[:, 0] - 1).astype(int)]
        assert points[:, 1] == pytest.approx(there, rel=1e-3)
        assert curve.losses[finite].max() == pytest.approx(points[:, 1].max(), rel=1e-3)


def test_where_there_is_no_room_the_fresh_runs_come_first(results, monkeypatch):
    fresh = sum(c.run.stage != "tuning" for c in results.curves)
    monkeypatch.setattr(runs, "MOST_POINTS", 4 * 24 * (fresh + 2))
    monkeypatch.setattr(runs, "COLUMNS", (24, 24))
    carried = runs.unpacked(runs.packed(results))
    shown = [
        c.run.stage != "tuning" for c, p in zip(results.curves, carried, strict=True) if len(p)
    ]
    assert sum(shown) == fresh
    assert len(shown) == fresh + 2
