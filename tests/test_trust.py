"""A race's folder may come from a stranger: nothing in it is ever executed."""

import ast
import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import COMMAND_LINE
from typer.testing import CliRunner

import ravine
from ravine.cli.app import app
from ravine.execution import session
from ravine.storage.store import WORK
from ravine.storage.work_files import program_file

pytestmark = pytest.mark.usefixtures("compiled_quickly")
SOURCE = Path(__file__).parents[1] / "src" / "ravine"
# What turns bytes or names into code, wherever it is called, and why it may be.
OPENERS = {
    "load", "loads", "load_model", "load_weights", "import_module", "exec_module", "eval", "exec",
    "spec_from_file_location", "run_path", "run_module", "deserialize", "deserialize_keras_object",
    "get_registered_object", "Unpickler", "__import__", "from_config", "model_from_json",
}  # fmt: skip
DRIVER = "its own driver sent it through the pipe, as the driver's rules and tasks are"
DATA = "a method of the task that gives its data"
OURS = "names a module of ravine's or of a framework that ravine names itself"
ALLOWED = {
    ("__init__.py", "import_module"): OURS,
    ("frameworks/keras.py", "importlib.import_module"): OURS,
    ("experiment/engines.py", "importlib.import_module"): OURS,
    ("execution/messages.py", "pickle.loads"): DRIVER,
    ("execution/engine_worker.py", "cloudpickle.loads"): DRIVER,
    ("execution/framework_fit.py", "cloudpickle.loads"): DRIVER,
    ("execution/model_probe.py", "cloudpickle.loads"): DRIVER,
    ("storage/payload.py", "cloudpickle.load"): "only what has the digest that this user signed",
    ("training/engine.py", "jax.export.deserialize"): "programs that this race's worker has traced",
    ("execution/model_probe.py", "engine.load"): "what was exported a line above",
    ("execution/replay.py", "engine.load"): "what was exported in the same call",
    ("training/gpu_engine.py", "engine.load"): "as training/engine.py",
    (
        "execution/engine_worker.py",
        "self._engine.load",
    ): "programs that this race's worker has traced",
    ("execution/engine_worker.py", "self.task.load"): DATA,
    ("execution/model_probe.py", "task.load"): DATA,
    ("tasks/adapters/model.py", "self.load"): DATA,
    ("tasks/adapters/entry.py", "load"): DATA,
    ("tasks/pretraining.py", "self.load"): DATA,
    ("tasks/adapters/module.py", "module.eval"): "a switch of PyTorch's",
    ("tasks/adapters/module_network.py", "self._built(0).eval"): "a switch of PyTorch's",
    ("rules/ops.py", "__import__"): OURS,
    ("tasks/task.py", "model.load_weights"): "arrays",
    ("tasks/pretraining.py", "model.load_weights"): "arrays",
    (
        "tasks/adapters/keras_metrics.py",
        "keras.saving.deserialize_keras_object",
    ): "of the task, which is signed",
    ("tasks/settings.py", "cloudpickle.loads"): "of the task, as above",
    (
        "tasks/adapters/serialization.py",
        "keras.saving.deserialize_keras_object",
    ): "of the task, as above",
    ("frameworks/keras.py", "super().from_config"): "numbers, and rules as keras_saving reads them",
    ("tasks/saved.py", "np.load"): "without pickles",
    ("storage/files.py", "np.load"): "without pickles",
    ("tasks/saved.py", "torch.load"): "weights_only",
    ("tasks/adapters/module.py", "torch.load"): "weights_only",
    ("tasks/saved.py", "keras.saving.load_model"): "safe_mode",
    ("frameworks/keras_saving.py", "importlib.import_module"): "not in Keras's safe mode",
    ("frameworks/keras_saving.py", "keras.saving.deserialize_keras_object"): "as Keras loads it",
    ("frameworks/keras_saving.py", "keras.saving.get_registered_object"): "a look-up",
    (
        "tasks/adapters/entry.py",
        "importlib.import_module",
    ): "FILE.py:NAME, which the user has named",
    ("tasks/adapters/entry.py", "importlib.util.spec_from_file_location"): "as above",
    ("tasks/adapters/entry.py", "spec.loader.exec_module"): "as above",
}


def openers() -> Counter[tuple[str, str]]:
    """Every call in ravine's code that may turn what it is given into code."""
    found: Counter[tuple[str, str]] = Counter()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name.rpartition(".")[2] in OPENERS and not name.startswith("json."):
                    found[file.relative_to(SOURCE).as_posix(), name] += 1
    return found


def test_every_call_that_could_execute_what_it_reads_is_known() -> None:
    assert set(openers()) == set(ALLOWED)


def test_no_process_looks_for_modules_in_the_current_directory() -> None:
    starts = [
        ast.unparse(node)
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.List) and "sys.executable" in ast.unparse(node)
    ]
    assert len(starts) > 1
    assert all(start.startswith("[sys.executable, '-P', '-m', 'ravine.") for start in starts)


class Canary:
    """Whoever unpickles it leaves a file behind."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


TINY: Any = {"rules": ["sgd"], "learning_rates": [0.01], "tuning_seeds": 1, "eval_seeds": 6}
TINY |= {"epochs": 1, "workers": 0, "progress": False}


@pytest.fixture(scope="module")
def raced(compiled_quickly: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished race, without pages."""
    folder = tmp_path_factory.mktemp("trust") / "race"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "publish_pages", lambda race: shutil.rmtree(race.folder / WORK))
        patch.setattr(session.vega, "prepare", lambda: None)
        ravine.race("diabetes-linear", **TINY, out=folder)
    return folder


