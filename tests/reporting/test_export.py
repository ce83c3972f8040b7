"""What is exported is read back by those it is for, and says what was measured."""

import math
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from ravine.errors import InvalidArgument
from ravine.reporting.export import export


@pytest.mark.parametrize(("to", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_tables_hold_every_run_and_every_measurement(results, tmp_path, to, read):
    paths = export(results, to, tmp_path / "out")
    runs, curves = (read(path) for path in paths)
    assert len(runs) == len(results.curves)
    frame = results.frame()
    assert list(curves.columns) == list(frame.columns)
    assert curves["rule"].astype(str).tolist() == frame["rule"].astype(str).tolist()
    np.testing.assert_allclose(curves["value"], frame["value"], rtol=1e-6)


def test_tensorboard_opens_the_result(make_results, tmp_path, monkeypatch):
    # TensorBoard's own way to read without TensorFlow, whose import takes seconds.
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    results = make_results(speed={"sgd": 0.02, "../../own": 0.05})
    folders = export(results, "tensorboard", tmp_path / "out")
    assert len(set(folders)) == len(results.curves)
    assert all((tmp_path / "out") in folder.resolve().parents for folder in folders)
    for curve, folder in list(zip(results.curves, folders, strict=True))[::5]:
        found = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
        trained = found.Scalars("loss/train")
        assert [event.step for event in trained] == list(range(1, len(curve.losses) + 1))
        np.testing.assert_array_equal([event.value for event in trained], curve.losses)
        tested = found.Scalars("accuracy/test")
        np.testing.assert_array_equal([e.value for e in tested], curve.measures[:, 1, 1])
        assert tested[-1].step == results.plan.steps


def test_what_cannot_be_written_says_what_can(results, tmp_path, monkeypatch):
    with pytest.raises(InvalidArgument, match="unknown format 'cvs': did you mean 'csv'"):
        export(results, "cvs", tmp_path / "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    with pytest.raises(InvalidArgument, match="not empty; nothing is overwritten"):
        export(results, "csv", tmp_path / "full")
    for name in ("pyarrow", "tensorboard.summary.writer.event_file_writer"):
        monkeypatch.setitem(sys.modules, name, None)
    for to in ("parquet", "tensorboard"):
        with pytest.raises(InvalidArgument, match=rf"not installed: pip install 'ravine\[{to}\]'"):
            export(results, to, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_runs_say_when_they_were_at_the_target(results):
    from ravine.reporting import runs

    data = runs.table(results)
    for s in results.verdict.standings:
        own = data[(data["rule"] == s.rule) & (data["stage"] == "evaluation")]
        assert own["steps_to_target"].median() == s.steps_to_target.median
        assert (own["fate"] == "diverged").sum() == s.diverged
        assert own["steps_to_target"].map(math.isfinite).sum() == s.reached
    assert data.loc[data["stage"] == "tuning", "steps_to_target"].isna().all()
