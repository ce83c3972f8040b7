"""What is done with a race that there is: go on with it, let it grow, check its claim."""

import importlib.util
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle

from ravine.analysis import stages
from ravine.analysis.crosscheck import Confirmation, Confirmed
from ravine.analysis.naming import title
from ravine.analysis.replication import Check, Checked, claim_of, unused_repetition
from ravine.errors import InvalidArgument, install, unknown
from ravine.execution.framework_fit import Fitted, FrameworkFits
from ravine.execution.job import Job
from ravine.execution.pool import Pool
from ravine.execution.scheduler import Scheduler
from ravine.execution.session import check_workers, here, run_session
from ravine.execution.worker_backend import Local
from ravine.experiment.config import joined, named, scheduled
from ravine.experiment.plan import Plan, Run, TaskInfo, make_plan
from ravine.frameworks.names import BACKENDS, CALLED
from ravine.frameworks.spelling import AnyRule, is_spelled, read_rule
from ravine.frameworks.translate.translation import translation
from ravine.reporting.notebook import display as shown
from ravine.results.race import PAGES, Race, publish_pages
from ravine.rules.update_rule import Rule
from ravine.storage import payload, provenance
from ravine.storage.race_dir import locked
from ravine.storage.store import CHECKS, CONFIRMATIONS, WORK, Store
from ravine.storage.work_files import weights_file
from ravine.tasks import TASKS, find
from ravine.tasks.task import Task

# How the command line names a task of one's own again, by the function that wants it.
AGAIN = {
    "replicate": "give --task FILE.py:NAME, or ",
    "crosscheck": "give --task FILE.py:NAME, or ",
    "extend": "give --task FILE.py:NAME, or ",
}


def resume(
    folder: str | os.PathLike[str],
    *,
    task: Task | None = None,
    rules: Sequence[AnyRule] = (),
    workers: int | None = None,
    ray: str | None = None,
    progress: bool = True,
    profile: bool = False,
) -> Race:
    """Go on with a race that was interrupted; what is stored is not run again.

    ``task`` and ``rules`` are for those of your own, which ravine cannot find by name. Raises
    ``InvalidArgument`` if the folder holds no race or another than that task and those rules make.
    A finished race is published if that is what was interrupted, and else left as it is.
    """
    check_workers(workers, ray)
    found = Race(Path(folder))
    keeping = found.best is None and found.payload is not None
    if found.finished and not keeping:  # the model that is kept is the last that a race makes
        if (framework := found.unconfirmed) is not None:
            crosscheck(
                folder, framework, task=task, rules=rules, workers=workers, progress=progress
            )
            return Race(found.folder)
        if (found.folder / WORK).exists() or not all((found.folder / p).exists() for p in PAGES):
            with locked(found.folder):
                Store(found.folder).close()  # what a kill left in the log is folded in
                publish_pages(found)
        return found
    if found.to_confirm:
        check_framework(found.to_confirm)
    task, by_name = _own(found, task, rules, "resume")

    def start(driver: Scheduler) -> Store:
        _check_same(found, found.plan, by_name, driver)
        return Store(found.folder)

    with locked(found.folder):
        display = shown(progress, profile)
        run_session(found.folder, task, by_name, workers, ray, display, start, stages)
    if found.to_confirm:
        crosscheck(
            *(folder, found.to_confirm),
            task=task,
            rules=list(by_name.values()),
            workers=workers,
            progress=progress,
        )
    return Race(found.folder, task)


def extend(
    folder: str | os.PathLike[str],
    rules: Sequence[AnyRule],
    *,
    task: Task | None = None,
    workers: int | None = None,
    ray: str | None = None,
    progress: bool = True,
    profile: bool = False,
) -> Race:
    """Add rules to a finished race, under the same plan: ``ravine extend DIR --rules LIST``.

    They are tuned and judged as the others were, on the same seeds; what is stored is not run
    again. A rule of your own that is in the race already is to be named again. Raises
    ``InvalidArgument`` if the race is unfinished, or has all of these rules already.
    """
    check_workers(workers, ray)
    found = Race(Path(folder))
    if not found.finished:
        raise InvalidArgument(
            f"the race in '{folder}' is unfinished: first 'ravine resume {folder}'"
        )
    asked = named([read_rule(rule) for rule in rules])
    new = {name: rule for name, rule in asked.items() if name not in found.plan.choices.rules}
    if not new:
        raise InvalidArgument(f"{', '.join(asked)}: already in the race in '{folder}'")
    task, by_name = _own(found, task, list(asked.values()), "extend")
    by_name |= new
    choices = joined(found.plan.choices, task, by_name)

    def start(driver: Scheduler) -> Store:
        facts = _check_same(found, found.plan, by_name, driver)
        settled = make_plan(choices, by_name, facts)
        store = Store(found.folder)
        store.write_meta("rules", {name: rule.values() for name, rule in by_name.items()})
        store.write_meta(
            "command", provenance.command(choices, task, found.to_confirm, facts.engine)
        )
        store.replan(replace(settled, width=found.plan.width, segment=found.plan.segment))
        return store

    with locked(found.folder):
        display = shown(progress, profile)
        run_session(found.folder, task, by_name, workers, ray, display, start, stages)
    return Race(found.folder, task)


