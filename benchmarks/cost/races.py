"""Whole races, from command to report: their seconds, and the memory of all who take part."""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

SHORT = "one-layer"
FEWEST = 12  # runs that a race can have: one to tune, ten for the target, one to judge


class Footprint(NamedTuple):
    """One race. Peak resident memory in MB."""

    runs: int
    seconds: float
    driver: float
    workers: list[float]  # the one that builds models is the first


def race(task: str, runs: int) -> Footprint:
    """A race of gradient descent in a process of its own; the memory is read while it runs."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, __file__, task, str(runs), folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        peaks: dict[int, float] = {}
        while child.poll() is None:
            for pid in (child.pid, *_children(child.pid)):
                with suppress(OSError, StopIteration):  # gone meanwhile
                    peaks[pid] = _peak(pid)
            time.sleep(0.1)
        seconds = time.perf_counter() - began
        out, err = child.communicate()
    assert child.returncode == 0, err
    assert json.loads(out) == runs
    driver = peaks.pop(child.pid)
    return Footprint(runs, seconds, driver, [peaks[pid] for pid in sorted(peaks)])


def _children(pid: int) -> list[int]:
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, file.read_text().split())
    return found


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def one_layer() -> Any:
    """A task so small that a run costs what runs cost besides the training."""
    from ravine.tasks import find
    from ravine.tasks.task import Data, Split

    def make_model() -> Any:
        import keras

        return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)])

    def load() -> Data:
        return Data(*(Split(x[:256], y[:256]) for x, y in digits.load()))

    digits = find("digits-mlp")
    return dataclasses.replace(digits, name=SHORT, make_model=make_model, load=load, epochs=5)


def main(task: str, runs: str, folder: str) -> None:
    """In the process of its own. The runs are fresh ones, none of which is ever cut short."""
    import ravine

    done = ravine.race(
        one_layer() if task == SHORT else task,
        rules=["sgd"],
        learning_rates=[0.1],
        tuning_seeds=1,
        eval_seeds=int(runs) - FEWEST + 1,
        out=Path(folder) / "race",
        progress=False,
    )
    print(done.results.plan.count)


if __name__ == "__main__":
    main(*sys.argv[1:])
