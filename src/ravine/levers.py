"""Levers as axes of a race: a race for each combination of their values, and what they say."""

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine import again
from ravine.conduct import check_workers
from ravine.errors import RavineError, WrongCall
from ravine.folder import locked, using
from ravine.frameworks.spelling import AnyRule, is_spelled, read_rule
from ravine.gathering import Gathering, publish
from ravine.outcome import Race
from ravine.pages import lever_page
from ravine.pages.lever_page import Told
from ravine.pages.results import Results
from ravine.pages.suite_page import say
from ravine.racing import luggage
from ravine.racing.choices import named, read_target
from ravine.racing.luggage import Luggage
from ravine.racing.pool import Pool
from ravine.racing.rehearsal import Pretraining, Rehearsal
from ravine.racing.store import FILE, WORK
from ravine.rules import RULES, Adam
from ravine.tasks import TASKS, find
from ravine.tasks import levers as axes
from ravine.tasks.pretraining import Pretrained, pretrained
from ravine.tasks.task import Task
from ravine.verdict import Standing

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Gathering("race of levers", "levers-options.json")
REHEARSED = "levers-rehearsal.json"  # what the variants are like, before they are raced
FILES = "pretrained"  # a folder: the weights that combinations begin with


Begin = Callable[..., Any]  # what begins one race: ``ravine.race``, which stands above


def race_each(
    begin: Begin,
    task: Task,
    vary: Mapping[str, Any] | str | Sequence[str],
    *,
    rules: Sequence[AnyRule] | None,
    out: str | os.PathLike[str] | None,
    workers: int | None,
    progress: bool,
    options: Mapping[str, Any],
) -> "Levers":
    """A race for each combination of the levers' values, all judged by the first one's target.

    ``options``: those of ``begin`` that depart from its defaults. Called again with the same folder
    it goes on. Raises ``WrongCall`` before anything is raced if a lever or a value cannot be.
    """
    check_workers(workers)
    varied = axes.read_vary(vary)
    axes.check_vary(task, varied)
    if axes.BATCH_SIZE in varied and "batch_size" in options:
        raise WrongCall("batch_size is varied: leave out batch_size=")
    read_target(options.get("target"))
    by_name = named([read_rule(rule) for rule in (RULES if rules is None else rules)])
    name = f"{task.name}-levers-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder = Path("ravine-runs", name) if out is None else Path(out)
    asked = {"task": task.name, "vary": varied, "rules": list(by_name), "options": dict(options)}
    try:
        asked = json.loads(json.dumps(asked))
    except TypeError as error:
        raise WrongCall(f"with vary, options are texts, numbers and lists: {error}") from error
    FOLDER.check_same(folder, asked)
    if not FOLDER.here(folder):
        for file in _files(varied):
            pretrained(Path(file))
    with locked(folder):
        FOLDER.begin(folder, asked)
        _race_all(begin, folder, Luggage(task, by_name), workers, progress)
    return Levers(folder)


