"""A race of levers of a user's own builder: interrupted, gone on with, judged, shown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import pages_unwritten
from typer.testing import CliRunner

import ravine
from ravine.cli.app import app
from ravine.errors import InvalidArgument, RavineError
from ravine.results.race import PAGES
from ravine.storage.multi_race_dir import MultiRaceDir

pytestmark = [
    pytest.mark.usefixtures("compiled_quickly"),
    # Keras on JAX saves arrays in a way that NumPy 2 has warned of since.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

VARY = {"activation": ["tanh", "relu"], "pretraining": ["none", "other-half"]}
NAMES = [f"activation={a},pretraining={p}" for a in VARY["activation"] for p in VARY["pretraining"]]
TINY = {
    "learning_rates": [0.03, 0.3],
    "tuning_seeds": 1,
    "eval_seeds": 6,
    "epochs": 3,
    "batch_size": 8,
}
HERE: dict[str, Any] = {"workers": 0, "progress": False}
# One rule, as what several do is in verdict/test_levers.py and pages/test_lever_page.py.


def make_model(activation: str = "relu") -> Any:
    import keras

    hidden = keras.layers.Dense(6, activation=activation)
    return keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1)])


def data() -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(160, 4)).astype("float32")
    return x, abs(x[:, :1])


def changed(folder: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in folder.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Begun from Python and interrupted after the first race; ended from the command line.

    The pages of each race are empty, and written once.
    """
    out = tmp_path_factory.mktemp("levers") / "out"
    race, begun = MultiRaceDir.race, []

    def empty_pages(
        self: MultiRaceDir, begin: Any, resume: Any, folder: Path, *rest: Any, **options: Any
    ) -> None:
        with pages_unwritten():
            race(self, begin, resume, folder, *rest, **options)
        for page in PAGES:
            if not (folder / page).exists():
                (folder / page).touch()

    def stopping(
        self: MultiRaceDir, begin: Any, resume: Any, folder: Path, *rest: Any, **options: Any
    ) -> None:
        begun.append(folder.name)
        if len(begun) > 1:
            raise KeyboardInterrupt
        empty_pages(self, begin, resume, folder, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MultiRaceDir, "race", stopping)
        with pytest.raises(KeyboardInterrupt) as stop:
            ravine.race(
                *(make_model, data()),
                loss="mse",
                rules="sgd",
                vary=VARY,
                **TINY,
                out=out,
                **HERE,
            )
    assert stop.value.__notes__ == [f"the whole race of levers goes on with: ravine resume {out}"]
    found = ravine.Ablation(out)
    assert list(found.races) == NAMES[:1]
    assert not found.finished
    with pytest.raises(RavineError, match="is unfinished: go on with"):
        _ = found.told
    before = changed(out / NAMES[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MultiRaceDir, "race", empty_pages)
        words = ["resume", str(out), "--workers", "0"]
        done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert str(out / "levers.html") in done.output
    assert str(ravine.Ablation(out).verdict) in done.output.replace("\n", " ")
    assert changed(out / NAMES[0]) == before
    return out


def test_all_are_judged_by_the_first_ones_target(folder: Path) -> None:
    found = ravine.Ablation(folder)
    assert found.finished
    assert list(found.races) == NAMES
    targets = {name: race.verdict.target for name, race in found.races.items()}
    assert len(set(targets.values())) == 1
    assert [race.plan.references for race in found.races.values()] == [10, 0, 0, 0]
    # One half of the training rows is raced on by all, the other by nobody.
    assert {race.plan.facts.rows[0] for race in found.races.values()} == {48}
    assert len({race.plan.facts.digest for race in found.races.values()}) == 4


def test_equal_seeds_begin_alike(folder: Path) -> None:
    """Batches under every combination; weights where only what follows from them differs."""
    races = ravine.Ablation(folder).races
    digests = {
        name: {c.run.seed: (c.batches_digest, c.weights_digest) for c in race.stored}
        for name, race in races.items()
    }
    fresh = 2_000_000
    batches = {d[fresh][0] for d in digests.values()}
    assert len(batches) == 1
    tanh, pretrained, relu, _ = (d[fresh][1] for d in digests.values())
    assert tanh == relu
    assert pretrained != tanh


def test_what_was_found_is_told_alike_everywhere(folder: Path) -> None:
    found = ravine.Ablation(folder)
    content = json.loads((folder / "levers.json").read_text(encoding="utf-8"))
    assert content["verdict"] == str(found.verdict)
    assert str(found.verdict).startswith("Too few seeds to claim anything about levers: 6 of the 7")
    assert {(e["lever"], e["rule"]) for e in content["effects"]} == {
        (lever, "sgd") for lever in VARY
    }
    # Two levers, and each under both values of the other.
    assert len(found.effects) == 2 + 4
    assert len(found.leaderboard) == 4
    assert 1 <= found.leaderboard["first"].sum() <= 4
    assert set(found.curves()["combination"]) == set(NAMES)
    assert found.winner.rule == "sgd"
    page = (folder / "levers.html").read_text(encoding="utf-8")
    assert "ravine · levers of make_model, 4 races" in page
    cost = content["combinations"][1]["cost"]
    assert (cost["rows"], cost["steps"]) == (48, 3 * (48 // 8))
    assert content["combinations"][1]["taken"] == ["dense"]
    assert any(f"took {cost['steps']} steps of adam" in note for note in content["notes"])
    for kind in ("levers.png", "gradients.svg"):
        assert (folder / kind).stat().st_size > 1000


def test_the_same_call_runs_nothing_again(folder: Path) -> None:
    before = [changed(folder / name) for name in NAMES]
    again = ravine.race(
        make_model, data(), loss="mse", rules="sgd", vary=VARY, **TINY, out=folder,
        progress=False,
    )  # fmt: skip
    assert isinstance(again, ravine.Ablation)
    assert [changed(folder / name) for name in NAMES] == before
    with pytest.raises(
        InvalidArgument, match=r"has vary activation=tanh, relu, pretraining.*not activa"
    ):
        ravine.race(make_model, data(), loss="mse", rules="sgd", out=folder, progress=False,
                    vary={"activation": ["tanh"]}, **TINY)  # fmt: skip
    said = CliRunner().invoke(app, ["report", str(folder), "--json"])
    assert json.loads(said.output)["verdict"] == str(again.verdict)


def test_a_variant_that_cannot_be_built_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with pytest.raises(InvalidArgument, match=r"(?s)building the model.*rellu"):
        ravine.race(make_model, data(), loss="mse", out=out, **HERE,
                    vary={"activation": ["relu", "rellu"]})  # fmt: skip
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--vary", "activaton=tanh"], "did you mean 'activation'"),
        (["--vary", "batch_size=16", "--batch-size", "8"], "batch_size is varied: leave out"),
        (["--vary", "batch_size=16", "--budget", "5min"], "budget= is for one race"),
        (["--vary", "batch_size=16", "--crosscheck", "jax"], "crosscheck= is for one race"),
        (["--vary", "pretraining=none,gone.keras"], "there is no file 'gone.keras'"),
    ],
)
def test_a_wrong_call_is_named_before_anything_runs(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["race", "digits-mlp", *words])
    assert done.exit_code == 2
    assert said in done.output
