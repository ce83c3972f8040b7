"""What is published: an sdist that builds by itself, a wheel that holds all that pages need."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
NEEDED = ("pyproject.toml", "README.md", "LICENSE")


def build(what: str, where: Path, into: Path) -> Path:
    """What setuptools makes of a folder, without asking any index."""
    code = f"import setuptools.build_meta as b, sys; print(b.build_{what}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(into)],
        cwd=where,
        env={**os.environ, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of the sdist of what lies in the repository."""
    folder = tmp_path_factory.mktemp("built")
    tree = folder / "tree"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(SOURCE, tree / "src", ignore=ignored)
    for name in NEEDED:
        shutil.copy(ROOT / name, tree)
    with tarfile.open(build("sdist", tree, folder)) as sdist:
        sdist.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return zipfile.ZipFile(build("wheel", unpacked, folder))


def test_the_wheel_of_the_sdist_has_every_file(wheel: zipfile.ZipFile) -> None:
    there = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(SOURCE).as_posix()
        for path in (SOURCE / "ravine").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there == wanted
    assert "ravine/py.typed" in there
    for kind in (".css", ".js", ".html"):
        assert any(name.endswith(kind) for name in there)


def test_the_wheel_says_what_an_index_shows(wheel: zipfile.ZipFile) -> None:
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    about = message_from_string(wheel.read(name).decode())
    assert about["License-Expression"] == "MIT"
    assert about["Requires-Python"] == ">=3.11"
    assert about["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in about.get_all("Classifier", [])
    (commands,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    assert "ravine = ravine.cli.app:main" in wheel.read(commands).decode()
