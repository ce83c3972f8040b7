"""How long ``ravine race`` takes as shipped, from command to report; and the same sweep elsewhere.

python benchmarks/race.py [--repeats 5] [--trials 3] [--only keras-tuner-jax,...] [--store FILE]

The race: with an empty and with a warm cache, the two interleaved; median and range.

The sweep: all its runs, as many steps and evaluations each, as trials of KerasTuner and of Optuna
over Keras's ``fit`` and native optimizers. ``--trials`` of each rule are measured and extrapolated:
a rule's first trial in a process compiles, the others take what the others took. A process a core,
pinned, each with a search of its own over half of the trials, so that neither waits for the other.
KerasTuner has a model built for every trial; Optuna's objective keeps each rule's compiled model.
``steps_per_execution`` is a whole period, the most there can be; on TensorFlow with XLA and without
it; what JAX compiled is kept on disk, as ravine keeps it. ravine stops hopeless runs early and so
has fewer steps to do: how many, it says itself. ``--store`` writes what was found as JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from peers.fleet import Fleet, Way
from peers.setting import CORES, Setting, Subject, Trial

import ravine
from ravine.storage.provenance import machine, versions
from ravine.tasks import find
from ravine.training.batches import batch_rows

GOALS = {"empty cache": 30.0, "warm cache": 20.0}  # seconds
TASK = "digits-mlp"


class Sweep(NamedTuple):
    """A tool over a backend, and the ways to run it."""

    text: str
    tool: str
    backend: str
    xla: tuple[bool, ...]


SWEEPS = {
    f"{tool}-{backend}": Sweep(f"{text} over Keras fit on {said}", tool, backend, xla)
    for tool, text in (("keras-tuner", "KerasTuner"), ("optuna", "Optuna"))
    for backend, said, xla in (("tensorflow", "TensorFlow", (True, False)), ("jax", "JAX", (True,)))
}


def seconds(folder: Path, cache: Path) -> float:
    """Wall-clock seconds of one race."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "ravine", "race", TASK, "--out", str(folder)],
        env={**os.environ, "RAVINE_CACHE": str(cache)},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def races(repeats: int, folder: Path) -> dict[str, list[float]]:
    """Time them and print: their seconds, in each state of the cache."""
    times: dict[str, list[float]] = {name: [] for name in GOALS}
    for i in range(repeats):
        for name, taken in times.items():
            taken.append(seconds(folder / f"{name}-{i}", folder / f"cache-{i}"))
            print(f"{name}: {taken[-1]:.1f} s", flush=True)
    for name, taken in times.items():
        middle, goal = statistics.median(taken), GOALS[name]
        spread = f"{min(taken):.1f} to {max(taken):.1f}, n={repeats}"
        print(f"{name}: median {middle:.1f} s, {spread}; goal {goal:g} s", flush=True)
    return times


def setting(plan: Any, seeds: Sequence[int]) -> Setting:
    """The data of the race, and the batches of some seeds."""
    train, validation, test = find(TASK).load()
    batch = plan.choices.batch_size
    rows = {seed: batch_rows(seed, len(train.x), batch, plan.steps) for seed in seeds}
    splits = [tuple(validation), tuple(test)]
    return Setting(Subject(TASK), plan.period, tuple(train), splits, {}, {}, rows)


def sweep(
    asked: Sweep, xla: bool, plan: Any, runs: Mapping[str, int], trials: int, cache: Path
) -> tuple[float, int]:
    """Seconds that all runs of the race would take, and of how many trials that is known."""
    rates = plan.choices.learning_rates
    # From the middle of the range, where nothing diverges; a whole rule to a process.
    sample = [
        Trial(rule, rates[rule][len(rates[rule]) // 2 + i % 3 - 1], i // 3)
        for rule in plan.choices.rules
        for i in range(trials)
    ]
    environment = {
        "KERAS_BACKEND": asked.backend,
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    options = {"tool": asked.tool, "steps_per_execution": plan.period, "jit": xla}
    began = time.perf_counter()
    fleet = Fleet(Way(asked.text, "sweep", options, environment, chunk=0), setting(plan, range(3)))
    total = time.perf_counter() - began  # once a process
    try:
        _, took = fleet.train(sample)
    finally:
        fleet.close()
    for rule, count in runs.items():
        mine = [t for trial, t in took.items() if trial.rule == rule]
        first = [t.seconds for t in mine if t.first]
        later = [t.seconds for t in mine if not t.first] or first
        total += statistics.mean(first)
        total += (count / len(CORES) - 1) * statistics.mean(later)
    return total, len(sample)


def _others() -> dict[str, str]:
    """Versions of what the sweeps ran with, where it is installed."""
    found = {}
    for name in ("tensorflow", "tensorflow-cpu", "keras-tuner", "optuna"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def main() -> None:
    """Time and print. Exit code 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="of the race")
    parser.add_argument(
        "--trials", type=int, default=3, choices=range(2, 10), help="measured of each rule"
    )
    parser.add_argument("--only", help="sweeps, by name: " + ", ".join(SWEEPS))
    parser.add_argument("--store", type=Path, help="a file for what was found, as JSON")
    given = parser.parse_args()
    sweeps: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        times = races(given.repeats, folder)
        found = ravine.Race.open(folder / "warm cache-0").results
        plan, runs = found.plan, Counter(curve.run.rule for curve in found.curves)
        said = f"{runs.total()} runs of {plan.steps} steps, evaluated every {plan.period}"
        print(f"{said}; ravine stopped {found.stopped} early, {found.saved:.0%} of all steps")
        for name in given.only.split(",") if given.only else SWEEPS:
            asked = SWEEPS[name]
            for xla in asked.xla:
                said = f"{asked.text}{'' if xla else ', no XLA'}"
                try:
                    total, known = sweep(asked, xla, plan, runs, given.trials, folder / name)
                except RuntimeError as error:  # not installed
                    print(f"{said}: {str(error).strip().splitlines()[-1]}", flush=True)
                    continue
                sweeps.append({"sweep": said, "seconds": total, "trials": known})
                print(f"{said}: {total:.0f} s, extrapolated from {known} trials", flush=True)
    if given.store:
        stored = {
            "command": f"python benchmarks/race.py --repeats {given.repeats} "
            f"--trials {given.trials}" + (f" --only {given.only}" if given.only else ""),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": machine(),
            "versions": versions() | _others(),
            "race": {"runs": runs.total(), "steps": plan.steps, "steps_saved": found.saved},
            "seconds": [
                {"cache": name, "median": statistics.median(taken), "each": taken}
                for name, taken in times.items()
            ],
            "sweeps": sweeps,
        }
        given.store.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    raise SystemExit(any(statistics.median(t) > GOALS[name] for name, t in times.items()))


if __name__ == "__main__":
    main()
