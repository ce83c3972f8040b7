"""The winner of a race, and its trained model, which lies in the race's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravine.errors import RavineError, WrongCall
from ravine.pages.results import Results
from ravine.racing.driver import Driver
from ravine.racing.store import BEST, WORK, Curve, Store
from ravine.tasks import TASKS
from ravine.tasks.saved import FILES, open_saved
from ravine.tasks.task import Task
from ravine.verdict import TEST, VALIDATION, Standing, diverged_at


@dataclass(frozen=True)
class Winner(Standing):
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

        Of the winner's fresh runs it is the one that ended with the lowest validation loss, as it
        was after its last step; the test data had no say. It is not compiled: ``compile`` it with
        whatever is to be done. ``custom_objects``: classes of your own by name, for a race that was
        opened from its folder; files are opened in Keras's safe mode. Of a pair of JAX functions it
        is the parameters. Raises ``WrongCall`` where a file cannot be opened so.

        Example::

            race = ravine.race(make_model, (x, y), loss="mse")
            race.winner.model().predict(x_new)
        """
        path = self.path
        if not path.exists():
            raise WrongCall(f"'{path}' is not there any more")
        task = self.task or TASKS.get(self.best["task"])
        return open_saved(path, custom_objects) if task is None else task.opened(path)


def best_run(results: Results) -> Curve | None:
    """Which of the winner's fresh runs is kept: that of the lowest validation loss in the end.

    What a user trains on with is the best model there is; chosen on validation data, it leaves its
    own test loss unbiased by the choice. None if nobody leads or no run of the winner is finite.
    """
    if results.verdict.refused:
        return None
    rule = results.verdict.recommended.rule
    fresh = [c for c in results.curves if c.run.stage == "fresh" and c.run.rule == rule]
    whole = [c for c in fresh if not c.failure and diverged_at(c, VALIDATION) is None]
    return min(whole, key=lambda c: float(c.measures[-1, VALIDATION, 0]), default=None)


def kept(results: Results, folder: Path, driver: Driver, store: Store) -> str:
    """Have the winner's model in the race's folder, unless it is; a note, if there is one to make.

    What is known of it is stored: ``file`` and the ``run`` that it is of, ``learning_rate`` and
    ``seed``, its measures in the end, ``validation`` and ``test``, and a ``note``.
    """
    curve, before = best_run(results), store.read_meta(BEST) or {}
    if curve is None:
        store.write_meta(BEST, {"file": None, "note": "no run of the winner ended well"})
        return ""
    run = curve.run
    here = before.get("file") in FILES and (folder / before["file"]).exists()
    if before.get("run") == run.id and here:
        return ""
    try:
        done = driver.keep(curve)
    except RavineError as error:  # a race without a model to keep is a race
        done = str(error)
    if isinstance(done, str):
        note = f"the winner's model could not be kept: {done.splitlines()[0]}"
        store.write_meta(BEST, {"file": None, "note": note})
        return note
    file, note = done.saved
    for other in FILES:
        (folder / other).unlink(missing_ok=True)
    (folder / WORK / file).replace(folder / file)
    if not done.same:
        note = f"the model in {file} was trained anew and differs in the last bits. {note}".strip()
    found: dict[str, Any] = {"file": file, "task": results.plan.choices.task, "run": run.id}
    found |= {"learning_rate": run.learning_rate, "seed": run.seed, "note": note}
    names = results.plan.facts.measures
    found |= {
        "validation": _last(names, curve.measures[-1, VALIDATION]),
        "test": _last(names, curve.measures[-1, TEST]),
    }
    store.write_meta(BEST, found)
    return note


def _last(names: Sequence[str], measures: Any) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, measures, strict=True)}
