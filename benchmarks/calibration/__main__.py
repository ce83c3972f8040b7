"""How often a verdict errs: ``python -m benchmarks.calibration TASK … --races 2000``.

The curves of a task are run once and kept (``--curves DIR``); ``synthetic`` is a formula.
"""

import argparse
import json
from pathlib import Path

from benchmarks.calibration import curves
from benchmarks.calibration.races import Sampler, Settings, summary


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--races", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=curves.SEEDS)
    parser.add_argument("--curves", type=Path, default=Path("build/calibration"))
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    asked.curves.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in asked.settings.items()}
    )
    found = {}
    for task in asked.tasks:
        path = asked.curves / f"{task}.npz"
        if not path.exists():
            curves.of(task, asked.seeds).save(path)
        held = curves.Curves.load(path)
        found[task] = {
            name: summary(Sampler(held, equal, settings), asked.races)
            for name, equal in (("as they are", False), ("all equal", True))
        }
        print(task, json.dumps(found[task], indent=1), flush=True)
        if asked.out:
            asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
