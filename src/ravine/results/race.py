"""A race in its folder: what was found, and the pages that show it."""

import html
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine import analysis as verdicts
from ravine.analysis import stages
from ravine.analysis.crosscheck import Confirmation, Confirmed, confirmed
from ravine.analysis.replication import Check, Checked, checked
from ravine.errors import RavineError
from ravine.frameworks.spelling import AnyRule
from ravine.reporting import charts, notebook, report, style
from ravine.reporting.results import Results
from ravine.results.best_model import Winner
from ravine.storage import payload
from ravine.storage.race_dir import locked, replacing, using
from ravine.storage.store import BEST, CHECKS, CONFIRM, CONFIRMATIONS, STEP_SECONDS, WORK, Store
from ravine.tasks import TASKS
from ravine.tasks.task import Task

if TYPE_CHECKING:
    import pandas as pd

PAGES = ("verdict.json", "curves.png", "curves.svg", "report.html")


class Race:
    """A race in its folder, finished or not."""

    def __init__(
        self, folder: Path, task: Task | None = None, rules: Sequence[AnyRule] = ()
    ) -> None:
        self.folder = folder
        self._task, self._own = task, rules  # of the user's own, where they are at hand
        self._read()

    def _read(self) -> None:
        """All that is in the folder now."""
        self.__dict__.pop("results", None)
        with using(self.folder, "read"):
            store = Store(self.folder, reading=True)
        try:
            self.plan = store.plan
            self.stored = store.curves()
            kinds = {"machine": dict, "versions": dict, "command": str}
            meta = {key: store.read_meta(key) or kind() for key, kind in kinds.items()}
            self.meta: dict[str, Any] = meta
            self.best: dict[str, Any] | None = store.read_meta(BEST)
            self.checks = [Check.from_json(kept) for kept in store.read_meta(CHECKS) or ()]
            kept = store.read_meta(CONFIRMATIONS) or ()
            self.confirmations = [Confirmation.from_json(one) for one in kept]
            self.to_confirm: str | None = store.read_meta(CONFIRM)
            # The digest of the pickle that this user signed with the plan, where it is there.
            digest = store.payload()
            there = digest is not None and payload.has(self.folder / WORK, digest)
            self.payload = digest if there else None
            self._elsewhere = store.elsewhere()
            self._rules = store.rules
            self._step_seconds = store.read_meta(STEP_SECONDS) or {}
        finally:
            store.close()

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Race":
        """The race in a folder. Raises ``InvalidArgument`` if there is none."""
        return cls(Path(folder))

    @property
    def finished(self) -> bool:
        """Whether every run is there."""
        return not stages.due(self.plan, self.stored)

    @cached_property
    def results(self) -> Results:
        """Everything the race found. Raises ``RavineError`` while it is unfinished."""
        if not self.finished:
            raise RavineError(
                f"the race in '{self.folder}' is unfinished ({len(self.stored)} of "
                f"{self.plan.count} runs): go on with 'ravine resume {self.folder}'"
            )
        curves = stages.relevant(self.plan, self.stored)
        judged = verdicts.judge(self.plan, self._rules, curves, step_seconds=self._step_seconds)
        found = Results(self.plan, curves, judged, best=self.best or {}, **self.meta)
        return replace(found, checked=self.checked, confirmed=self.confirmed)

    @property
    def checked(self) -> tuple[Checked, ...]:
        """What came of running the claim again, as often as that was done to the end."""
        return tuple(
            checked(check, self.plan, self.stored)
            for check in self.checks
            if not check.due(self.plan, self.stored)
        )

    @property
    def confirmed(self) -> tuple[Confirmed, ...]:
        """What came of training the winner in other frameworks, as often as that was finished."""
        return tuple(
            confirmed(one, self.plan, self.stored, self._elsewhere)
            for one in self.confirmations
            if one.whole(self.plan, self.stored, self._elsewhere)
        )

    @property
    def unconfirmed(self) -> str | None:
        """The framework of a confirmation that was begun or asked for and is not there yet."""
        there = [one.confirmation for one in self.confirmed]
        begun = [one.framework for one in self.confirmations if one not in there]
        wanted = self.to_confirm
        if wanted and not any(one.framework == wanted for one in self.confirmations):
            begun.append(wanted)
        return begun[0] if begun else None

    @property
    def verdict(self) -> "verdicts.Verdict":
        """Who is faster than gradient descent, and how sure that is; prints as a sentence."""
        return self.results.verdict

    @property
    def winner(self) -> Winner:
        """The rule that is recommended: its standing, and ``model()``, what it trained."""
        standing = vars(self.verdict.recommended)
        return Winner(**standing, folder=self.folder, best=self.best or {}, task=self._task)

    @property
    def code(self) -> dict[str, str]:
        """The line to paste, by framework: what is recommended, as an optimizer.

        ``race.code["keras"]`` is such as ``"keras.optimizers.Adam(learning_rate=0.01)"``; there are
        ``"torch"`` and ``"optax"`` too. Empty where an audit refused to rank.
        """
        return self.results.code

    @property
    def pairwise(self) -> "pd.DataFrame":
        """Any two rules: the speed-up of ``rule`` over ``over``, with an interval.

        All intervals hold together in 95 % of races. Those of the leaderboard are narrower, as they
        compare with one reference alone. NaN, 0 and infinity where nothing is known.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "rule": rule,
                    "over": over,
                    "speedup": speedup.median,
                    "speedup_low": speedup.low,
                    "speedup_high": speedup.high,
                }
                for (over, rule), speedup in self.verdict.pairs.items()
            ]
        )

    @property
    def leaderboard(self) -> "pd.DataFrame":
        """A row a rule, best first."""
        return self.results.leaderboard()

    def curves(self) -> "pd.DataFrame":
        """Every measurement: rule, learning_rate, seed, stage, step, metric, split, value."""
        return self.results.frame()

    def crosscheck(self, framework: str, *, seeds: int = 3, progress: bool = True) -> Confirmed:
        """Train the winner and gradient descent by ``model.fit``: see ``ravine.crosscheck``.

        The race's pages, ``race.confirmed`` and ``race.chart("confirmation")`` have it then.
        """
        import ravine  # the verb: whoever has a race has it, though it stands above

        found = ravine.crosscheck(
            *(self.folder, framework),
            seeds=seeds,
            task=None if self._task is None or self._task.name in TASKS else self._task,
            rules=self._own,
            progress=progress,
        )
        self._read()
        return found

    def chart(self, name: str, **options: str) -> Any:
        """An Altair chart, for a page or notebook of your own; it saves as HTML, PNG or SVG too.

        ``"curves"`` and ``"reached"`` take ``by="steps"``, ``"gradients"`` or ``"seconds"``;
        ``"curves"``, ``"tries"`` and ``"training"`` take ``scale="log"`` or ``"linear"``; there
        are ``"sensitivity"``, ``"clocks"`` and ``"targets"`` too, and ``"confirmation"`` once there
        is one. Raises ``InvalidArgument`` for others, and for what the race did not measure.
        """
        return charts.chart(self.results, name, style.LIGHT, **options)

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the report, one HTML file that needs no network; by default into the folder."""
        target = self.folder / "report.html" if path is None else Path(path)
        with replacing(target) as made:
            report.write(self.results, made)
        return target

    def publish(self) -> None:
        """Write everything people and programs read into the folder."""
        _ = self.results  # which says, before anything is touched, if there are none yet
        with locked(self.folder):
            publish_pages(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdict, the leaderboard and the picture."""
        if not self.finished:
            return f"<p>{html.escape(repr(self))}</p>"
        picture = self.folder / "curves.svg"
        if not picture.exists():
            return notebook.page(self.results, charts.svg(self.chart("curves")))
        return notebook.page(self.results, picture)

    def __repr__(self) -> str:
        said = self.verdict if self.finished else f"{len(self.stored)}/{self.plan.count} runs"
        return f"<Race '{self.folder}': {said}>"


def publish_pages(race: Race) -> None:
    """Each page whole or not at all: made aside, and while that place is there, not all are made.

    For whoever holds the lock.
    """
    folder, aside = race.folder, race.folder / WORK
    with using(folder):
        if aside.exists():  # of a race; nothing in it is needed any more
            shutil.rmtree(aside)
        aside.mkdir()
        try:
            (aside / "verdict.json").write_text(race.results.to_json(), encoding="utf-8")
            charts.save(race.chart("curves"), aside / "curves.png", aside / "curves.svg")
            report.write(race.results, aside / "report.html")
            for page in PAGES:
                (aside / page).replace(folder / page)
        finally:
            shutil.rmtree(aside)