def resume(
    folder: str | os.PathLike[str],
    begin: Begin,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> "Levers":
    """Go on with one that was interrupted; what is stored is not run again."""
    found = Levers(folder)
    asked = found.asked
    if found.finished:
        found.publish()
        return found
    work = found.folder / WORK
    if (digest := luggage.signed(work)) is not None:
        raced = luggage.unpack(work, digest)
    elif asked["task"] in TASKS and all(map(is_spelled, asked["rules"])):
        raced = Luggage(find(asked["task"]), {name: read_rule(name) for name in asked["rules"]})
    else:
        raise WrongCall(
            f"'{folder}' is of a task or rules that ravine does not ship: call ravine.race again "
            f"with the same arguments and out='{folder}'"
        )
    with locked(found.folder):
        _race_all(begin, found.folder, raced, workers, progress)
    return Levers(folder)


def is_levers(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a race of levers, finished or not."""
    return FOLDER.here(Path(folder))


class Levers:
    """A race of levers in its folder. ``races``: those begun, by the combination of values."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.asked = FOLDER.asked(self.folder)
        self.vary = {name: tuple(values) for name, values in self.asked["vary"].items()}
        self.combinations = axes.combinations(self.vary)
        names = map(axes.spelled, self.combinations)
        self.races: Mapping[str, Race] = {
            name: Race(self.folder / name) for name in names if (self.folder / name / FILE).exists()
        }

    @property
    def finished(self) -> bool:
        """Whether every race is, or the first one, if it found nothing that is reached."""
        if not all(race.finished for race in self.races.values()):
            return False
        return len(self.races) == len(self.combinations) or (bool(self.races) and not self._goal)

    @property
    def _goal(self) -> bool:
        first = self.races[axes.spelled(self.combinations[0])].verdict
        return math.isfinite(first.target) and not first.refused

    @cached_property
    def told(self) -> Told:
        """Everything that was found. Raises ``RavineError`` while a race is unfinished."""
        if not self.finished:
            raise RavineError(
                f"the race of levers in '{self.folder}' is unfinished: go on with "
                f"'ravine resume {self.folder}'"
            )
        text = (self.folder / REHEARSED).read_text(encoding="utf-8")
        values = {axes.spelled(c): c for c in self.combinations if axes.spelled(c) in self.races}
        shown = {
            name: {lever: axes.shown(value) for lever, value in c.items()}
            for name, c in values.items()
        }
        levers = {lever: tuple(map(axes.shown, each)) for lever, each in self.vary.items()}
        return lever_page.told(self.asked["task"], levers, shown, self.results, json.loads(text))

    @property
    def verdict(self) -> Told:
        """Which lever matters how much, and who is first; prints as a sentence."""
        return self.told

    @property
    def winner(self) -> Standing:
        """The standing of the rule that took the fewest steps or epochs, wherever it did."""
        return self.told.winner

    @property
    def effects(self) -> "pd.DataFrame":
        """A row a rule and value of a lever, over all others; and one each under single ones."""
        return self.told.effects()

    @property
    def leaderboard(self) -> "pd.DataFrame":
        """A row a combination and rule, with its steps to the common target."""
        return self.told.leaderboard()

    def curves(self) -> "pd.DataFrame":
        """Every measurement of every race, with a column ``combination`` before those of each."""
        import pandas as pd

        frames = {name: race.curves() for name, race in self.races.items()}
        return pd.concat(frames, names=["combination"]).reset_index("combination")

    def chart(self, name: str = "effects") -> Any:
        """An Altair chart: ``"effects"`` of the levers, or ``"gradients"`` by layer."""
        return lever_page.chart(self.told, name)

    def to_json(self) -> str:
        """``levers.json``."""
        return lever_page.to_json(self.told, self.asked)

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the page, one HTML file; by default into the folder, beside the races it names."""
        target = self.folder / "levers.html" if path is None else Path(path)
        with using(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            lever_page.write(self.told, target)
        return target

    def publish(self) -> None:
        """Write everything people and programs read into the folder."""
        with locked(self.folder):
            publish(self.folder, self.write)

    def write(self, folder: Path) -> None:
        """Write what people and programs read into a folder."""
        (folder / "levers.json").write_text(self.to_json(), encoding="utf-8")
        self.report(folder / "levers.html")
        lever_page.save(self.told, folder)

    @property
    def results(self) -> dict[str, Results]:
        """What each race found, by combination."""
        return {name: race.results for name, race in self.races.items()}

    def __repr__(self) -> str:
        done = sum(race.finished for race in self.races.values())
        said = self.verdict if self.finished else f"{done}/{len(self.combinations)} races"
        return f"<Levers '{self.folder}': {said}>"


def _race_all(
    begin: Begin,
    folder: Path,
    raced: Luggage,
    workers: int | None,
    progress: bool,
) -> None:
    asked = FOLDER.asked(folder)
    vary, options = asked["vary"], asked["options"]
    combinations, rules = axes.combinations(vary), list(raced.rules.values())
    (folder / WORK).mkdir(exist_ok=True)
    digest = luggage.pack(folder / WORK, raced)
    try:
        variants = _rehearsed(folder, raced.task, digest, vary, options, progress)
        for i, variant in enumerate(variants, 1):
            name = axes.spelled(variant.levers)
            say(f"levers: {name}, race {i} of {len(variants)}", progress)
            _race(begin, folder / name, variant, rules, workers, progress, options)
            first = Race(folder / axes.spelled(combinations[0])).verdict
            if first.refused or not math.isfinite(first.target):
                break
            if not options.get("target"):
                sign = ">=" if first.rising else "<="
                options = {**options, "target": f"{first.measure}{sign}{first.target!r}"}
    except (RavineError, KeyboardInterrupt) as stop:
        if (folder / REHEARSED).exists():
            stop.add_note(f"the whole race of levers goes on with: ravine resume {folder}")
        else:
            shutil.rmtree(folder / FILES, ignore_errors=True)
            FOLDER.forget(folder)
        raise
    say("levers: writing the report", progress)
    publish(folder, Levers(folder).write)


def _race(
    begin: Begin,
    folder: Path,
    variant: Task,
    rules: Sequence[Any],
    workers: int | None,
    progress: bool,
    options: Mapping[str, Any],
) -> None:
    if (folder / FILE).exists():
        again.resume(folder, task=variant, rules=rules, workers=workers, progress=progress)
        return
    FOLDER.forget(folder)
    begin(variant, rules=rules, out=folder, workers=workers, progress=progress, **options)


def _rehearsed(
    folder: Path,
    task: Task,
    digest: str,
    vary: Mapping[str, Sequence[Any]],
    options: Mapping[str, Any],
    progress: bool,
) -> list[Task]:
    """The variants of the task. Each is built once before any is raced, and its gradients taken.

    What pretraining there is to do is done first; of files a copy is kept, and raced.
    """
    combinations = axes.combinations(vary)
    held = {file: _copy(folder, Path(file)) for file in _files(vary)}
    pool, known = None, {}
    if (folder / REHEARSED).exists():
        known = json.loads((folder / REHEARSED).read_text(encoding="utf-8"))
    else:
        say(f"levers: building {len(combinations)} models", progress)
    try:
        if not known:
            pool = Pool(1, {"folder": str(folder / WORK), "digest": digest})
            costs = _pretrain(pool, folder, task, vary, options, progress)
        variants = [
            axes.varied(task, values, vary, _weights(folder, values, held))
            for values in combinations
        ]
        if pool is not None:
            found = Rehearsal([(variant, None) for variant in variants]).run(pool)
            known = {
                axes.spelled(v.levers): {
                    **one._asdict(),
                    "slopes": [slope._asdict() for slope in one.slopes],
                    "cost": costs.get(_pretraining_file(v.levers)),
                }
                for v, one in zip(variants, found, strict=True)
            }
            partial = folder / WORK / REHEARSED
            partial.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
            partial.replace(folder / REHEARSED)
    finally:
        if pool is not None:
            pool.close()
    return variants


def _pretrain(
    pool: Pool,
    folder: Path,
    task: Task,
    vary: Mapping[str, Sequence[Any]],
    options: Mapping[str, Any],
    progress: bool,
) -> dict[str, Any]:
    """Train on the other half of the rows what is to begin so; what each cost, by file."""
    wanted: dict[str, Task] = {}
    for values in axes.combinations(vary):
        if values.get(axes.PRETRAINING) == axes.OTHER_HALF:
            # The size of the batches is the race's; it is not for that to be pretrained anew.
            others = {**values, axes.PRETRAINING: axes.NONE}
            variant = axes.varied(task, others, vary)
            wanted.setdefault(_pretraining_file(values), axes.on_the_other_half(task, variant))
    if not wanted:
        return {}
    say(f"levers: pretraining {len(wanted)} models on the other half of the rows", progress)
    epochs = options.get("epochs") or task.epochs
    jobs = [
        (variant, Pretraining(Adam(), epochs, str(folder / FILES / file)))
        for file, variant in wanted.items()
    ]
    done = zip(wanted, Rehearsal(jobs).run(pool), strict=True)
    return {file: one.cost and one.cost._asdict() for file, one in done}


def _pretraining_file(values: Mapping[str, Any]) -> str:
    """What holds the weights that these values were pretrained to; one for all batch sizes."""
    others = {k: v for k, v in values.items() if k not in axes.OF_ANY_TASK}
    return f"{axes.spelled({axes.PRETRAINING: axes.OTHER_HALF, **others})}.keras"


def _weights(
    folder: Path, values: Mapping[str, Any], held: Mapping[str, Pretrained]
) -> Pretrained | None:
    what = values.get(axes.PRETRAINING, axes.NONE)
    if what == axes.OTHER_HALF:
        return pretrained(folder / FILES / _pretraining_file(values), but_last=True)
    return None if what == axes.NONE else held[what]


def _files(vary: Mapping[str, Sequence[Any]]) -> list[str]:
    return [v for v in vary.get(axes.PRETRAINING, ()) if v not in (axes.NONE, axes.OTHER_HALF)]


def _copy(folder: Path, file: Path) -> Pretrained:
    """A file's copy in the folder: what is raced, whatever becomes of the file."""
    kept = folder / FILES / file.name
    if not kept.exists():
        with using(folder):
            kept.parent.mkdir(exist_ok=True)
            shutil.copyfile(pretrained(file).file, kept)
    return pretrained(kept)
