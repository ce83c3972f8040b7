"""How often a verdict errs: ``python -m benchmarks.calibration TASK … --races 2000 --out FILE``.

The curves of a task are run once and kept (``--curves DIR``); ``synthetic`` is a formula.
"""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.calibration import curves
from benchmarks.calibration.races import Sampler, summary

WAYS = {"as they are": False, "all equal": True}


def simulated(path: Path, way: str, races: int) -> dict[str, Any]:
    """Of one task, in a process of its own."""
    return summary(Sampler(curves.Curves.load(path), WAYS[way]), races)


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--races", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=curves.SEEDS)
    parser.add_argument("--curves", type=Path, default=Path("build/calibration"))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    asked.curves.mkdir(parents=True, exist_ok=True)
    paths = {task: asked.curves / curves.file_of(task) for task in asked.tasks}
    for task, path in paths.items():
        if not path.exists():
            curves.of(task, asked.seeds).save(path)
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        running = {
            (task, way): processes.submit(simulated, path, way, asked.races)
            for task, path in paths.items()
            for way in WAYS
        }
        found = {task: {way: running[task, way].result() for way in WAYS} for task in asked.tasks}
    text = json.dumps({"races": asked.races, "tasks": found}, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
