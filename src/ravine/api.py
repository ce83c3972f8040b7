"""The few verbs that users call."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import cloudpickle
from filelock import FileLock, Timeout

from ravine import verdict as verdicts
from ravine.errors import RavineError, WrongCall
from ravine.frameworks.spelling import is_spelled, read_rule, read_rules
from ravine.pages import charts, report
from ravine.pages.results import Results
from ravine.pages.terminal import Display
from ravine.racing import provenance
from ravine.racing.driver import WORK, Driver
from ravine.racing.plan import Facts, choose, settle
from ravine.racing.pool import Pool
from ravine.racing.store import FILE, Store
from ravine.rules import RULES
from ravine.surfaces.walk import Path, ValueAndGradient, walk
from ravine.tasks import TASKS, find
from ravine.tasks.task import Task
from ravine.update_rule import Rule

if TYPE_CHECKING:
    import pandas as pd

LOCK = ".lock"  # held while a race is run; the system lets go of it when its process ends
AnyRule = str | type[Rule] | Rule
Rates = str | Sequence[float] | Mapping[str, Sequence[float]]


def race(
    task: str | Task = "digits-mlp",
    *,
    rules: str | Sequence[AnyRule] | None = None,
    learning_rates: Rates | None = None,
    seeds: int = 3,
    fresh_seeds: int = 12,
    epochs: int | None = None,
    batch_size: int | None = None,
    schedule: str = "constant",
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> "Race":
    """Race update rules on a task: tune each, then judge all against gradient descent.

    ``rules``: a list of names, spellings such as ``"adam(beta_1=0.8)"``, classes or objects, or one
    text, ``"sgd,adam(beta_1=0.8)"``; by default all that ravine has. ``learning_rates``: for every
    rule ``"LO:HI:N"`` or a list, or a mapping from a rule to its list; by default nine over each
    rule's own range. ``seeds``: how many to tune on; ``fresh_seeds``: how many to judge on.
    ``epochs``, ``batch_size``: by default the task's. ``schedule``: of every rule's learning rate,
    over the steps of a run: constant, linear, cosine, exponential or step, as it is or such as
    ``"cosine(warmup=0.05)"``. ``out``: a new or empty folder, by default
    ``ravine-runs/<task>-<UTC time>``. ``workers``: how many processes, by default one a core.
    ``progress``: whether to show it, on standard error.

    Raises ``WrongCall``, a ``ValueError``, before anything runs if something asked for cannot be.
    Interrupted, it keeps the finished runs; ``ravine.resume(out)`` goes on.

    Example (some 20 s; the README's, which the tests run, is like it)::

        race = ravine.race("digits-mlp", rules=["sgd", ravine.Adam(beta_1=0.8)])
        print(race.verdict)
    """
    chosen_task = find(task) if isinstance(task, str) else task
    if isinstance(rules, str):
        rules = read_rules(rules)
    asked = [read_rule(rule) for rule in (RULES if rules is None else rules)]
    choices, by_name = choose(
        chosen_task, asked, learning_rates, seeds, fresh_seeds, epochs, batch_size, schedule
    )
    _check_workers(workers)
    folder = _new_folder(out, chosen_task.name)
    existed = folder.exists()

    def start(facts: Facts) -> Store:
        plan = settle(choices, by_name, facts)
        meta = {
            "plan": plan.to_json(),
            "rules": {name: rule.values() for name, rule in by_name.items()},
            "machine": provenance.machine(),
            "versions": provenance.versions(),
            "command": provenance.command(choices, learning_rates, chosen_task),
        }
        return Store.create(folder, meta)

    try:
        _run(folder, chosen_task, by_name, workers, progress, start)
    except BaseException:
        if not (folder / FILE).exists():  # nothing was found out: leave no trace
            shutil.rmtree(folder / WORK, ignore_errors=True)
            if not existed:
                with suppress(OSError):
                    folder.rmdir()
        raise
    return Race(folder)


def resume(
    folder: str | os.PathLike[str],
    *,
    task: Task | None = None,
    rules: Sequence[AnyRule] = (),
    workers: int | None = None,
    progress: bool = True,
) -> "Race":
    """Go on with a race that was interrupted; what is stored is not run again.

    ``task`` and ``rules`` are for those of your own, which ravine cannot find by name. Raises
    ``WrongCall`` if the folder holds no race or another than that task and those rules make.
    """
    _check_workers(workers)
    folder = FilePath(folder)
    store = Store(folder, reading=True)
    plan, written_with = store.plan, store.read_meta("versions")
    store.close()
    own = {str(rule): rule for rule in map(read_rule, rules)}
    unknown = [n for n in plan.choices.rules if n not in own and not is_spelled(n)]
    if unknown or (task is None and plan.choices.task not in TASKS):
        raise WrongCall(
            f"the race in '{folder}' is of things that ravine does not ship; go on from Python: "
            f"ravine.resume('{folder}', rules=[{', '.join(unknown)}]"
            + ("" if plan.choices.task in TASKS else f", task=<the task '{plan.choices.task}'>")
            + ")"
        )
    by_name = {name: own.get(name) or read_rule(name) for name in plan.choices.rules}
    task = task or find(plan.choices.task)

    def start(facts: Facts) -> Store:
        if settle(plan.choices, by_name, facts) != plan:
            raise WrongCall(
                f"the race in '{folder}' cannot go on: its task, its rules or ravine itself have "
                "changed since it was planned"
            )
        if changed := provenance.differing(provenance.versions(), written_with):
            raise WrongCall(
                f"the race in '{folder}' cannot go on with {', '.join(changed)}: "
                "its curves would not be those of one experiment"
            )
        return Store(folder)

    if not Race(folder).finished:
        _run(folder, task, by_name, workers, progress, start)
    return Race(folder)


def descend(
    rule: AnyRule, f: ValueAndGradient, start: float | Sequence[float] | Any, steps: int
) -> Path:
    """Walk a rule down a function.

    ``f`` is a pair of functions, ``(value, gradient)``, of a float or a float64 array, whichever
    ``start`` is; ``value`` gives a number, ``gradient`` what is shaped like its argument. The path
    has ``weights``, (steps + 1, …), ``values``, (steps + 1,), ``gradients``, (steps, …), and
    ``diverged_at``, the step at which it left the finite numbers, where it ends, or None.

    >>> import ravine
    >>> path = ravine.descend("sgd", (lambda x: x * x, lambda x: 2 * x), 1.0, steps=2)
    >>> path.weights.round(4).tolist()
    [1.0, 0.98, 0.9604]
    """
    return walk(read_rule(rule), f, start, steps)


class Race:
    """A race in its folder, finished or not."""

    def __init__(self, folder: FilePath) -> None:
        self.folder = folder
        store = Store(folder, reading=True)
        try:
            self._plan = store.plan
            self._curves = store.curves()
            meta = {key: store.read_meta(key) for key in ("machine", "versions", "command")}
            self._meta: dict[str, Any] = meta
            self._rules = store.read_meta("rules")
        finally:
            store.close()

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Race":
        """The race in a folder. Raises ``WrongCall`` if there is none."""
        return cls(FilePath(folder))

    @property
    def finished(self) -> bool:
        """Whether every run is there."""
        return len(self._curves) == self._plan.count

    @cached_property
    def results(self) -> Results:
        """Everything the race found. Raises ``RavineError`` while it is unfinished."""
        if not self.finished:
            raise RavineError(
                f"the race in '{self.folder}' is unfinished ({len(self._curves)} of "
                f"{self._plan.count} runs): go on with 'ravine resume {self.folder}'"
            )
        judged = verdicts.judge(self._plan, self._rules, self._curves)
        return Results(self._plan, self._curves, judged, **self._meta)

    @property
    def verdict(self) -> "verdicts.Verdict":
        """Who is faster than gradient descent, and how sure that is; prints as a sentence."""
        return self.results.verdict

    @property
    def winner(self) -> "verdicts.Standing":
        """The standing of the rule with the largest speed-up."""
        return self.verdict.leader

    @property
    def leaderboard(self) -> "pd.DataFrame":
        """A row a rule, best first."""
        return self.results.leaderboard()

    def curves(self) -> "pd.DataFrame":
        """Every measurement: rule, learning_rate, seed, stage, step, metric, split, value."""
        return self.results.frame()

    def chart(self, name: str) -> Any:
        """An Altair chart: ``"curves"`` or ``"sensitivity"``."""
        return charts.chart(self.results, name)

    def report(self, path: str | os.PathLike[str] | None = None) -> FilePath:
        """Write the report, one HTML file that needs no network; by default into the folder."""
        target = self.folder / "report.html" if path is None else FilePath(path)
        with _writing(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            report.write(self.results, target)
        return target

    def publish(self) -> None:
        """Write everything people and programs read into the folder."""
        with _writing(self.folder):
            (self.folder / "verdict.json").write_text(self.results.to_json(), encoding="utf-8")
            for suffix in ("png", "svg"):
                charts.save(self.chart("curves"), self.folder / f"curves.{suffix}")
        self.report()

    def __repr__(self) -> str:
        said = self.verdict if self.finished else f"{len(self._curves)}/{self._plan.count} runs"
        return f"<Race '{self.folder}': {said}>"


def _run(
    folder: FilePath,
    task: Task,
    rules: Mapping[str, Rule],
    workers: int | None,
    progress: bool,
    start: Callable[[Facts], Store],
) -> None:
    """Run what is left to run, and publish."""
    work = folder / WORK
    with _writing(folder):
        work.mkdir(parents=True, exist_ok=True)
    workbench = {"folder": str(work), "task": cloudpickle.dumps(task)}
    with _locked(folder), Display(progress) as display, Pool(workers, workbench) as pool:
        driver = Driver(pool, rules, display)
        store = start(driver.describe())
        try:
            display.planned(store.plan, store.curves())
            driver.run(store.plan, store, verdicts.choose)
        except (KeyboardInterrupt, RavineError) as stop:
            kept = f"{len(store.curves())} of {store.plan.count} runs are kept in '{folder}'"
            way = f"ravine resume {shlex.quote(str(folder))}"
            if not all(map(is_spelled, rules)) or task.name not in TASKS:
                way = f"ravine.resume({str(folder)!r}, …), naming your own rules and task again"
            stop.add_note(f"{kept}; go on with: {way}")
            raise
        finally:
            store.close()
        display.publishing()
        shutil.rmtree(work)
        Race(folder).publish()


@contextmanager
def _locked(folder: FilePath) -> Iterator[None]:
    """Keep other drivers out of a folder; the lock goes with the last of the race."""
    lock = FileLock(folder / LOCK)
    with _writing(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise WrongCall(f"the race in '{folder}' is being run by another ravine") from None
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            (folder / LOCK).unlink(missing_ok=True)


@contextmanager
def _writing(folder: FilePath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WrongCall(f"cannot write to '{folder}': {error.strerror or error}") from error


def _new_folder(out: str | os.PathLike[str] | None, task: str) -> FilePath:
    if out is None:
        return FilePath("ravine-runs") / f"{task}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder = FilePath(out)
    if folder.exists() and not folder.is_dir():
        raise WrongCall(f"'{folder}' is a file; out must be a new or empty folder")
    if (folder / FILE).exists():
        raise WrongCall(
            f"'{folder}' holds a race already: go on with 'ravine resume {folder}', "
            "or name another folder"
        )
    if folder.exists() and any(folder.iterdir()):
        raise WrongCall(f"'{folder}' is not empty; nothing is overwritten: name another folder")
    return folder


def _check_workers(workers: int | None) -> None:
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise WrongCall(f"workers={workers!r} is not allowed: give a whole number of at least 1")
