"""The winner of a race, and its trained model, which lies in the race's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravine.analysis import VALIDATION, RuleResult, diverged_at
from ravine.errors import InvalidArgument, RavineError
from ravine.experiment.curve import Curve
from ravine.reporting.results import Results
from ravine.tasks import TASKS
from ravine.tasks.saved import FILES, open_saved
from ravine.tasks.task import Task


@dataclass(frozen=True)
class Winner(RuleResult):
    """The standing of the rule with the largest speed-up, and what its best run has learned."""

    folder: Path
    best: Mapping[str, Any]  # see ``kept``
    task: Task | None

    def __repr__(self) -> str:
        rate = f"learning_rate={self.learning_rate:g}"
        return f"<Winner {self.rule}, {rate}: {self.best.get('file') or 'no model kept'}>"

    @property
    def path(self) -> Path:
        """The file of the trained model. Raises ``RavineError`` where there is none."""
        file = self.best.get("file")
        if file not in FILES:
            why = self.best.get("note") or "it was raced by a ravine that kept none"
            raise RavineError(f"the race in '{self.folder}' has no model to open: {why}")
        return self.folder / str(file)

    def model(self, *, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The trained Keras model, on the backend that Keras has in this process.

        Of the winner's evaluation runs it is the one that ended with the lowest validation loss, as
        it was after its last step; the test data had no say. It is not compiled: ``compile`` it
        with whatever is to be done. ``custom_objects``: classes of your own by name, for a race
        that was opened from its folder; files are opened in Keras's safe mode. Of a pair of JAX
        functions it is the parameters. Raises ``InvalidArgument`` where a file cannot be opened so.

        Example::

            race = ravine.race(make_model, (x, y), loss="mse")
            race.winner.model().predict(x_new)
        """
        path = self.path
        if not path.exists():
            raise InvalidArgument(f"'{path}' is not there any more")
        task = self.task or TASKS.get(self.best["task"])
        return open_saved(path, custom_objects) if task is None else task.opened(path)


def best_run(results: Results) -> Curve | None:
    """Which of the winner's evaluation runs is kept: that of the lowest validation loss in the end.

    What a user trains on with is the best model there is; chosen on validation data, it leaves its
    own test loss unbiased by the choice. None if nobody leads or no run of the winner is finite.
    """
    if results.verdict.refused:
        return None
    rule = results.verdict.recommended.rule
    fresh = [c for c in results.curves if c.run.stage == "evaluation" and c.run.rule == rule]
    whole = [c for c in fresh if not c.failure and diverged_at(c, VALIDATION) is None]
    return min(whole, key=lambda c: float(c.measures[-1, VALIDATION, 0]), default=None)
