"""The house: imports go downwards only, and what is light stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ravine"
# Each room may use those below it. Rooms on one line do not use each other, but for their own.
FLOORS = [
    {"__main__"},
    {"cli"},
    {"commands"},
    {"suites"},
    {"api", "validation"},
    {"levers"},
    {"gathering"},
    {"again"},
    {"conduct"},
    {"outcome"},
    {"winner"},
    {"folder"},
    {"pages"},
    {"verdict"},
    {"racing"},
    {"tasks", "surfaces"},
    {"frameworks", "notation"},
    {"wrapping"},
    {"rules", "schedules"},
    {"update_rule"},
    {"ops"},
    {"names"},
    {"errors", "cache"},
]
FLOOR = {room: height for height, rooms in enumerate(reversed(FLOORS)) for room in rooms}
NUMERICAL = ["numpy", "jax", "keras", "tensorflow", "torch", "pandas", "scipy", "sklearn", "altair"]


def imported(file: Path) -> set[str]:
    """The rooms that a file imports from, lazily or not."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative import"
            if node.module in ("ravine", "ravine.reporting", "ravine.racing"):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
            else:
                names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("ravine.")}


@pytest.mark.parametrize(
    "file",
    [f for f in sorted(SOURCE.rglob("*.py")) if f != SOURCE / "__init__.py"],
    ids=lambda file: str(file.relative_to(SOURCE)),
)
def test_imports_go_downwards(file: Path) -> None:
    room = file.relative_to(SOURCE).with_suffix("").parts[0]
    for other in imported(file) - {room}:
        assert FLOOR[other] < FLOOR[room], f"{room} must not import {other}"


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
    engine = {f"racing/{name}.py" for name in ("engine", "convolutions", "gpus")}
    assert users == engine | {"tasks/own/pure.py", "tasks/own/augmenting.py", "tasks/settings.py"}


def test_files_have_one_reason_to_be_opened() -> None:
    long = {
        str(file.relative_to(SOURCE)): lines
        for file in SOURCE.rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
    rules = [f for f in (SOURCE / "rules").glob("*.py") if f.name != "__init__.py"]
    assert all(len(f.read_text(encoding="utf-8").splitlines()) <= 60 for f in rules)
