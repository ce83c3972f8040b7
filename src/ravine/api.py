"""The verbs that begin something: a race, a walk."""

import inspect
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from ravine.analysis import stages
from ravine.analysis.statistics import fewest_seeds
from ravine.errors import InvalidArgument
from ravine.execution import ablation
from ravine.execution import crosscheck as checks
from ravine.execution.scheduler import Scheduler
from ravine.execution.session import check_workers, run_session
from ravine.execution.sizing import sized
from ravine.execution.suite import race_suite
from ravine.experiment.config import choose
from ravine.experiment.durations import read_seconds
from ravine.experiment.engines import on_device
from ravine.experiment.grids import Rates
from ravine.experiment.plan import make_plan
from ravine.explain import surfaces
from ravine.explain.surfaces.walk import Path, Walkable, walk
from ravine.frameworks.spelling import AnyRule, read_rule, read_rules
from ravine.reporting.notebook import display as shown
from ravine.results.ablation import Ablation
from ravine.results.race import Race
from ravine.results.suite import Suite
from ravine.rules import RULES
from ravine.storage import provenance
from ravine.storage.race_dir import check_new, locked
from ravine.storage.store import CONFIRM, COST, FILE, WORK, Store
from ravine.tasks import TASKS
from ravine.tasks.adapters.entry import task_of
from ravine.tasks.names import file_name
from ravine.tasks.task import Task

if TYPE_CHECKING:
    from ravine.reporting.explorer import Explorer


