"""The winner of a race once more, trained by a framework's own ``fit``."""

import importlib.util
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle

from ravine.analysis.crosscheck import Confirmation, Confirmed
from ravine.analysis.naming import title
from ravine.analysis.replication import unused_repetition
from ravine.errors import InvalidArgument, install, unknown
from ravine.execution.framework_fit import Fitted, FrameworkFits
from ravine.execution.job import Job
from ravine.execution.pool import Pool
from ravine.execution.same_race import check_same, own_again
from ravine.execution.scheduler import Scheduler
from ravine.execution.session import check_workers, here, run_session
from ravine.execution.worker_backend import Local
from ravine.experiment.config import scheduled
from ravine.experiment.plan import Plan, Run
from ravine.frameworks.names import BACKENDS, CALLED
from ravine.frameworks.spelling import AnyRule
from ravine.frameworks.translate.translation import translation
from ravine.reporting.notebook import display as shown
from ravine.results.race import Race
from ravine.rules.update_rule import Rule
from ravine.storage.race_dir import locked
from ravine.storage.store import CONFIRMATIONS, WORK, Store
from ravine.storage.work_files import weights_file
from ravine.tasks import TASKS
from ravine.tasks.task import Task


def check_target(target: str) -> None:
    """Raises ``InvalidArgument`` where a framework's ``fit`` would not measure what a
    target is of.
    """
    if " " in target:
        raise InvalidArgument(
            f"the target '{target}' cannot be confirmed: runs in a framework are measured on the "
            "test data; race without crosscheck, or to a target on the test data"
        )


def check_framework(framework: str, task: Task | None = None) -> None:
    """Raises ``InvalidArgument`` unless Keras runs on it, it is installed, and the task has a
    model.
    """
    if framework not in BACKENDS:
        raise unknown("framework", framework, BACKENDS)
    if importlib.util.find_spec(framework) is None:
        raise InvalidArgument(
            f"{CALLED[framework]} is not installed, so nothing can be confirmed there: "
            + install(framework)
        )
    if task is not None and task.unfit:
        raise InvalidArgument(f"'{task.name}' cannot be confirmed by model.fit: {task.unfit}")


def check_trains(driver: Scheduler, folder: Path, task: Task, framework: str) -> None:
    """Raises ``InvalidArgument`` if a model of the user's own cannot take a step of ``fit`` there.

    For who is about to train it, with its data described: what ravine ships can.
    """
    if task.name in TASKS:
        return
    bench = {"folder": str(folder / WORK), "digest": driver.payload, "fits": True}
    with Pool(Local(1, bench, framework)) as pool:
        pool.work(FrameworkFits([Job("step", {"framework": CALLED[framework]})]))


