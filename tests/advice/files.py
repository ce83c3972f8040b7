"""Advice on files, folders and commands. See ``frameworks.py``."""

import tempfile
from pathlib import Path
from typing import Any

import keras
from typer.testing import CliRunner

import ravine
from ravine.cli.app import app
from ravine.errors import InvalidArgument
from ravine.execution.ray_backend import check as check_ray
from ravine.reporting.explorer.delivery import deliver
from ravine.reporting.export import export
from ravine.rules import SGD
from ravine.storage.payload import Payload, pack
from ravine.storage.race_dir import check_links, check_new
from ravine.tasks.saved import open_saved, save_keras


def folder(**files: str) -> Path:
    made = Path(tempfile.mkdtemp(prefix="ravine-test-"))
    for name, text in files.items():
        (made / name.replace("_", ".")).write_text(text)
    return made


def command(*words: object) -> None:
    """What a command does; what it refuses is raised again."""
    done = CliRunner().invoke(app, [*map(str, words)])
    if done.exit_code:
        raise InvalidArgument(done.output)


class Page:
    """An explorer that is written in no time."""

    def write(self, path: Path) -> None:
        path.write_text("page")


def delivered(*, again: bool = False, removed: bool = False) -> None:
    place = folder() / "page.html"
    deliver(Page(), place, False)  # type: ignore[arg-type]  # all that is asked of one
    if removed:
        place.unlink()
    deliver(Page(), place if again or removed else place.with_name("other.html"), False)  # type: ignore[arg-type]  # as above


def linked(*, how: str = "") -> None:
    made, target = folder(), folder(a_txt="x") / "a.txt"
    (made / "a.txt").symlink_to(target)
    if how == "copied":
        (made / "a.txt").unlink()
        (made / "a.txt").write_text(target.read_text())
    elif how == "removed":
        (made / "a.txt").unlink()
    check_links(made)