def race(
    task: Any = "digits-mlp",
    data: Any = None,
    *,
    loss: Any = None,
    metrics: Any = None,
    loss_weights: Any = None,
    validation_data: Any = None,
    test_data: Any = None,
    split: str | None = None,
    groups: Any = None,
    validation_split: float | None = None,
    augment: Callable[[Any, Any], Any] | None = None,
    class_weight: Mapping[int, float] | None = None,
    rules: str | Sequence[AnyRule] | None = None,
    learning_rates: Rates = None,
    reference: AnyRule = "sgd",
    tuning_seeds: int = 2,
    eval_seeds: int = 12,
    looks: bool = True,
    objective: str = "time",
    epochs: int | None = None,
    batch_size: int | None = None,
    schedule: str = "constant",
    early_stopping: bool = True,
    target: float | str | None = None,
    repetitions: int = 1,
    search: str | Sequence[str] | None = None,
    trials: int | None = None,
    tune: str | None = None,
    crosscheck: str | None = None,
    budget: str | float | None = None,
    vary: Mapping[str, Any] | str | Sequence[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    ray: str | None = None,
    device: str = "cpu",
    progress: bool = True,
    profile: bool = False,
) -> "Race | Ablation":
    """Race update rules on a task: tune each, then judge all against a reference.

    ``task``: a name (``ravine tasks``), a ``ravine.Task``, a place in code (``"my_task.py:make"``),
    or a Keras model of yours, or a function that builds one. With a model, ``data`` is ``(x, y)``
    or ``(x, y, sample_weight)``, arrays of NumPy, pandas, TensorFlow or PyTorch, or lists or dicts
    of them where there are several inputs or outputs; or a ``tf.data.Dataset``, a PyTorch
    ``DataLoader``, a ``keras.utils.PyDataset``. ``validation_data`` and ``test_data`` are such too;
    what is missing is split off, a fifth of the rows each: at random, or with ``split="last"`` the
    last rows in their order, as a series needs. ``groups`` is an array of a label a row (a patient,
    a session): rows of one label are never on both sides. ``validation_split`` is as in
    ``model.fit``: that share of the rows, the last ones, validates, and the fifth before them is
    test data. ``augment`` is a function of a batch of inputs and a JAX key, which each training
    batch goes through, and no held-out row. ``loss``, ``metrics`` and ``loss_weights`` are as in
    ``model.compile``, whose they are by default; ``class_weight`` as in ``model.fit``. Trainable
    weights are drawn anew from their initialisers for each seed; what does not train (frozen
    layers, what ``Normalization`` was adapted to) stays as it is in a model given. A function
    decides by itself: one that loads pretrained weights starts from them.

    ``rules``: a list of names, spellings such as ``"adam(beta_1=0.8)"``, classes or objects, or one
    text, ``"sgd,adam(beta_1=0.8)"``; by default all that ravine has. ``learning_rates``: for every
    rule ``"LO:HI:N"`` or a list, or a mapping from a rule to its list; by default nine over each
    rule's own range, and four more around the best of them. ``reference``: the rule that the others
    are compared with, by default gradient descent. ``tuning_seeds``: how many to tune on;
    ``eval_seeds``: how many to judge on at most: of a rule about which something can be concluded
    after 6 or 9 of them no more are run, unless ``looks`` is False. ``objective``: which rule
    ``code``, ``winner`` and the kept model are of: ``"time"``, the fastest, but of those that
    cannot be told apart from it one that reliably ends at a lower test loss; or ``"final"``, the
    lowest test loss in the end. ``epochs``, ``batch_size``: by default the task's. ``schedule``: of
    every rule's learning rate, over the steps of a run: constant, linear, cosine, exponential,
    inverse or step, as it is or such as ``"cosine(warmup=0.05)"``. ``early_stopping``: whether
    tuning runs end at an eighth, a quarter or half of their steps where their learning rate can no
    longer be chosen. ``target``: a test loss, or a measure and where it must get to,
    ``"accuracy>=0.95"``, ``"validation accuracy>=0.95"`` or ``"training loss<=0.1"``; by default
    the test loss that the tuned reference reliably reaches. ``repetitions``: how often tuning and
    judging are done, each time on other seeds; from four on what is claimed is over all of them.
    ``search``: hyperparameters to search beside the learning rate, ``"beta_2,weight_decay"``, with
    their ranges if the rules' own are not meant, ``"beta_2=0.9:0.999"``. ``trials``: how many
    settings each rule tries, by default 9, or 27 with ``search``. ``tune``: ``"full"``, the
    default, tunes the weight decay of rules that have one, within the same number of trials;
    ``"lr"`` the learning rate alone. ``crosscheck``: ``"tensorflow"``, ``"jax"`` or ``"torch"``,
    where the winner and gradient descent are trained once more by ``model.fit``, to be compared;
    see ``ravine.crosscheck``. ``budget``: about how long it may take, ``"5min"``, ``"1h30m"`` or
    seconds; what does not fit is given up in this order, each as little as will do: tuning seeds
    down to 2, evaluation seeds down to what a claim needs, learning rates down to one a decade, the
    second tuning seed; the race says so. It does not go with ``vary``, whose races need equal
    seeds. ``vary``: levers and their values, ``{"activation": ["tanh", "relu"], "batch_size": [16,
    64]}``: a race for each combination, and a ``ravine.Ablation`` that says which lever matters how
    much; but for ``batch_size`` and ``pretraining`` (``"none"``, ``"other-half"`` of the training
    rows, or a ``.keras`` file) they are arguments of the function that builds the model. ``out``: a
    new or empty folder, by default ``ravine-runs/<task>-<UTC time>``. ``workers``: how many
    processes, by default one a core. ``ray``: a Ray cluster to race on, with as many workers as it
    has CPUs unless ``workers`` says how many: ``"auto"`` for the one that is running, its address,
    or ``"local"``; the curves are the same. ``device``: ``"gpu"`` to train on GPUs, a worker each,
    where JAX finds them here or Ray has them. ``progress``: whether to show it, on standard error.
    ``profile``: whether to print there, in the end, where the time went.

    Raises ``InvalidArgument``, a ``ValueError``, before anything runs if something asked for cannot
    be. Interrupted, it keeps the finished runs; ``ravine.resume(out)`` goes on.

    Example (under a minute; the README's, which the tests run, is like it)::

        race = ravine.race("digits-mlp", rules=["sgd", ravine.Adam(beta_1=0.8)])
        print(race.verdict)
    """
    given = locals()  # all that was asked for, and nothing else yet
    own = {"loss": loss, "metrics": metrics, "loss_weights": loss_weights}
    own |= {"validation_data": validation_data, "test_data": test_data}
    own |= {"split": split, "groups": groups, "validation_split": validation_split}
    own |= {"augment": augment}
    chosen_task = task_of(task, data, class_weight=class_weight, **own)
    engine = on_device(chosen_task.engine, device)
    if isinstance(rules, str):
        rules = read_rules(rules)
    if vary is not None:
        return ablation.race_each(
            *(race, chosen_task, vary),
            rules=rules,
            out=out,
            workers=workers,
            ray=ray,
            progress=progress,
            options=_passed_on(given),
        )
    asked = [read_rule(rule) for rule in (RULES if rules is None else rules)]
    choices, by_name = choose(
        chosen_task,
        asked,
        learning_rates,
        tuning_seeds,
        eval_seeds,
        epochs,
        batch_size,
        schedule,
        early_stopping,
        reference=reference,
        looks=looks,
        objective=objective,
        target=target,
        repetitions=repetitions,
        search=search,
        trials=trials,
        tune=tune,
    )
    seconds = None if budget is None else read_seconds(budget)
    check_workers(workers, ray)
    if crosscheck is not None:
        checks.check_framework(crosscheck, chosen_task)
        checks.check_target(choices.target)
    name = f"{file_name(chosen_task.name)}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder = FilePath("ravine-runs", name) if out is None else FilePath(out)
    check_new(folder)

    def start(driver: Scheduler) -> Store:
        # In this very process a function builds the same model again.
        same = workers == 0 and not hasattr(chosen_task.make_model, "variables")
        facts = driver.describe(None if same else chosen_task)
        settled = make_plan(choices, by_name, facts)
        for note in settled.facts.notes[len(facts.notes) :]:
            display.trouble(note)
        if crosscheck is not None:
            checks.check_trains(driver, folder, chosen_task, crosscheck)
        plan, cost = sized(settled, by_name, driver, folder, seconds, fewest_seeds)
        meta = {
            "plan": plan.to_json(),
            COST: cost and cost._asdict(),
            "rules": {name: rule.values() for name, rule in by_name.items()},
            "machine": driver.place.machine,
            "versions": provenance.versions(plan.facts.engine),
            "command": provenance.command(plan.choices, chosen_task, crosscheck, plan.facts.engine),
        }
        if crosscheck is not None:
            meta[CONFIRM] = crosscheck
        return Store.create(folder, meta)

    with locked(folder):
        check_new(folder)  # until now it was anybody's
        try:
            display = shown(progress, profile)
            run_session(
                *(folder, chosen_task, by_name, workers, ray, display, start, stages),
                engine=engine,
            )
        except BaseException:
            if not (folder / FILE).exists():  # nothing was found out: leave no trace
                shutil.rmtree(folder / WORK, ignore_errors=True)
            raise
    if crosscheck is not None:
        own_task = None if chosen_task.name in TASKS else chosen_task
        checks.crosscheck(
            folder, crosscheck, task=own_task, rules=asked, workers=workers, progress=progress
        )
    return Race(folder, chosen_task, asked)


def suite(
    tasks: str | Sequence[str | Task] | None = None,
    *,
    rules: str | Sequence[AnyRule] | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    ray: str | None = None,
    progress: bool = True,
    **options: Any,
) -> "Suite":
    """Race the same rules on several tasks, and score them over all: AlgoPerf's profiles.

    ``tasks``: names, ``"digits-mlp,quadratic-deep"`` or a list, or tasks of your own; by default
    all that ravine ships. ``rules`` and the other options, ``tuning_seeds``, ``eval_seeds``,
    ``epochs``, ``learning_rates``, ``schedule``, ``early_stopping``, ``repetitions``, ``search``,
    ``trials`` and ``device``, are those of ``ravine.race``. ``out``: a folder, in which each task
    has one of its own; by default ``ravine-runs/suite-<UTC time>``. Called again with the same
    folder and options it goes on: what is finished is not run again. Raises ``InvalidArgument``
    before anything runs if something asked for cannot be, or if the folder holds a suite of other
    options.

    Example::

        suite = ravine.suite("diabetes-linear,quadratic-deep", rules="sgd,adam")
        print(suite.scores.to_string())
    """
    return race_suite(
        *(race, tasks),
        rules=rules,
        out=out,
        workers=workers,
        ray=ray,
        progress=progress,
        **options,
    )


def _passed_on(given: Mapping[str, Any]) -> dict[str, Any]:
    """Of what ``race`` was asked for, what it is to be asked again of each of several races."""
    task = {"task", "data", "loss", "metrics", "loss_weights", "class_weight"}
    task |= {"validation_data", "test_data", "split", "groups", "validation_split", "augment"}
    own = task | {"rules", "vary", "out", "workers", "ray", "progress"}
    defaults = {k: p.default for k, p in inspect.signature(race).parameters.items()}
    asked = {k: v for k, v in given.items() if k not in own and v is not None}
    return {k: v for k, v in asked.items() if defaults[k] is None or v != defaults[k]}


def descend(
    rule: AnyRule,
    f: Walkable,
    start: float | Sequence[float] | Any = None,
    steps: int = 50,
    *,
    seed: int = 0,
) -> Path:
    """Walk a rule down a function.

    ``f`` is a surface (``ravine.surfaces.SURFACES``), its name, a formula in x and y such as
    ``"5*x**2 + 2*x*y + 3*y**2"``, or a pair of functions, ``(value, gradient)``, of a float or a
    float64 array, whichever ``start`` is; ``value`` gives a number, ``gradient`` what is shaped
    like its argument. ``start`` is by default the surface's own, (1, 1) for a formula; ``seed`` is
    that of a noisy surface. The path has ``weights``, (steps + 1, …), ``values``, (steps + 1,),
    ``gradients``, (steps, …), and ``diverged_at``, the step at which it left the finite numbers,
    where it ends, or None. Raises ``InvalidArgument`` for a formula that cannot be read, with the
    place.

    >>> import ravine
    >>> path = ravine.descend("sgd", "5*x**2 + 2*x*y + 3*y**2", (1, 1), steps=2)
    >>> path.gradients[0].tolist(), path.weights[1].tolist()
    ([12.0, 8.0], [0.88, 0.92])
    >>> path = ravine.descend("sgd", (lambda x: x * x, lambda x: 2 * x), 1.0, steps=2)
    >>> path.weights.round(4).tolist()
    [1.0, 0.98, 0.9604]
    """
    if isinstance(f, str):
        f = surfaces.find(f)
    if start is None:
        if not isinstance(f, surfaces.Surface):
            raise InvalidArgument("give a start: only a surface or a formula has one of its own")
        start = f.start
    return walk(read_rule(rule), f, start, steps, seed)


def explore(
    surface: str | surfaces.Surface = "ravine",
    *,
    rules: str | Sequence[AnyRule] | None = None,
    start: Sequence[float] | str | None = None,
    steps: int = 200,
) -> "Explorer":
    """The page that shows rules walking down a surface; a notebook shows it at once.

    ``surface``: a surface, its name, or a formula in x and y. ``rules``: those that are switched
    on, as in :func:`race`; by default six that differ. ``start``: two numbers, by default the
    surface's own. ``steps``: of every walk. ``.write(path)`` makes it a file, which needs no
    network. Raises ``InvalidArgument``.

    >>> import ravine
    >>> page = ravine.explore("rosenbrock", rules="sgd,adam(learning_rate=0.05)")
    >>> len(page.html()) < 150_000
    True
    """
    from ravine.reporting.explorer import explorer

    found = surfaces.find(surface) if isinstance(surface, str) else surface
    if start is not None:
        found = found.at(start)
    if isinstance(rules, str):
        rules = read_rules(rules)
    return explorer(found, [read_rule(rule) for rule in rules or ()], steps)
