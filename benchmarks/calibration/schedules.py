"""What one learning rate for all lengths of a schedule costs, against one tuned for each length.

``python -m benchmarks.calibration.schedules digits-mlp:cosine --out FILE``. Rates are chosen on the
validation data of all seeds, the one for all lengths by the time to the targets of a race; where
runs end is compared on their test data.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.calibration.curves import Curves, file_of, of
from benchmarks.calibration.races import TEST, VALIDATION

from ravine.experiment.endpoint import band, mean_log_time, times_to


def cost(curves: Curves) -> dict[str, Any]:
    """By rule: the rate for all lengths, the best of each, and how much higher the one ends."""
    lowest, reference = curves.lowest(), next(iter(curves.rates))
    ends = {rule: _ends(curves, rule) for rule in curves.rates}
    whole = ends[reference][VALIDATION, :, :, -1].mean(axis=1)
    low = lowest[reference][VALIDATION, int(whole.argmin())]
    targets = band(low, float(np.median(low, axis=0)[-1]), 1)
    found = {}
    for rule, own in ends.items():
        times = [_time(low, targets, curves) for low in lowest[rule][VALIDATION]]
        one = int(np.argmin(times))
        each = own[VALIDATION].mean(axis=1).argmin(axis=0)  # the best rate of each length
        own_rate = own[TEST][each, :, np.arange(len(each))]
        over = np.exp(np.log(own[TEST, one].T / own_rate).mean(axis=1))
        found[rule] = {
            "one_rate": float(curves.rates[rule][one]),
            "rates_by_length": [float(curves.rates[rule][k]) for k in each],
            "loss_over_that_of_the_lengths_own_rate": [round(float(x), 3) for x in over],
        }
    seeds = curves.losses[reference].shape[1]
    most = max(max(one["loss_over_that_of_the_lengths_own_rate"]) for one in found.values())
    return {
        "lengths": curves.lengths,
        "seeds": seeds,
        "rules": found,
        "ends_higher_by_at_most": round(most - 1, 4),
    }


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
        found[task.replace(":", "_")] = cost(Curves.load(path))
    text = json.dumps(found, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
