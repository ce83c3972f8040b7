"""A race of levers in its folder: what was found, and the pages that show it."""

import json
import math
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine.analysis import RuleResult
from ravine.errors import RavineError
from ravine.reporting import ablation_page
from ravine.reporting.ablation_results import Told, told
from ravine.reporting.results import Results
from ravine.results.race import Race
from ravine.storage.multi_race_dir import MultiRaceDir, publish
from ravine.storage.race_dir import locked, replacing
from ravine.storage.store import FILE
from ravine.tasks import levers as axes

if TYPE_CHECKING:
    import pandas as pd

FOLDER = MultiRaceDir("race of levers", "levers-options.json")
TRIED_OUT = "levers-tryouts.json"  # what the variants are like, before they are raced


class Ablation:
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
        text = (self.folder / TRIED_OUT).read_text(encoding="utf-8")
        values = {axes.spelled(c): c for c in self.combinations if axes.spelled(c) in self.races}
        shown = {
            name: {lever: axes.shown(value) for lever, value in c.items()}
            for name, c in values.items()
        }
        levers = {lever: tuple(map(axes.shown, each)) for lever, each in self.vary.items()}
        return told(self.asked["task"], levers, shown, self.results, json.loads(text))

    @property
    def verdict(self) -> Told:
        """Which lever matters how much, and who is first; prints as a sentence."""
        return self.told

    @property
    def winner(self) -> RuleResult:
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
        return ablation_page.chart(self.told, name)

    def to_json(self) -> str:
        """``levers.json``."""
        return ablation_page.to_json(self.told, self.asked)

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the page, one HTML file; by default into the folder, beside the races it names."""
        target = self.folder / "levers.html" if path is None else Path(path)
        with replacing(target) as made:
            ablation_page.write(self.told, made)
        return target

    def publish(self) -> None:
        """Write everything people and programs read into the folder."""
        with locked(self.folder):
            publish(self.folder, self.write)

    def write(self, folder: Path) -> None:
        """Write what people and programs read into a folder."""
        (folder / "levers.json").write_text(self.to_json(), encoding="utf-8")
        self.report(folder / "levers.html")
        ablation_page.save(self.told, folder)

    @property
    def results(self) -> dict[str, Results]:
        """What each race found, by combination."""
        return {name: race.results for name, race in self.races.items()}

    def __repr__(self) -> str:
        done = sum(race.finished for race in self.races.values())
        said = self.verdict if self.finished else f"{done}/{len(self.combinations)} races"
        return f"<Ablation '{self.folder}': {said}>"
