"""Several tasks at once: a race each, and what they say together."""

import inspect
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine import again, api
from ravine.conduct import check_workers
from ravine.errors import RavineError, WrongCall, unknown
from ravine.folder import check_new, locked, using
from ravine.frameworks.spelling import AnyRule, read_rule, read_rules
from ravine.outcome import Race
from ravine.pages import performance, suite_page
from ravine.pages.results import Results
from ravine.pages.suite_page import say
from ravine.racing.choices import named
from ravine.racing.store import FILE, WORK
from ravine.rules import RULES
from ravine.tasks import AT_HAND, TASKS, find
from ravine.tasks.task import Task
from ravine.verdict import PerformanceProfile
from ravine.verdict.across import Across, across

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = "suite-options.json"  # what was asked for, so that it can go on
PAGES = ("suite.json", "performance.png", "performance.svg", "suite.html")
# Of a race, those that mean the same whatever the task.
PASSED_ON = {
    name: parameter.default
    for name, parameter in inspect.signature(api.race).parameters.items()
    if name
    not in {"task", "rules", "batch_size", "target", "out", "workers", "progress", "profile"}
}


def suite(
    tasks: str | Sequence[str | Task] | None = None,
    *,
    rules: str | Sequence[AnyRule] | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: bool = True,
    **options: Any,
) -> "Suite":
    """Race the same rules on several tasks, and score them over all: AlgoPerf's profiles.

    ``tasks``: names, ``"digits-mlp,quadratic-deep"`` or a list, or tasks of your own; by default
    all that ravine ships. ``rules`` and the other options, ``seeds``, ``fresh_seeds``, ``epochs``,
    ``learning_rates``, ``schedule``, ``early_stopping``, ``studies``, ``search`` and ``trials``,
    are those of ``ravine.race``. ``out``: a folder, in which each task has one of its own; by
    default ``ravine-runs/suite-<UTC time>``. Called again with the same folder and options it goes
    on: what is finished is not run again. Raises ``WrongCall`` before anything runs if something
    asked for cannot be, or if the folder holds a suite of other options.

    Example::

        suite = ravine.suite("diabetes-linear,quadratic-deep", rules="sgd,adam")
        print(suite.scores.to_string())
    """
    check_workers(workers)
    for name in options:
        if name not in PASSED_ON:
            raise unknown("option", name, PASSED_ON)
    options = {name: v for name, v in options.items() if v != PASSED_ON[name]}
    if isinstance(tasks, str):
        tasks = [name.strip() for name in tasks.split(",") if name.strip()]
    chosen = [find(t) if isinstance(t, str) else t for t in (AT_HAND if tasks is None else tasks)]
    if not chosen:
        raise WrongCall(f"no tasks given; known: {', '.join(TASKS)}")
    if twice := {t.name for t in chosen if [o.name for o in chosen].count(t.name) > 1}:
        raise WrongCall(f"task '{min(twice)}' is listed twice")
    if isinstance(rules, str):
        rules = read_rules(rules)
    by_name = named([read_rule(rule) for rule in (RULES if rules is None else rules)])
    asked = {"tasks": [t.name for t in chosen], "rules": list(by_name), "options": options}
    asked = json.loads(json.dumps(asked))
    folder = Path("ravine-runs", f"suite-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    folder = folder if out is None else Path(out)
    _check_same(folder, asked)
    with locked(folder):
        with using(folder):
            (folder / OPTIONS).write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")
        for i, task in enumerate(chosen, 1):
            say(f"suite: {task.name}, task {i} of {len(chosen)}", progress)
            try:
                _race(folder / task.name, task, list(by_name.values()), workers, progress, options)
            except (RavineError, KeyboardInterrupt) as stop:
                if (folder / task.name / FILE).exists() or i > 1:
                    stop.add_note(f"the whole suite goes on with: ravine resume {folder}")
                else:
                    _forget(folder)
                raise
        say("suite: writing the report", progress)
        found = Suite(folder)
        _publish(found)
    return found


def resume(
    folder: str | os.PathLike[str], *, workers: int | None = None, progress: bool = True
) -> "Suite":
    """Go on with a suite of what ravine ships; one of your own is called again as it was."""
    asked = _asked(Path(folder))
    own = [name for name in asked["tasks"] if name not in TASKS]
    if own:
        raise WrongCall(
            f"ravine does not ship {', '.join(own)}: call ravine.suite again, out={folder!r}"
        )
    return suite(
        asked["tasks"],
        rules=asked["rules"],
        out=folder,
        workers=workers,
        progress=progress,
        **asked["options"],
    )


def is_suite(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a suite, finished or not."""
    return (Path(folder) / OPTIONS).exists()


class Suite:
    """A suite in its folder. ``races`` has those that were begun, by task."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.asked = _asked(self.folder)
        begun = [name for name in self.asked["tasks"] if (self.folder / name / FILE).exists()]
        self.races: Mapping[str, Race] = {name: Race(self.folder / name) for name in begun}

    @property
    def finished(self) -> bool:
        """Whether every race is."""
        whole = len(self.races) == len(self.asked["tasks"])
        return whole and all(race.finished for race in self.races.values())

    @cached_property
    def across(self) -> Across:
        """What the races say together. Raises ``RavineError`` while one is unfinished."""
        if not self.finished:
            raise RavineError(
                f"the suite in '{self.folder}' is unfinished: go on with "
                f"'ravine resume {self.folder}'"
            )
        horizons = {name: race.plan.steps for name, race in self.races.items()}
        return across({name: race.verdict for name, race in self.races.items()}, horizons)

    @property
    def times(self) -> "pd.DataFrame":
        """Median steps to the target, infinite for a miss: a row a rule, a column a task."""
        return self.across.times

    @property
    def profile(self) -> "pd.DataFrame":
        """The share of tasks within τ of the fastest: a row a rule, a column a τ."""
        return self._performance.profile

    @property
    def scores(self) -> "pd.DataFrame":
        """A row a rule, best first: ``score``, ``speedup``, its ``bound``, tasks ``missed``."""
        import pandas as pd

        return pd.DataFrame([score._asdict() for score in self.across.scores]).set_index("rule")

    def chart(self) -> Any:
        """The performance profile, an Altair chart."""
        return performance.chart(self._performance, [s.rule for s in self.across.scores])

    def to_json(self) -> str:
        """``suite.json``."""
        return suite_page.to_json(self.across, self.results, self.asked)

    @property
    def results(self) -> dict[str, Results]:
        """What each race found, by task."""
        return {name: race.results for name, race in self.races.items()}

    @property
    def _performance(self) -> PerformanceProfile:
        if self.across.performance is None:
            raise RavineError(str(self.across))
        return self.across.performance

    def __str__(self) -> str:
        return str(self.across)

    def __repr__(self) -> str:
        done = sum(race.finished for race in self.races.values())
        said = self if self.finished else f"{done}/{len(self.asked['tasks'])} races"
        return f"<Suite '{self.folder}': {said}>"


def _race(
    folder: Path,
    task: Task,
    rules: Sequence[Any],
    workers: int | None,
    progress: bool,
    options: Mapping[str, Any],
) -> None:
    if (folder / FILE).exists():
        again.resume(folder, task=task, rules=rules, workers=workers, progress=progress)
        return
    _forget(folder)
    api.race(task, rules=rules, out=folder, workers=workers, progress=progress, **options)


def _forget(folder: Path) -> None:
    """Remove what a race, or a suite, leaves that was stopped before it had a plan."""
    with suppress(OSError):
        shutil.rmtree(folder / WORK, ignore_errors=True)
        for left in (f"{FILE}.part", OPTIONS):
            (folder / left).unlink(missing_ok=True)
        folder.rmdir()


def _check_same(folder: Path, asked: Mapping[str, Any]) -> None:
    """Raises ``WrongCall`` unless the folder is new, or holds a suite that was asked for alike."""
    if not is_suite(folder):
        check_new(folder)
        return
    before = _asked(folder)
    for what in asked:
        if asked[what] != before[what]:
            raise WrongCall(
                f"the suite in '{folder}' has {what} {_listed(before[what])}, not "
                f"{_listed(asked[what])}: name another folder, or 'ravine resume {folder}'"
            )


def _listed(asked: Sequence[str] | Mapping[str, Any]) -> str:
    if isinstance(asked, Mapping):
        return ", ".join(f"{k}={v}" for k, v in asked.items()) or "as they are by default"
    return ", ".join(asked)


def _asked(folder: Path) -> dict[str, Any]:
    try:
        asked: dict[str, Any] = json.loads((folder / OPTIONS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WrongCall(f"no suite in '{folder}': no {OPTIONS}") from None
    except (OSError, ValueError) as error:
        raise RavineError(f"cannot read '{folder / OPTIONS}': {error}") from error
    return asked


def _publish(found: Suite) -> None:
    """Each page whole or not at all."""
    folder, aside = found.folder, found.folder / WORK
    with using(folder):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            (aside / "suite.json").write_text(found.to_json(), encoding="utf-8")
            suite_page.write(found.across, found.results, aside / "suite.html")
            if found.across.performance is not None:
                performance.save(found.chart(), aside)
            for page in filter(Path.exists, map(aside.joinpath, PAGES)):
                page.replace(folder / page.name)
        finally:
            shutil.rmtree(aside)
