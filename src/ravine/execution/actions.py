"""What is done with a race that there is: go on with it, let it grow, check its claim."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ravine.analysis import stages
from ravine.analysis.replication import Check, Checked, claim_of, unused_repetition
from ravine.errors import InvalidArgument
from ravine.execution.crosscheck import check_framework, crosscheck
from ravine.execution.same_race import check_same, own_again
from ravine.execution.scheduler import Scheduler
from ravine.execution.session import check_workers, run_session
from ravine.experiment.config import joined, named
from ravine.experiment.plan import make_plan
from ravine.frameworks.spelling import AnyRule, read_rule
from ravine.reporting.notebook import display as shown
from ravine.results.race import PAGES, Race, publish_pages
from ravine.storage import provenance
from ravine.storage.race_dir import locked
from ravine.storage.store import CHECKS, WORK, Store
from ravine.tasks.task import Task


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
    task, by_name = own_again(found, task, rules, "resume")

    def start(driver: Scheduler) -> Store:
        check_same(found, found.plan, by_name, driver)
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
    task, by_name = own_again(found, task, list(asked.values()), "extend")
    by_name |= new
    choices = joined(found.plan.choices, task, by_name)

    def start(driver: Scheduler) -> Store:
        facts = check_same(found, found.plan, by_name, driver)
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
    task, by_name = own_again(found, task, rules, "replicate")
    check = next((c for c in found.checks if c.due(found.plan, found.stored)), None)
    if check is None or (check.rule, check.chosen, check.seeds) != (rule, chosen, seeds):
        repetition = unused_repetition(found.plan, [*found.checks, *found.confirmations])
        check = Check(rule, chosen, target, seeds, repetition, targets=found.verdict.band)

    def start(driver: Scheduler) -> Store:
        check_same(found, found.plan, by_name, driver)
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
