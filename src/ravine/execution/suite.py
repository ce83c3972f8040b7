"""Several tasks at once: a race each, and what they say together."""

import inspect
import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine.errors import InvalidArgument, RavineError, unknown
from ravine.execution import actions
from ravine.execution.session import check_workers
from ravine.experiment.config import named
from ravine.frameworks.spelling import AnyRule, read_rule, read_rules
from ravine.results.suite import FOLDER, Suite
from ravine.rules import RULES
from ravine.storage.multi_race_dir import publish, say
from ravine.storage.race_dir import locked
from ravine.storage.store import FILE
from ravine.tasks import AT_HAND, TASKS, find
from ravine.tasks.names import file_name
from ravine.tasks.task import Task

if TYPE_CHECKING:
    pass


def _passed_on(begin: Callable[..., Any]) -> dict[str, Any]:
    """The options of a race that mean the same whatever the task, and their defaults."""
    of_each = {"task", "rules", "batch_size", "target", "budget", "vary"}
    of_each |= {"out", "workers", "ray", "progress", "profile"}
    parameters = inspect.signature(begin).parameters.items()
    return {name: one.default for name, one in parameters if name not in of_each}


def race_suite(
    begin: Callable[..., Any],
    tasks: str | Sequence[str | Task] | None = None,
    *,
    rules: str | Sequence[AnyRule] | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    ray: str | None = None,
    progress: bool = True,
    **options: Any,
) -> Suite:
    """See ``api.suite``; ``begin`` is ``ravine.race``."""
    defaults = _passed_on(begin)
    check_workers(workers, ray)
    for name in options:
        if name not in defaults:
            raise unknown("option", name, defaults)
    options = {name: v for name, v in options.items() if v != defaults[name]}
    if isinstance(tasks, str):
        tasks = [name.strip() for name in tasks.split(",") if name.strip()]
    chosen = [find(t) if isinstance(t, str) else t for t in (AT_HAND if tasks is None else tasks)]
    if not chosen:
        raise InvalidArgument(f"no tasks given; known: {', '.join(TASKS)}")
    if twice := {t.name for t in chosen if [o.name for o in chosen].count(t.name) > 1}:
        raise InvalidArgument(f"task '{min(twice)}' is listed twice")
    if isinstance(rules, str):
        rules = read_rules(rules)
    by_name = named([read_rule(rule) for rule in (RULES if rules is None else rules)])
    asked = {"tasks": [t.name for t in chosen], "rules": list(by_name), "options": options}
    asked = json.loads(json.dumps(asked))
    folder = Path("ravine-runs", f"suite-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    folder = folder if out is None else Path(out)
    FOLDER.check_same(folder, asked)
    with locked(folder):
        FOLDER.begin(folder, asked)
        for i, task in enumerate(chosen, 1):
            try:  # who reads that a task has begun may stop it at once
                say(f"suite: {task.name}, task {i} of {len(chosen)}", progress)
                FOLDER.race(
                    *(begin, actions.resume, folder / file_name(task.name), task),
                    rules=list(by_name.values()),
                    workers=workers,
                    ray=ray,
                    progress=progress,
                    options=options,
                )
            except (RavineError, KeyboardInterrupt) as stop:
                if (folder / file_name(task.name) / FILE).exists() or i > 1:
                    stop.add_note(f"the whole suite goes on with: ravine resume {folder}")
                else:
                    FOLDER.forget(folder)
                raise
        say("suite: writing the report", progress)
        found = Suite(folder)
        publish(folder, found.write)
    return found


def resume_suite(
    begin: Callable[..., Any],
    folder: str | os.PathLike[str],
    *,
    workers: int | None = None,
    ray: str | None = None,
    progress: bool = True,
) -> Suite:
    """Go on with a suite of what ravine ships; one of your own is called again as it was."""
    asked = FOLDER.asked(Path(folder))
    own = [name for name in asked["tasks"] if name not in TASKS]
    if own:
        raise InvalidArgument(
            f"ravine does not ship {', '.join(own)}: call ravine.suite again, out={folder!r}"
        )
    return race_suite(
        begin,
        asked["tasks"],
        rules=asked["rules"],
        out=folder,
        workers=workers,
        ray=ray,
        progress=progress,
        **asked["options"],
    )
