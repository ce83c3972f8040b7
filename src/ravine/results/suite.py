"""What the races of a suite say together."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine.analysis import PerformanceProfile
from ravine.analysis.suite_stats import Across, across
from ravine.errors import RavineError
from ravine.reporting import performance, suite_page
from ravine.reporting.results import Results
from ravine.results.race import Race
from ravine.storage.multi_race_dir import MultiRaceDir
from ravine.storage.store import FILE
from ravine.tasks.names import file_name

if TYPE_CHECKING:
    import pandas as pd

FOLDER = MultiRaceDir("suite", "suite-options.json")


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
