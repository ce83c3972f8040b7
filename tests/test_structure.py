"""The house: imports go downwards only, and what is light stays light."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ravine"
# Each folder may use those below it.
FLOORS = [
    "__main__",
    "cli",
    "api",
    "execution",
    "results",
    "reporting",
    "analysis",
    "training",
    "storage",
    "experiment",
    "tasks",
    "explain",
    "frameworks",
    "rules",
    "cache",
    "errors",
]
FLOOR = {folder: height for height, folder in enumerate(reversed(FLOORS))}
NUMERICAL = ["numpy", "jax", "keras", "tensorflow", "torch", "pandas", "scipy", "sklearn", "altair"]


FILES = {
    ".".join(("ravine", *f.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__"): f
    for f in sorted(SOURCE.rglob("*.py"))
}


def imported(file: Path) -> set[str]:
    """The modules of ravine that a file imports, lazily or not."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative import"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= inside & FILES.keys() or {node.module}
    return names & FILES.keys() - {"ravine"}


IMPORTS = {name: imported(file) - {name} for name, file in FILES.items() if name != "ravine"}


@pytest.mark.parametrize("name", IMPORTS)
def test_imports_go_downwards(name: str) -> None:
    folder = name.split(".")[1]
    for other in IMPORTS[name]:
        assert other.split(".")[1] == folder or FLOOR[other.split(".")[1]] < FLOOR[folder]


def test_no_files_import_each_other_in_a_circle() -> None:
    # ``Task.from_model`` and its like, when they are called, import what derives from Task.
    task = {name for name in IMPORTS["ravine.tasks.task"] if ".adapters" in name or "plain" in name}
    imports = IMPORTS | {"ravine.tasks.task": IMPORTS["ravine.tasks.task"] - task}
    list(graphlib.TopologicalSorter(imports).static_order())  # its error names the circle


@pytest.mark.parametrize(
    "command",
    [
        "import ravine; ravine.Adam(beta_1=0.8); ravine.rules.RULES",
        "import runpy; sys.argv = ['ravine', '--help']; runpy.run_module('ravine', run_name='x');"
        "from ravine.cli.app import app; app(['--help'], standalone_mode=False)",
    ],
    ids=["import ravine", "ravine --help"],
)
def test_light_things_load_no_numerical_framework(command: str) -> None:
    code = f"import sys; {command}; print(*[m for m in {NUMERICAL} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_jax_is_known_to_the_engine_and_to_tasks_that_are_written_in_it() -> None:
    users = {
        str(file.relative_to(SOURCE))
        for file in SOURCE.rglob("*.py")
        # Which turn rules into what JAX's users use, and are what such users start from.
        if file.parent.name not in ("frameworks", "starting")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(a.name.startswith("jax") for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jax"))
    }
    engine = {f"training/{name}.py" for name in ("engine", "convolutions", "gpus")}
    adapters = {f"tasks/adapters/{name}.py" for name in ("pure", "augmenting")}
    assert users == engine | adapters | {"tasks/settings.py"}


def test_files_have_one_reason_to_be_opened() -> None:
    long = {
        str(file.relative_to(SOURCE)): lines
        for file in SOURCE.rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
    language = {"__init__.py", "update_rule.py", "ops.py", "schedules.py"}
    rules = [f for f in (SOURCE / "rules").glob("*.py") if f.name not in language]
    assert all(len(f.read_text(encoding="utf-8").splitlines()) <= 60 for f in rules)