class Plain(keras.Model):  # type: ignore[misc]  # to mypy Keras is Any
    """A model with a class that nobody registered."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.dense = keras.layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.dense(x)


class Secret(Plain):
    """One that cannot be made from a configuration."""

    def __init__(self, what: Any = None) -> None:
        super().__init__()
        self.what = what

    def get_config(self) -> Any:
        raise NotImplementedError("no configuration")


def built(kind: Any = Plain) -> Any:
    model = kind()
    model(keras.ops.ones((1, 3)))
    return model


def weights_of(model: Any) -> Path:
    saved = save_keras(model, made := folder())
    return made / saved.file


def reads_weights() -> None:
    built(Secret).load_weights(weights_of(built(Secret)))


def told_of_weights() -> None:
    saved = save_keras(built(Secret), folder())
    raise InvalidArgument(saved[1])


def opened_whole() -> None:
    path = weights_of(built())
    open_saved(path, {"Plain": Plain})
    weights = folder() / "w.weights.h5"
    built().save_weights(weights)
    built().load_weights(weights)


def task(make: Any) -> Any:
    import numpy as np

    return ravine.Task.from_model(make, (np.ones((40, 3)), np.ones(40)), loss="mse")


def handed(*, inside: bool) -> None:
    lock = __import__("threading").Lock()

    def outer() -> Any:
        return lock and built()

    def inner() -> Any:
        return __import__("threading").Lock() and built()

    pack(folder(), Payload(task(inner if inside else outer), {"sgd": SGD()}))


EXISTING = Path(__file__).with_name("test_advice.py")
FOLLOWED: list[tuple[str, Any, Any]] = [
    (
        "name a file, such as my_task.py",
        lambda: command("new", "/"),
        lambda: command("new", folder() / "my_task.py"),
    ),
    (
        "is not a Python file: end its name with .py",
        lambda: command("new", folder() / "my.txt"),
        lambda: command("new", folder() / "my.py"),
    ),
    (
        "'{}' is there already; nothing is overwritten: name another",
        lambda: command("new", EXISTING),
        lambda: command("new", folder() / "another.py"),
    ),
    (
        "is not empty; nothing is overwritten: name another folder",
        lambda: check_new(folder(a_txt="x")),
        lambda: check_new(folder()),
    ),
    (
        "put a copy in its place, or remove it",
        linked,
        lambda: [linked(how=how) for how in ("copied", "removed")],
    ),
    (
        "exists; give --out another name, or remove it first",
        lambda: delivered(again=True),
        lambda: [delivered(), delivered(removed=True)],
    ),
    (
        "is there and not empty; nothing is overwritten: give another",
        lambda: export(None, "csv", folder(a_txt="x")),  # type: ignore[arg-type]  # not looked at
        "tests/reporting/test_export.py::test_tables_hold_every_run_and_every_measurement",
    ),
    (
        "the weights alone: build the model, then",
        lambda: open_saved(weights_of(built(Secret)), None),
        reads_weights,
    ),
    ("Keras cannot store the model", told_of_weights, reads_weights),
    (
        "cannot be opened by itself",
        lambda: open_saved(weights_of(built()), None),
        opened_whole,
    ),
    (
        "make what it needs inside the function",
        lambda: handed(inside=False),
        lambda: handed(inside=True),
    ),
    (
        "ray={} is not allowed",
        lambda: check_ray(3),  # type: ignore[arg-type]  # what is wrong
        lambda: [check_ray(x) for x in ("auto", "local", "10.0.0.1:6379")],
    ),
    (
        "ray:// is for Ray's client",
        lambda: check_ray("ray://head:10001"),
        lambda: check_ray("auto"),
    ),
    (
        "seeds={} is not allowed: give a whole number of at least 1",
        lambda: ravine.replicate("race", seeds=0),
        "tests/execution/test_actions.py::test_a_claim_is_run_again_on_unused_seeds",
    ),
    (
        "seeds={} is not allowed: give a whole number of at least 3",
        lambda: ravine.crosscheck("race", "jax", seeds=2),
        "tests/test_crosscheck.py::test_tensorflow_walks_the_races_path",
    ),
    (
        "batch_size is varied: leave out",
        lambda: ravine.race("digits-mlp", vary="batch_size=16,64", batch_size=16),
        "tests/test_ablation.py::test_all_are_judged_by_the_first_ones_target",
    ),
    (
        "budget= is for one race",
        lambda: ravine.race("digits-mlp", vary="activation=relu,tanh", budget="1h"),
        "tests/test_ablation.py::test_all_are_judged_by_the_first_ones_target",
    ),
    (
        "one race, '{}': give two or more to compare",
        lambda: command("compare", "race"),
        "tests/reporting/test_comparison.py::test_json_and_page_say_the_same",
    ),
    # Done by other tests as they say.
    (
        "give --task FILE.py:NAME, or",
        None,
        "tests/execution/test_actions.py::test_a_claim_is_run_again_on_unused_seeds",
    ),
    (
        "go on from Python: ravine.{}(",
        None,
        "tests/test_race.py::test_a_race_of_own_rules_says_how_it_goes_on",
    ),
    (
        "runs are kept in '{}'; go on with",
        None,
        "tests/execution/test_in_process.py::test_a_notebook_goes_on_after_an_interrupt",
    ),
    (
        "the race in '{}' is unfinished",
        None,
        "tests/execution/test_in_process.py::test_an_unfinished_one_goes_on",
    ),
    (
        "the race of levers in '{}' is unfinished",
        None,
        "tests/test_ablation.py::test_the_same_call_runs_nothing_again",
    ),
    (
        "of a task or rules that ravine does not ship: call ravine.race again",
        None,
        "tests/test_ablation.py::test_the_same_call_runs_nothing_again",
    ),
    (
        "the suite in '{}' is unfinished",
        None,
        "tests/test_suite.py::test_a_suite_that_is_interrupted_goes_on",
    ),
    (
        "holds a race already: go on with",
        None,
        "tests/test_race_command_line.py::test_a_race_that_is_interrupted_goes_on",
    ),
    (
        "run again on unused seeds: {}",
        None,
        "tests/execution/test_actions.py::test_a_claim_is_run_again_on_unused_seeds",
    ),
    (
        "the {} in '{}' has {} {}, not {}",
        None,
        "tests/test_suite.py::test_a_suite_that_is_interrupted_goes_on",
    ),
    (
        "a budget of {} is too little",
        None,
        "tests/experiment/test_budget.py::test_it_fits_or_says_what_would",
    ),
    (
        "or lower epochs to about",
        None,
        "tests/experiment/test_budget.py::test_it_fits_or_says_what_would",
    ),
    (
        "Lower epochs, {}, or give a budget",
        None,
        "tests/execution/test_sizing.py::test_a_budget_for_months_is_fitted",
    ),
    (
        "leave out workers=0, so that",
        None,
        "tests/execution/test_environment.py::test_a_shipped_task_has_the_same_curves",
    ),
    (
        "(start one with 'ray start --head'",
        None,
        "tests/execution/test_ray.py::test_by_default_a_race_on_ray_is_the_race_here",
    ),
    (
        "races were tuned and judged by another protocol then",
        None,
        "tests/storage/test_store.py::test_what_is_added_comes_back",
    ),
    (
        "go on from Python, naming the task again",
        None,
        "tests/tasks/adapters/test_large.py::test_a_race_on_more_data_than_memory",
    ),
    (
        "copy that folder from a machine that has them",
        None,
        "tests/tasks/test_downloaded.py::test_what_is_in_the_cache_is_raced",
    ),
]
