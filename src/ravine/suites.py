"""Several tasks at once: a race each, and what they say together."""

import inspect
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine import api
from ravine.conduct import check_workers
from ravine.errors import RavineError, WrongCall, unknown
from ravine.folder import locked
from ravine.frameworks.spelling import AnyRule, read_rule, read_rules
from ravine.gathering import Gathering, publish, say
from ravine.names import file_name
from ravine.outcome import Race
from ravine.pages import performance, suite_page
from ravine.pages.results import Results
from ravine.racing.choices import named
from ravine.racing.store import FILE
from ravine.rules import RULES
from ravine.tasks import AT_HAND, TASKS, find
from ravine.tasks.task import Task
from ravine.verdict import PerformanceProfile
from ravine.verdict.across import Across, across

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Gathering("suite", "suite-options.json")
# Of a race, those that mean the same whatever the task.
PASSED_ON = {
    name: parameter.default
    for name, parameter in inspect.signature(api.race).parameters.items()
    if name
    not in {
        *("task", "rules", "batch_size", "target", "budget", "vary"),
        *("out", "workers", "ray", "progress", "profile"),
    }
}


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
    all that ravine ships. ``rules`` and the other options, ``seeds``, ``fresh_seeds``, ``epochs``,
    ``learning_rates``, ``schedule``, ``early_stopping``, ``studies``, ``search``, ``trials`` and
    ``device``, are those of ``ravine.race``. ``out``: a folder, in which each task has one of its
    own; by default ``ravine-runs/suite-<UTC time>``. Called again with the same folder and options
    it goes on: what is finished is not run again. Raises ``WrongCall`` before anything runs if
    something asked for cannot be, or if the folder holds a suite of other options.

    Example::

        suite = ravine.suite("diabetes-linear,quadratic-deep", rules="sgd,adam")
        print(suite.scores.to_string())
    """
    check_workers(workers, ray)
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
    FOLDER.check_same(folder, asked)
    with locked(folder):
        FOLDER.begin(folder, asked)
        for i, task in enumerate(chosen, 1):
            try:  # who reads that a task has begun may stop it at once
                say(f"suite: {task.name}, task {i} of {len(chosen)}", progress)
                FOLDER.race(
                    *(api.race, folder / file_name(task.name), task),
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


def resume(
    folder: str | os.PathLike[str],
    *,
    workers: int | None = None,
    ray: str | None = None,
    progress: bool = True,
) -> "Suite":
    """Go on with a suite of what ravine ships; one of your own is called again as it was."""
    asked = FOLDER.asked(Path(folder))
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
        ray=ray,
        progress=progress,
        **asked["options"],
    )


def is_suite(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a suite, finished or not."""
    return FOLDER.here(Path(folder))


class Suite:
    """A suite in its folder. ``races`` has those that were begun, by task."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.asked = FOLDER.asked(self.folder)
        places = {name: self.folder / file_name(name) for name in self.asked["tasks"]}
        begun = {name: place for name, place in places.items() if (place / FILE).exists()}
        self.races: Mapping[str, Race] = {name: Race(place) for name, place in begun.items()}

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
        return across({name: race.verdict for name, race in self.races.items()})

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

    def write(self, folder: Path) -> None:
        """Write what people and programs read into a folder."""
        (folder / "suite.json").write_text(self.to_json(), encoding="utf-8")
        suite_page.write(self.across, self.results, folder / "suite.html")
        if self.across.performance is not None:
            performance.save(self.chart(), folder)

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
