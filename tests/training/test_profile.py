"""Where the time went adds up to the time there was."""

import itertools

import pytest

from ravine.training.profile import Profile, Spent


def test_everything_is_counted_once() -> None:
    ticks = itertools.chain([100.0], itertools.repeat(110.0))
    profile = Profile(workers=2, clock=lambda: next(ticks))
    profile.job("describe", 3.0)
    profile.job("trace", 1.0)
    profile.segment("a", 5.0, Spent(1.0, 3.5, 10, 0.1))  # half a second of files and messages
    profile.segment("a", 1.0, Spent(0.0, 1.0, 4, 0.0))
    profile.segment("b", 2.0, Spent(0.0, 2.0, 4, 0.0))  # its evaluations were not timed
    profile.storing(0.3)
    table = dict(profile.table())
    assert (profile.elapsed, profile.stored) == (10, 0.3)
    assert table.pop("idle") == pytest.approx(2 * 10 - 12)
    assert table == pytest.approx(
        {
            "training": 5.1,
            "evaluating": 1.4,
            "building the model": 3.0,
            "tracing": 1.0,
            "compiling": 1.0,
            "imports, files, messages": 0.5,
        }
    )
