"""The few verbs that users call."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path as FilePath
from threading import Thread
from typing import TYPE_CHECKING, Any

from ravine import verdict as verdicts
from ravine.errors import RavineError, WrongCall
from ravine.folder import check_new, locked, using
from ravine.frameworks.spelling import is_spelled, read_rule, read_rules
from ravine.outcome import PAGES, Race, publish_pages
from ravine.pages import report
from ravine.pages.terminal import Display
from ravine.racing import luggage, provenance
from ravine.racing.driver import WORK, Driver
from ravine.racing.luggage import Luggage
from ravine.racing.plan import choose, settle
from ravine.racing.pool import Pool
from ravine.racing.store import FILE, Store
from ravine.rules import RULES
from ravine.surfaces.walk import Path, ValueAndGradient, walk
from ravine.tasks import TASKS, find
from ravine.tasks.own.entry import task_of
from ravine.tasks.task import Task
from ravine.update_rule import Rule

if TYPE_CHECKING:
    pass

AnyRule = str | type[Rule] | Rule
Rates = str | Sequence[float] | Mapping[str, Sequence[float]]


def race(
    task: Any = "digits-mlp",
    data: Any = None,
    *,
    loss: Any = None,
    metrics: Any = None,
    loss_weights: Any = None,
    validation_data: Any = None,
    test_data: Any = None,
    class_weight: Mapping[int, float] | None = None,
    rules: str | Sequence[AnyRule] | None = None,
    learning_rates: Rates | None = None,
    seeds: int = 3,
    fresh_seeds: int = 12,
    epochs: int | None = None,
    batch_size: int | None = None,
    schedule: str = "constant",
    early_stopping: bool = True,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool = True,
    profile: bool = False,
) -> Race:
    """Race update rules on a task: tune each, then judge all against gradient descent.

    ``task``: a name (``ravine tasks``), a ``ravine.Task``, a place in code (``"my_task.py:make"``),
    or a Keras model of yours, or a function that builds one. With a model, ``data`` is ``(x, y)``
    or ``(x, y, sample_weight)``, arrays of NumPy, pandas, TensorFlow or PyTorch, or lists or dicts
    of them where there are several inputs or outputs; or a ``tf.data.Dataset``, a PyTorch
    ``DataLoader``, a ``keras.utils.PyDataset``. ``validation_data`` and ``test_data`` are such too;
    what is missing is split off, a fifth of the rows each. ``loss``, ``metrics`` and
    ``loss_weights`` are as in ``model.compile``, whose they are by default; ``class_weight`` as in
    ``model.fit``. Trainable weights are drawn anew from their initialisers for each seed; what does
    not train (frozen layers, what ``Normalization`` was adapted to) stays as it is in a model
    given. A function decides by itself: one that loads pretrained weights starts from them.

    ``rules``: a list of names, spellings such as ``"adam(beta_1=0.8)"``, classes or objects, or one
    text, ``"sgd,adam(beta_1=0.8)"``; by default all that ravine has. ``learning_rates``: for every
    rule ``"LO:HI:N"`` or a list, or a mapping from a rule to its list; by default nine over each
    rule's own range. ``seeds``: how many to tune on; ``fresh_seeds``: how many to judge on.
    ``epochs``, ``batch_size``: by default the task's. ``schedule``: of every rule's learning rate,
    over the steps of a run: constant, linear, cosine, exponential or step, as it is or such as
    ``"cosine(warmup=0.05)"``. ``early_stopping``: whether tuning runs end at an eighth, a quarter
    or half of their steps where their learning rate has no hope left. ``out``: a new or empty
    folder, by default ``ravine-runs/<task>-<UTC time>``. ``workers``: how many processes, by
    default one a core. ``progress``: whether to show it, on standard error. ``profile``: whether
    to print there, in the end, where the time went.

    Raises ``WrongCall``, a ``ValueError``, before anything runs if something asked for cannot be.
    Interrupted, it keeps the finished runs; ``ravine.resume(out)`` goes on.

    Example (some 20 s; the README's, which the tests run, is like it)::

        race = ravine.race("digits-mlp", rules=["sgd", ravine.Adam(beta_1=0.8)])
        print(race.verdict)
    """
    own = {"loss": loss, "metrics": metrics, "loss_weights": loss_weights}
    own |= {"validation_data": validation_data, "test_data": test_data}
    chosen_task = task_of(task, data, class_weight=class_weight, **own)
    if isinstance(rules, str):
        rules = read_rules(rules)
    asked = [read_rule(rule) for rule in (RULES if rules is None else rules)]
    choices, by_name = choose(
        chosen_task,
        asked,
        learning_rates,
        seeds,
        fresh_seeds,
        epochs,
        batch_size,
        schedule,
        early_stopping,
    )
    _check_workers(workers)
    name = f"{chosen_task.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder = FilePath("ravine-runs", name) if out is None else FilePath(out)
    check_new(folder)

    def start(driver: Driver) -> Store:
        plan = driver.fitted(settle(choices, by_name, driver.describe()))
        meta = {
            "plan": plan.to_json(),
            "rules": {name: rule.values() for name, rule in by_name.items()},
            "machine": provenance.machine(),
            "versions": provenance.versions(),
            "command": provenance.command(choices, learning_rates, chosen_task),
        }
        return Store.create(folder, meta)

    with locked(folder):
        check_new(folder)  # until now it was anybody's
        try:
            _run(folder, chosen_task, by_name, workers, Display(progress, profile), start)
        except BaseException:
            if not (folder / FILE).exists():  # nothing was found out: leave no trace
                shutil.rmtree(folder / WORK, ignore_errors=True)
            raise
    return Race(folder)


def resume(
    folder: str | os.PathLike[str],
    *,
    task: Task | None = None,
    rules: Sequence[AnyRule] = (),
    workers: int | None = None,
    progress: bool = True,
    profile: bool = False,
) -> Race:
    """Go on with a race that was interrupted; what is stored is not run again.

    ``task`` and ``rules`` are for those of your own, which ravine cannot find by name. Raises
    ``WrongCall`` if the folder holds no race or another than that task and those rules make.
    A finished race is published if that is what was interrupted, and else left as it is.
    """
    _check_workers(workers)
    folder = FilePath(folder)
    found = Race(folder)
    if found.finished:
        if (folder / WORK).exists() or not all((folder / page).exists() for page in PAGES):
            with locked(folder):
                Store(folder).close()  # what a kill left in the write-ahead log is folded in
                publish_pages(found)
        return found
    plan, written_with = found.plan, found.meta["versions"]
    own = {str(rule): rule for rule in map(read_rule, rules)}
    if (digest := luggage.signed(folder / WORK)) is not None:
        task_then, rules_then = luggage.unpack(folder / WORK, digest)
        task, own = task or task_then, {**rules_then, **own}
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

    def start(driver: Driver) -> Store:
        settled = settle(plan.choices, by_name, driver.describe())
        if replace(settled, width=plan.width) != plan:
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

    with locked(folder):
        _run(folder, task, by_name, workers, Display(progress, profile), start)
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


def _run(
    folder: FilePath,
    task: Task,
    rules: Mapping[str, Rule],
    workers: int | None,
    display: Display,
    start: Callable[[Driver], Store],
) -> None:
    """Run what is left to run, and publish."""
    work = folder / WORK
    with using(folder):
        work.mkdir(exist_ok=True)
    packed = luggage.pack(work, Luggage(task, rules))
    workbench = {"folder": str(work), "digest": packed}
    for note in task.notes:
        display.trouble(note)
    with display, _beside(report.prepare), Pool(workers, workbench) as pool:
        driver = Driver(pool, rules, display, folder)
        store = start(driver)
        plan = store.plan
        try:
            with closing(store):
                try:
                    display.planned(plan, store.curves())
                    driver.run(plan, store, verdicts.choose)
                finally:
                    kept = len(store.curves())
            display.publishing()
            publish_pages(Race(folder))
            display.profiled(driver.profile)
        except (KeyboardInterrupt, RavineError) as stop:
            way = f"ravine resume {shlex.quote(str(folder))}"
            if not all(map(is_spelled, rules)) or task.name not in TASKS:
                way = f"ravine.resume({str(folder)!r}, …), naming your own rules and task again"
            stop.add_note(f"{kept} of {plan.count} runs are kept in '{folder}'; go on with: {way}")
            raise


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """Do something else meanwhile; if it fails, that shows where its result is needed."""

    def quietly() -> None:
        with suppress(Exception):
            work()

    thread = Thread(target=quietly)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _check_workers(workers: int | None) -> None:
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise WrongCall(f"workers={workers!r} is not allowed: give a whole number of at least 1")
