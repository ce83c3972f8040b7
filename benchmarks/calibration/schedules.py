"""What one learning rate for all lengths of a schedule costs, against one tuned for each length.

``python -m benchmarks.calibration.schedules digits-mlp:cosine --out FILE``. Rates are chosen on the
validation data of all seeds and compared on their test data; times are to the targets of a race.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.calibration.curves import Curves, file_of, of
from benchmarks.calibration.races import TEST, VALIDATION

from ravine.racing.endpoint import band, joined, mean_log_time, times_to


def cost(curves: Curves) -> dict[str, Any]:
    """By rule: how many times as long one rate takes, and which rates are best by length."""
    lowest, ends = curves.lowest(), {r: _ends(curves, r) for r in curves.rates}
    reference = next(iter(curves.rates))
    place = int(np.nanargmin(ends[reference][VALIDATION, :, :, -1].mean(axis=1)))
    targets = {
        split: band(low, float(np.median(low, axis=0)[-1]), 1)
        for split in (VALIDATION, TEST)
        for low in [lowest[reference][split, place]]
    }
    found = {}
    for rule, own in ends.items():
        times = [_time(low, targets[VALIDATION], curves) for low in lowest[rule][VALIDATION]]
        one = _time(lowest[rule][TEST, int(np.argmin(times))], targets[TEST], curves)
        each = own[VALIDATION].mean(axis=1).argmin(axis=0)  # the best rate of each length
        picked = own[TEST][each, :, np.arange(len(each))].T
        tuned = np.stack(
            [
                joined(dict(zip(curves.lengths, row, strict=True)), curves.evaluations)
                for row in picked
            ]
        )
        found[rule] = {
            "one_rate": float(curves.rates[rule][int(np.argmin(times))]),
            "rates_by_length": [float(curves.rates[rule][k]) for k in each],
            "times_as_long": round(math.exp(one - _time(tuned, targets[TEST], curves)), 3),
        }
    return {"lengths": curves.lengths, "seeds": picked.shape[0], "rules": found}


def _ends(curves: Curves, rule: str) -> Any:
    """(splits, rates, seeds, lengths), infinite where a run diverged."""
    losses = np.moveaxis(curves.losses[rule], -1, 0)
    ends = losses[..., 1:]
    return np.where(np.isfinite(ends) & (ends <= losses[..., :1]), ends, np.inf)


def _time(lowest: Any, targets: Any, curves: Curves) -> float:
    return float(mean_log_time(times_to(lowest, targets), curves.evaluations).mean())


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--curves", type=Path, default=Path("build/calibration"))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    asked.curves.mkdir(parents=True, exist_ok=True)
    found = {}
    for task in asked.tasks:
        path = asked.curves / file_of(task)
        if not path.exists():
            of(task).save(path)
        found[task] = cost(Curves.load(path))
    text = json.dumps(found, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
