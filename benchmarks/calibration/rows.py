"""How often an interval holds for other test rows, where the split is given.

``python -m benchmarks.calibration.rows digits-mlp --splits 24 --out FILE``. Each split of the rows
is given to a race of its own, of a few rules at one learning rate each. What all splits say is
taken for the truth: how many of the intervals, one at a time, hold it, by seeds alone and with
half-samples of the test rows too?
"""

import argparse
import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ravine
from ravine.analysis.comparing import TOLERANCE, Tuned, compare, shared
from ravine.analysis.repetitions import repeated
from ravine.analysis.statistics import half_sample_variance
from ravine.execution import session
from ravine.experiment.configuration import Configuration
from ravine.tasks import find
from ravine.tasks.task import Data, Split

RULES = {"sgd": 0.5, "adam": 0.005, "nadam": 0.005, "rmsprop": 0.003}
REFERENCE, SEEDS, ALPHA = "sgd", 12, 0.05
WAYS = {"seeds alone": 1, "rows too": None}  # how much of what is known of a comparison is used


def raced(name: str, seed: int) -> dict[str, NDArray[np.float64]]:
    """Differences of log times to the reference's, (1 + halves, seeds), of a race on one split."""
    task = find(name)
    load: Any = task.load
    rows = [np.concatenate(part) for part in zip(*load(), strict=True)]
    data = Data(*(Split(*(part[at] for part in rows)) for at in load.places(seed)))
    session.publish_pages = lambda race: None  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as place:
        race = ravine.race(
            replace(task, name=f"{name}-{seed}", load=lambda: data),
            rules=list(RULES),
            learning_rates={rule: [rate] for rule, rate in RULES.items()},
            tuning_seeds=1,
            eval_seeds=SEEDS,
            looks=False,
            reference=REFERENCE,
            progress=False,
            out=Path(place) / "race",
        )
        evaluated = repeated(race.plan, race.stored).each[0].evaluated
    assert evaluated is not None
    found = {}
    for rule in RULES:
        if rule != REFERENCE:
            logs = evaluated.logs(REFERENCE, rule)
            found[rule] = shared(*(next(iter(logs[r].values())) for r in (REFERENCE, rule)))
    return found


def summary(splits: list[dict[str, NDArray[np.float64]]]) -> dict[str, Any]:
    """Of each rule the spread between splits and its two parts, and how many intervals hold."""
    said: dict[str, Any] = {}
    for rule in splits[0]:
        every = [split[rule] for split in splits]
        middles = np.array([one[0].mean() for one in every])
        said[rule] = {
            "speedup": math.exp(middles.mean()),
            "sd_between_splits": float(middles.std(ddof=1)),
            "sd_by_seeds": math.sqrt(np.mean([one[0].var(ddof=1) / one.shape[1] for one in every])),
            "sd_by_rows": math.sqrt(
                np.mean([half_sample_variance(one.mean(axis=1)) for one in every])
            ),
            "held": {way: _held(every, middles.mean(), count) for way, count in WAYS.items()},
        }
    each = {way: [own["held"][way] for own in said.values()] for way in WAYS}
    return {"splits": len(splits), "held": {w: float(np.mean(e)) for w, e in each.items()}} | said


def _held(every: list[NDArray[np.float64]], truth: float, count: int | None) -> float:
    """The share of the splits whose interval, without what it adds for rates, holds the truth."""
    one = Configuration(1.0)
    tuned = Tuned({"a": one, "b": one}, {"a": (one,), "b": (one,)})
    held = 0
    for logs in every:
        part = logs[:count]
        found = compare({one: part}, {one: np.zeros_like(part)}, tuned, ("a", "b"), ALPHA)
        held += found.low + TOLERANCE <= truth <= found.high - TOLERANCE
    return held / len(every)


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task")
    parser.add_argument("--splits", type=int, default=24)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found = []
    for seed in range(1, asked.splits + 1):
        found.append(raced(asked.task, seed))
        print(
            seed, {rule: round(logs[0].mean(), 3) for rule, logs in found[-1].items()}, flush=True
        )
    text = json.dumps({"task": asked.task, **summary(found)}, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
