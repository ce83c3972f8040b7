"""The trained model of a race's winner, put into the race's folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ravine.analysis import TEST, VALIDATION
from ravine.errors import RavineError
from ravine.execution.scheduler import Scheduler
from ravine.reporting.results import Results
from ravine.results.best_model import best_run
from ravine.storage.store import BEST, WORK, Store
from ravine.tasks.saved import FILES


def kept(results: Results, folder: Path, driver: Scheduler, store: Store) -> str:
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
