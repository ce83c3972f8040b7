"""A winner once more by plain ``model.fit``, in another framework and a process of its own."""

import importlib.util
import json
from pathlib import Path

import pytest

import ravine
from ravine.errors import WrongCall


def test_tensorflow_walks_the_races_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "race"
    race = ravine.race(
        rules=["sgd", "momentum"],
        learning_rates={"sgd": [0.03], "momentum": [0.3]},
        seeds=1,
        fresh_seeds=2,
        epochs=1,
        out=folder,
        progress=False,
        confirm="tensorflow",
    )
    (found,) = race.confirmed
    assert [one.pairs for one in race.results.confirmed] == [found.pairs]
    assert {p.rule for p in found.pairs} == {"sgd", "momentum"}
    assert found.agreeing == len(found.pairs)
    # SGD and momentum are the same arithmetic there: what differs is rounding, over 33 steps.
    assert max(p.difference for p in found.pairs) < 1e-5
    assert len({p.seed for p in found.pairs}) == 3
    assert not {p.seed for p in found.pairs} & set(race.curves()["seed"])
    (said,) = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))["confirmations"]
    assert said["framework"] == "tensorflow"
    assert str(found)[:20] in (folder / "report.html").read_text(encoding="utf-8")
    assert race.unconfirmed is None
    with pytest.raises(WrongCall, match="did you mean 'tensorflow'"):
        ravine.confirm(folder, "tensorflw")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(WrongCall, match=r"pip install ravine\[torch\]"):
        ravine.race(out=tmp_path / "none", confirm="torch")
    assert not (tmp_path / "none").exists()
