"""Levers as axes of a race: a race for each combination of their values, and what they say."""

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ravine.errors import InvalidArgument, RavineError
from ravine.execution import actions
from ravine.execution.ablation_variants import FILES, files, tried_out
from ravine.execution.session import check_workers
from ravine.experiment.config import named
from ravine.experiment.target import read_target
from ravine.frameworks.spelling import AnyRule, is_spelled, read_rule
from ravine.results.ablation import FOLDER, TRIED_OUT, Ablation
from ravine.results.race import Race
from ravine.rules import RULES
from ravine.storage import payload
from ravine.storage.multi_race_dir import publish, say
from ravine.storage.payload import Payload
from ravine.storage.race_dir import locked
from ravine.storage.store import WORK
from ravine.tasks import TASKS, find
from ravine.tasks import levers as axes
from ravine.tasks.names import file_name
from ravine.tasks.pretraining import pretrained
from ravine.tasks.task import Task

__all__ = ["Ablation", "is_levers", "race_each", "resume"]

Begin = Callable[..., Any]  # what begins one race: ``ravine.race``, which stands above


def race_each(
    begin: Begin,
    task: Task,
    vary: Mapping[str, Any] | str | Sequence[str],
    *,
    rules: Sequence[AnyRule] | None,
    out: str | os.PathLike[str] | None,
    workers: int | None,
    ray: str | None,
    progress: bool,
    options: Mapping[str, Any],
) -> Ablation:
    """A race for each combination of the levers' values, all judged by the first one's target.

    ``options``: those of ``begin`` that depart from its defaults. Called again with the same folder
    it goes on. Raises ``InvalidArgument`` before anything is raced if a lever or a value cannot be.
    """
    check_workers(workers, ray)
    varied = axes.read_vary(vary)
    axes.check_vary(task, varied)
    if axes.BATCH_SIZE in varied and "batch_size" in options:
        raise InvalidArgument("batch_size is varied: leave out batch_size=")
    if "budget" in options:  # which would give each of the races other seeds
        raise InvalidArgument(
            "budget= is for one race: with vary, give tuning_seeds=, eval_seeds=, trials="
        )
    if "crosscheck" in options:
        raise InvalidArgument(
            "crosscheck= is for one race: crosscheck those of interest when all are done"
        )
    read_target(options.get("target"))
    by_name = named([read_rule(rule) for rule in (RULES if rules is None else rules)])
    name = f"{file_name(task.name)}-levers-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder = Path("ravine-runs", name) if out is None else Path(out)
    asked = {"task": task.name, "vary": varied, "rules": list(by_name), "options": dict(options)}
    try:
        asked = json.loads(json.dumps(asked, default=list))  # an array of rates is a list
    except TypeError as error:
        raise InvalidArgument(
            f"with vary, options are texts, numbers and lists: {error}"
        ) from error
    FOLDER.check_same(folder, asked)
    if not FOLDER.here(folder):
        for file in files(varied):
            pretrained(Path(file))
    with locked(folder):
        FOLDER.begin(folder, asked)
        _race_all(begin, folder, Payload(task, by_name), workers, ray, progress)
    return Ablation(folder)


def resume(
    folder: str | os.PathLike[str],
    begin: Begin,
    *,
    workers: int | None = None,
    ray: str | None = None,
    progress: bool = True,
) -> Ablation:
    """Go on with one that was interrupted; what is stored is not run again."""
    check_workers(workers, ray)
    found = Ablation(folder)
    asked = found.asked
    if found.finished:
        found.publish()
        return found
    work = found.folder / WORK
    if (digest := payload.signed(work, FOLDER.text(found.folder))) is not None:
        raced = payload.unpack(work, digest)
    elif asked["task"] in TASKS and all(map(is_spelled, asked["rules"])):
        raced = Payload(find(asked["task"]), {name: read_rule(name) for name in asked["rules"]})
    else:
        raise InvalidArgument(
            f"'{folder}' is of a task or rules that ravine does not ship: call ravine.race again "
            f"with the same arguments and out='{folder}'"
        )
    with locked(found.folder):
        _race_all(begin, found.folder, raced, workers, ray, progress)
    return Ablation(folder)


def is_levers(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a race of levers, finished or not."""
    return FOLDER.here(Path(folder))


def _race_all(
    begin: Begin,
    folder: Path,
    raced: Payload,
    workers: int | None,
    ray: str | None,
    progress: bool,
) -> None:
    asked = FOLDER.asked(folder)
    vary, options = asked["vary"], asked["options"]
    combinations, rules = axes.combinations(vary), list(raced.rules.values())
    (folder / WORK).mkdir(exist_ok=True)
    digest = payload.pack(folder / WORK, raced)
    payload.sign(folder / WORK, digest, FOLDER.text(folder))
    try:
        variants = tried_out(folder, raced.task, digest, vary, options, workers, progress)
        for i, variant in enumerate(variants, 1):
            name = axes.spelled(variant.levers)
            say(f"levers: {name}, race {i} of {len(variants)}", progress)
            FOLDER.race(
                *(begin, actions.resume, folder / name, variant),
                rules=rules,
                workers=workers,
                ray=ray,
                progress=progress,
                options={**options, "looks": False},  # effects are of equal seeds
            )
            first = Race(folder / axes.spelled(combinations[0])).verdict
            if first.refused or not math.isfinite(first.target):
                break
            if not options.get("target"):
                sign = ">=" if first.rising else "<="
                options = {**options, "target": f"{first.metric}{sign}{first.target!r}"}
    except (RavineError, KeyboardInterrupt) as stop:
        if (folder / TRIED_OUT).exists():
            stop.add_note(f"the whole race of levers goes on with: ravine resume {folder}")
        else:
            shutil.rmtree(folder / FILES, ignore_errors=True)
            FOLDER.forget(folder)
        raise
    say("levers: writing the report", progress)
    publish(folder, Ablation(folder).write)