def replicate(
    folder: str | os.PathLike[str],
    *,
    seeds: int = 12,
    task: Task | None = None,
    rules: Sequence[AnyRule] = (),
    workers: int | None = None,
    progress: bool = True,
) -> Checked:
    """Run the winning claim of a finished race again, on seeds that nobody has used.

    The winner and the reference, each at its chosen learning rate, to the same targets, on
    ``seeds`` seeds; every call takes others. It holds if the 95 % interval of the speed-up, of this
    one rule alone, lies above 1. What was run is kept in the race's folder and
    shown in its report. Raises ``InvalidArgument`` for an unfinished race or where nothing was
    claimed.
    """
    check_workers(workers)
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise InvalidArgument(f"seeds={seeds!r} is not allowed: give a whole number of at least 1")
    found = Race(Path(folder))
    if not found.finished:
        raise InvalidArgument(
            f"the race in '{folder}' is unfinished: first 'ravine resume {folder}'"
        )
    rule, chosen, target = claim_of(found.verdict, found.plan.facts.measures)
    task, by_name = _own(found, task, rules, "replicate")
    check = next((c for c in found.checks if c.due(found.plan, found.stored)), None)
    if check is None or (check.rule, check.chosen, check.seeds) != (rule, chosen, seeds):
        repetition = unused_repetition(found.plan, [*found.checks, *found.confirmations])
        check = Check(rule, chosen, target, seeds, repetition, targets=found.verdict.band)

    def start(driver: Scheduler) -> Store:
        _check_same(found, found.plan, by_name, driver)
        store = Store(found.folder)
        kept = [*(c for c in found.checks if c != check), check]
        store.write_meta(CHECKS, [c.to_json() for c in kept])
        return store

    with locked(found.folder):
        display = shown(progress, False)
        run_session(
            *(found.folder, task, by_name, workers, None, display, start, check),
            announce=lambda plan, stored: display.checking(check.runs(plan), plan, stored),
        )
    return Race(found.folder).checked[-1]


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
    own_task, by_name = _own(found, task, rules, "crosscheck")
    check_framework(framework, own_task)
    check_target(found.plan.choices.target)
    confirmation = _confirmation(found, framework, seeds, by_name)

    def start(driver: Scheduler) -> Store:
        _check_same(found, found.plan, by_name, driver)
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


def _own(
    race: Race, task: Task | None, rules: Sequence[AnyRule], verb: str
) -> tuple[Task, dict[str, Rule]]:
    """The task and the rules of a race, those of the user's own from what was handed in.

    ``verb``: the function that wants them, for the error.
    """
    choices, folder = race.plan.choices, race.folder
    own = {str(rule): rule for rule in map(read_rule, rules)}
    if race.payload is not None:
        then = payload.unpack(folder / WORK, race.payload)
        task, own = task or then.task, {**then.rules, **own}
    strange = [n for n in choices.rules if n not in own and not is_spelled(n)]
    if strange or (task is None and choices.task not in TASKS):
        asked = [repr(str(rule)) for rule in rules if is_spelled(str(rule))]
        named = ", ".join([*asked, *strange])
        raise InvalidArgument(
            f"the race in '{folder}' is of things that ravine does not ship; "
            + ("" if strange else AGAIN.get(verb, ""))
            + f"go on from Python: ravine.{verb}('{folder}', rules=[{named}]"
            + ("" if choices.task in TASKS else f", task=<what makes '{choices.task}'>")
            + ")"
        )
    by_name = {name: own.get(name) or read_rule(name) for name in choices.rules}
    return task or find(choices.task), by_name


def _check_same(race: Race, plan: Plan, rules: Mapping[str, Rule], driver: Scheduler) -> TaskInfo:
    """Raises ``InvalidArgument`` unless what would be run now is the experiment that was begun."""
    facts = driver.describe()
    if facts.engine != plan.facts.engine:
        raise InvalidArgument(
            f"the race in '{race.folder}' cannot go on: its folder says that it is trained by "
            f"{plan.facts.engine}, but its task is trained by {facts.engine}"
        )
    settled = make_plan(plan.choices, {n: rules[n] for n in plan.choices.rules}, facts)
    told = facts._replace(notes=plan.facts.notes)  # which decide nothing
    if replace(settled, width=plan.width, facts=told) != plan:
        raise InvalidArgument(
            f"the race in '{race.folder}' cannot go on: its task, its rules or ravine itself have "
            "changed since it was planned"
        )
    if changed := provenance.differing(
        provenance.versions(plan.facts.engine), race.meta["versions"]
    ):
        raise InvalidArgument(
            f"the race in '{race.folder}' cannot go on with {', '.join(changed)}: "
            "its curves would not be those of one experiment"
        )
    return facts
