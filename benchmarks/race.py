"""How long ``ravine race`` takes as shipped, from command to report: empty and warm compile cache.

python benchmarks/race.py [REPEATS]; median and range of at least five, the two interleaved.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(folder: Path, cache: Path) -> float:
    """Wall-clock seconds of one race."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "ravine", "race", "--out", str(folder)],
        env={**os.environ, "RAVINE_CACHE": str(cache)},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def main(repeats: int = 5) -> None:
    """Time and print."""
    times: dict[str, list[float]] = {"empty cache": [], "warm cache": []}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(repeats):
            cache = Path(folder) / f"cache-{i}"
            for name, taken in times.items():
                taken.append(seconds(Path(folder) / f"{name}-{i}", cache))
                print(f"{name}: {taken[-1]:.1f} s", flush=True)
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name}: median {middle:.1f} s, {min(taken):.1f} to {max(taken):.1f}, n={repeats}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
