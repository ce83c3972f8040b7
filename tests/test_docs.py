"""What the documents show is run as they show it."""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import ops
from ravine.rules import RULES

ROOT = Path(__file__).parents[1]


def blocks(document: str, language: str) -> list[str]:
    """The code blocks of a document, indented or not."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def test_the_readmes_python(tmp_path: Path) -> None:
    code = "\n".join(blocks("README.md", "python"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "gradient descent" in done.stdout
    assert (tmp_path / "report.html").stat().st_size > 100_000
    folders = sorted(folder.name for folder in (tmp_path / "ravine-runs").iterdir())
    assert [name.rpartition("-")[0] for name in folders] == ["digits-mlp", "make_model"]


def test_images_in_a_folder_a_table_and_tensors_are_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    draw = np.random.default_rng(0)
    for i in range(12):
        place = tmp_path / "pictures" / ("cat", "dog")[i % 2] / f"{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(place, draw.integers(0, 256, (40, 30, 3)), scale=False)
    rows = [f"{i},{20 + i},{('here', 'there')[i % 2]},{100 + i * i}" for i in range(30)]
    (tmp_path / "houses.csv").write_text("\n".join(["rooms,area,town,price", *rows]))
    monkeypatch.chdir(tmp_path)
    found = []
    for code in blocks("docs/your-data.md", "python"):
        namespace: dict[str, Any] = {}
        exec(code.partition("race = ")[0], namespace)
        task = namespace["task"]
        x, y = task.load().train
        assert task.network().measures == ("loss",)  # model, data and loss fit each other
        found.append((x.shape, y.shape))
    assert found == [((7, 32, 32, 3), (7,)), ((18, 4), (18,)), ((600, 2), (600,))]


def test_the_readmes_commands_exist() -> None:
    setup, *commands = blocks("README.md", "sh")
    targets = re.findall(r"^make (\w+)", setup, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    for name in re.findall(r"^ravine (\w+)", "\n".join(commands), re.MULTILINE):
        subprocess.run(
            [sys.executable, "-m", "ravine", name, "--help"], check=True, capture_output=True
        )


def test_the_readmes_translations() -> None:
    text = "\n".join(blocks("README.md", "sh"))
    shown = re.findall(r'^(ravine translate ".+" --to \w+)\n# (.+)$', text, re.MULTILINE)
    assert shown
    for command, printed in shown:
        argv = [sys.executable, "-m", *shlex.split(command)]
        assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout == (
            f"{printed}\n"
        )


def test_the_readme_has_every_rule() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(RULES)


def test_the_rule_that_contributing_adds() -> None:
    (code,) = blocks("CONTRIBUTING.md", "python")
    namespace: dict[str, object] = {"__name__": "ravine.rules.signum"}
    exec(compile(code, "signum.py", "exec"), namespace)
    signum = namespace["Signum"](learning_rate=0.25)  # type: ignore[operator]
    w, state = signum.update(1.0, 8.0, signum.init(1.0), 1)
    assert (w, state.m) == (0.75, pytest.approx(0.8))
    assert signum.name == "signum"
    # And it keeps the contract, as the guide says it does.
    contract = runpy.run_path(str(ROOT / "tests" / "rules" / "test_contract.py"))
    for promise in (
        "test_the_docstring_names_a_source",
        "test_the_declared_intervals_agree",
        "test_plain_numbers_stay_plain",
        "test_some_searched_learning_rate_converges_on_a_quadratic",
        "test_lanes_walk_as_if_alone",
        "test_the_declared_units_hold",
        "test_every_hyperparameter_has_a_say",
    ):
        contract[promise](kind=namespace["Signum"])


def test_contributing_names_every_operation() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in ("sqrt", "power", "sign", "maximum", "minimum", "where", "norm", "cos"):
        assert callable(getattr(ops, name))
        assert f"`{name}`" in text
