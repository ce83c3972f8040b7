"""What the documents show is run as they show it."""

import ast
import json
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

import ravine
from ravine.cli.app import app
from ravine.execution import ablation_variants, crosscheck, session
from ravine.execution.in_process import InProcess
from ravine.reporting import report
from ravine.reporting.explorer.scenes import SCENES
from ravine.rules import ops

pytestmark = pytest.mark.usefixtures("compiled_quickly")

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").rglob("*.md")))]


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, language: str) -> list[str]:
    """The code blocks of a document, indented or not."""
    found = re.findall(
        rf"^( *)```{language}\n(.*?)^ *```", text_of(document), re.MULTILINE | re.DOTALL
    )
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


# By page: what is printed, and the folders that races leave.
SHOWN = {
    "README.md": ("gradient descent", ["make_model"]),
    "docs/first-race.md": ("gradient descent", ["digits-mlp"]),
    "docs/your-model.md": ("gradient descent", ["make_model", "make_model-levers"]),
    "docs/your-framework.md": ("", []),
    "docs/scale.md": ("", []),
}
OF_FILES = ["docs/your-data.md"]  # which are made first, below


def test_every_page_with_python_is_run() -> None:
    with_python = {page for page in PAGES if blocks(page, "python")}
    assert with_python == {*SHOWN, *OF_FILES}


@pytest.fixture
def races_in_brief(monkeypatch: pytest.MonkeyPatch, no_pages: None) -> Iterator[None]:
    """Races have few and short runs, unless told otherwise; in this process, without pages.

    A report that is asked for has one chart: tests/pages looks at all.
    """
    import keras

    race, few = ravine.race, {"tuning_seeds": 1, "eval_seeds": 6, "learning_rates": [0.01, 0.1]}

    def briefly(*given: Any, **asked: Any) -> Any:
        epochs = {"epochs": min(2, asked["epochs"])} if "epochs" in asked else {}
        return race(*given, **few | asked | epochs)

    monkeypatch.setattr(ravine, "race", briefly)
    monkeypatch.setattr(report, "FIRST", ("curves",))
    processes = (
        (session, "here"),
        (crosscheck, "Local"),
        (crosscheck, "here"),
        (ablation_variants, "here"),
    )
    for module, name in processes:
        monkeypatch.setattr(module, name, lambda _, bench, *__: InProcess(bench))
    yield
    keras.distribution.set_distribution(None)  # which a page sets for its whole process


# Keras saves what was trained: it has not followed NumPy 2 everywhere.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("page", SHOWN)
def test_the_pages_python(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    races_in_brief: None,
) -> None:
    monkeypatch.chdir(tmp_path)
    exec("\n".join(blocks(page, "python")), {"__name__": "__main__"})
    printed, folders = SHOWN[page]
    assert printed in capsys.readouterr().out
    there = tmp_path / "ravine-runs"
    names = sorted(folder.name for folder in there.iterdir()) if folders else []
    assert [name.rpartition("-")[0] for name in names] == folders


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
    of_patients = (120, 3), (120,)
    flipped = (60, 8, 8), (60,)
    shapes = [((7, 32, 32, 3), (7,)), ((18, 4), (18,)), flipped, of_patients, ((600, 2), (600,))]
    assert found == shapes


def shown_commands() -> Iterator[tuple[str, list[str]]]:
    """Each line of a page's shell blocks that calls ravine, or make: the page and its words."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0] in ("ravine", "make"):
                    yield page, words


def test_the_commands_exist() -> None:
    program: Any = get_command(app)
    makefile = text_of("Makefile")
    shown = list(shown_commands())
    assert len(shown) > 20
    for page, (tool, name, *words) in shown:
        if tool == "make":
            assert re.search(rf"^{name}:", makefile, re.MULTILINE), f"{page}: make {name}"
            continue
        assert name in program.commands, f"{page}: ravine {name}"
        known = {option for p in program.commands[name].params for option in p.opts}
        known |= {option for p in program.commands[name].params for option in p.secondary_opts}
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= known | {"--help"}, f"{page}: ravine {name} {options - known}"


@pytest.mark.parametrize("page", ["README.md", "docs/your-framework.md"])
def test_the_translations(page: str) -> None:
    text = "\n".join(blocks(page, "sh"))
    shown = re.findall(r'^(ravine translate ".+" --to \w+)\n# (.+)$', text, re.MULTILINE)
    assert shown
    for command, printed in shown:
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert (done.exit_code, done.stdout) == (0, f"{printed}\n")


def test_the_readme_says_what_the_stored_race_found() -> None:
    stored = json.loads(text_of("docs/results/digits-mlp/verdict.json"))
    text = " ".join(text_of("README.md").split())
    assert stored["verdict"] in text.replace(" > ", " ")
    figures = runpy.run_path(str(ROOT / "docs" / "hooks" / "figures.py"))
    checked = figures["checked"](text_of("README.md"))  # raises where one is wrong
    assert checked != text_of("README.md")
    assert "<!--" not in checked


def test_a_wrong_figure_is_found() -> None:
    figures = runpy.run_path(str(ROOT / "docs" / "hooks" / "figures.py"))
    runs = "<!-- digits-mlp/verdict.json rules.nadam.runs -->"
    assert figures["checked"](f"on 12{runs} seeds") == "on 12 seeds"
    for wrong in (f"on 13{runs} seeds", "17.3<!-- cost.md --> s"):
        with pytest.raises(figures["Wrong"]):
            figures["checked"](wrong)


def test_scenes_that_are_named_exist() -> None:
    names = [scene.name for scene in SCENES]
    assert re.findall(r"^\| `([\w-]+)` \|", text_of("docs/explorer.md"), re.MULTILINE) == names
    shown = {
        name
        for page in PAGES
        for name in re.findall(r"#scene=([\w-]+)|<!-- scene ([\w-]+) -->", text_of(page))
        for name in name
        if name
    }
    assert shown
    assert shown <= set(names)


def test_what_was_tried_to_break_it_is_tried() -> None:
    named = re.findall(
        r"`(tests/[\w/]+\.py)(?: -k (?:(\w+)|\"([^\"]+)\"))?`", text_of("docs/reliability.md")
    )
    assert len(named) > 20
    for file, word, words in named:
        tests = [
            node.name
            for node in ast.parse(text_of(file)).body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        ]
        for asked in filter(None, [word, *words.split(" or ")]):
            assert any(asked in name for name in tests), f"{file} -k {asked}"


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