def crosscheck(
    folder: str | os.PathLike[str],
    framework: str,
    *,
    seeds: int = 3,
    task: Task | None = None,
    rules: Sequence[AnyRule] = (),
    workers: int | None = None,
    progress: bool = True,
) -> Confirmed:
    """Train the winner of a finished race and gradient descent in a framework, by ``model.fit``.

    ``framework``: ``"tensorflow"``, ``"jax"`` or ``"torch"``, for Keras to run on in a process of
    its own. ``seeds``: how many, which nobody has used; each run is done there and in the race's
    engine, from the same initial weights on the same batches. The optimizer is the framework's own
    where one walks the same path, else ``ravine.to_keras``. Interrupted, the next call goes on.
    Raises ``InvalidArgument`` for a framework that is missing, an unfinished race, one without a
    winner.
    """
    check_framework(framework)
    check_workers(workers)
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 3:
        raise InvalidArgument(f"seeds={seeds!r} is not allowed: give a whole number of at least 3")
    found = Race(Path(folder))
    if not found.finished:
        raise InvalidArgument(
            f"the race in '{folder}' is unfinished: first 'ravine resume {folder}'"
        )
    if found.verdict.refused:
        raise InvalidArgument(f"there is no winner to crosscheck: {found.verdict.sentence}")
    own_task, by_name = own_again(found, task, rules, "crosscheck")
    check_framework(framework, own_task)
    check_target(found.plan.choices.target)
    confirmation = _confirmation(found, framework, seeds, by_name)

    def start(driver: Scheduler) -> Store:
        check_same(found, found.plan, by_name, driver)
        if framework != found.to_confirm:  # else that was asked before the race
            check_trains(driver, found.folder, own_task, framework)
        store = Store(found.folder)
        kept = [*(c for c in found.confirmations if c != confirmation), confirmation]
        store.write_meta(CONFIRMATIONS, [c.to_json() for c in kept])
        return store

    def fit(plan: Plan, store: Store, workbench: Mapping[str, str]) -> None:
        there, runs = store.elsewhere(), confirmation.runs(plan)
        jobs = [
            {"plan": plan, "run": run, **_optimizer(confirmation, plan, by_name[run.rule], run)}
            for run in runs
            if (framework, run.id) not in there
        ]
        display.trouble(f"training {len(jobs)} runs on {CALLED[framework]}, by model.fit")
        done = itertools.count(len(runs) - len(jobs) + 1)

        def keep(job: Job, fitted: Fitted) -> None:
            run: Run = job.arguments["run"]
            store.keep_elsewhere(framework, run.id, *fitted)
            display.trouble(
                f"{CALLED[framework]}: {next(done)} of {len(runs)} runs, {title(run.rule)} on seed "
                f"{run.seed} in {fitted.seconds[-1]:.2g} s"
            )

        lost = _undrawn(found.folder / WORK, runs)
        if lost:  # whoever wrote the pages again meanwhile took them away
            bench = {**workbench, "engine": plan.facts.engine}
            with Pool(here(0 if workers == 0 else 1, bench)) as pool:
                pool.work(FrameworkFits([Job("draw", {"seeds": lost})]))
        # One at a time: their time is told.
        with Pool(Local(1, {**workbench, "fits": True}, framework)) as pool:
            pool.work(FrameworkFits([Job("fit", job) for job in jobs], keep, display.doing))

    with locked(found.folder):
        display = shown(progress, profiling=False)
        run_session(
            *(found.folder, own_task, by_name, workers, None, display, start, confirmation),
            announce=lambda p, stored: display.checking(confirmation.runs(p), p, stored),
            then=fit,
        )
    return Race(found.folder).confirmed[-1]


def _confirmation(
    found: Race, framework: str, seeds: int, rules: Mapping[str, Rule]
) -> Confirmation:
    """One that was begun and not finished, or a new one on unused seeds."""
    verdict, measures = found.verdict, found.plan.facts.measures
    names = {verdict.leader.rule, verdict.reference}
    chosen = {s.rule: s.configuration for s in verdict.standings if s.rule in names}
    target = verdict.goal(measures)
    whole = [one.confirmation for one in found.confirmed]

    def asked(repetition: int) -> Confirmation:
        one = Confirmation(verdict.leader.rule, chosen, target, seeds, repetition, framework, {})
        first = {run.rule: run for run in reversed(one.runs(found.plan))}
        lines = {
            rule: translation(_raced(found.plan, rules[rule], first[rule]), "keras").text
            for rule in chosen
        }
        return replace(one, optimizers=lines)

    for begun in found.confirmations:
        # What its optimizers are is not taken from the folder: it says it as they are made here.
        if begun not in whole and begun == asked(begun.repetition):
            return begun
    return asked(unused_repetition(found.plan, [*found.checks, *found.confirmations]))


def _undrawn(work: Path, runs: Sequence[Run]) -> list[int]:
    """The seeds whose initial weights are not there."""
    seeds = dict.fromkeys(run.seed for run in runs)
    return [seed for seed in seeds if not (work / weights_file(seed)).exists()]


def _raced(plan: Plan, rule: Rule, run: Run) -> Rule:
    """The rule as a run has it."""
    return scheduled(rule, plan.choices.schedule, plan.steps).replace(plan.settings(run))


def _optimizer(confirmation: Confirmation, plan: Plan, rule: Rule, run: Run) -> dict[str, Any]:
    line = confirmation.optimizers[run.rule]
    native = line.startswith("keras.")
    held = cloudpickle.dumps(_raced(plan, rule, run))
    return {"optimizer": line if native else "", "rule": held}