def planted(raced: Path, folder: Path, engine: str, finished: bool) -> Path:
    """A stranger's folder: its plan names another engine, everything in it is a canary."""
    shutil.copytree(raced, folder)
    canary = folder.parent / "canary"
    sung = pickle.dumps(Canary(canary))
    with closing(sqlite3.connect(folder / "race.sqlite")) as base, base:
        if not finished:
            base.execute("DELETE FROM segments")
            base.execute("DELETE FROM runs")
        ((text,),) = base.execute("SELECT value FROM meta WHERE key = 'plan'")
        plan = json.loads(json.loads(text))
        plan["facts"]["engine"] = engine
        base.execute("UPDATE meta SET value = ? WHERE key = 'plan'", [json.dumps(json.dumps(plan))])
        ids = [f"{seed}" for seed in range(2)] + ["1000000", "2000000"]
        rules = [str(ravine.rules.RULES[name]()) for name in ("sgd", "adam")]
    work = folder / "work"
    work.mkdir()
    (work / "task.pickle").write_bytes(sung * 2)
    (work / "task.signature").write_text(json.dumps({"payload": "0" * 64, "signature": "0" * 64}))
    for name in ["data", *(f"weights-{i}" for i in ids)]:
        np.savez(work / f"{name}.npz", **{"x.0": np.array([Canary(canary)], object)})
    for rule in ["sgd", "adam", *rules]:
        for width in (1, 2, 4, 8):
            np.savez(
                work / program_file(rule, width), **{"program.0": np.frombuffer(sung, np.uint8)}
            )
    torch.save(Canary(canary), folder / "best.pt")
    for place in (folder, work):
        (place / "ravine").mkdir()
        for name in ("ravine/__init__", "keras", "jax", "numpy", "torch", "cloudpickle", "pickle"):
            (place / f"{name}.py").write_text(
                f"import pathlib\npathlib.Path({str(canary)!r}).touch()\n", encoding="utf-8"
            )
    assert pickle.loads(sung) is None
    assert canary.exists()  # it sings
    canary.unlink()
    return canary


# What the plan names, and what the command says of it.
OTHERS = {
    "jax-gpu": "JAX finds no GPU",
    "torch": "its task is trained by jax",
    "keras-torch": "its task is trained by jax",
    "keras-tensorflow": "its task is trained by jax",
}


def test_resume_executes_nothing_of_a_strangers_folder(raced: Path, tmp_path: Path) -> None:
    """It runs in that folder, too, where Python would look for modules first."""
    canary = planted(raced, tmp_path / "race", "jax", finished=False)
    # As the installed command: a script in another folder.
    script = tmp_path / "ravine.script"
    script.write_text(f"{COMMAND_LINE}\nmain()\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, "resume", ".", "--workers", "1"],
        cwd=tmp_path / "race",
        check=False,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"},
    )
    assert not canary.exists()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("engine", OTHERS)
def test_a_folder_does_not_say_what_trains_it(
    engine: str, raced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = planted(raced, tmp_path / "race", engine, finished=False)
    monkeypatch.chdir(tmp_path / "race")
    # What GPUs there are a process of its own is asked.
    workers = "1" if engine == "jax-gpu" else "0"
    done = CliRunner().invoke(app, ["resume", ".", "--workers", workers])
    assert not canary.exists()
    assert done.exit_code == 2, done.output
    assert OTHERS[engine] in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        ["extend", "race", "--rules", "momentum", "--workers", "0"],
        ["replicate", "race", "--seeds", "1", "--workers", "0"],
        ["crosscheck", "race", "--in", "torch", "--workers", "0"],
        ["report", "race"],
        ["compare", "race", "race"],
        ["export", "race", "--to", "csv"],
        ["resume", "race", "--workers", "0"],
    ],
    ids=lambda words: words[0],
)
def test_no_command_executes_anything_of_a_strangers_folder(
    words: list[str],
    raced: Path,
    no_pages: None,
    no_charts: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    canary = planted(raced, tmp_path / "race", "keras-torch", finished=True)
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(app, words)
    assert not canary.exists()


def test_the_model_of_a_strangers_folder_is_one_of_its_own_files(
    raced: Path, tmp_path: Path
) -> None:
    canary = planted(raced, tmp_path / "race", "jax", finished=True)
    for file in ("best.pt", "../canary.keras", "/etc/passwd"):
        with closing(sqlite3.connect(tmp_path / "race" / "race.sqlite")) as base, base:
            best = json.dumps({"file": file, "task": "diabetes-linear"})
            base.execute("INSERT OR REPLACE INTO meta VALUES ('best', ?)", [best])
        with pytest.raises(Exception, match=r"no model to open|[Ww]eights|can be read"):
            ravine.Race.open(tmp_path / "race").winner.model()
    assert not canary.exists()


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ("suite-options.json", {"tasks": ["diabetes-linear"]}),
        ("levers-options.json", {"task": "diabetes-linear", "vary": {"batch_size": [32]}}),
    ],
    ids=["suite", "levers"],
)
def test_several_races_in_a_strangers_folder_execute_nothing_of_it(
    options: str, asked: Any, raced: Path, no_pages: None, tmp_path: Path
) -> None:
    folder = tmp_path / "all"
    canary = planted(raced, folder / "diabetes-linear", "jax", finished=False)
    shutil.copytree(folder / "diabetes-linear" / "work", folder / "work")
    few = {"learning_rates": [0.01], "tuning_seeds": 1, "eval_seeds": 6, "epochs": 1}
    written = {**asked, "rules": ["sgd"], "options": few}
    (folder / options).write_text(json.dumps(written), encoding="utf-8")
    done = CliRunner().invoke(app, ["resume", str(folder), "--workers", "0"])
    assert not canary.exists()
    assert done.exit_code == 0, done.output
