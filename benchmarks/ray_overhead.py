"""What Ray costs: the same runs by workers of this machine and by actors on it, and by Ray Tune.

python benchmarks/ray_overhead.py [--runs 300] [--rounds 5] [--cuts 1,10] [--tune-rounds 0]

Two workers either way, one a core, every program compiled beforehand; what is timed is from the
first segment that is handed out to the last that is back and, if more follow, durable. Once with a
run in one segment, as the plan has it, and once cut into ten, each with a checkpoint that travels:
the difference by segments is what one costs. The ways take turns; median and range of the rounds.

``--tune-rounds``: the same sweep as trials of Ray Tune. Its trainable is the fastest of the peers,
a run as one jitted scan of JAX and Optax, pinned to a core as ours, compiled once an actor, the
actors reused; a trial is told its seed and reports its last validation loss.
"""

import argparse
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from peers.ours import Ours
from peers.setting import CORES, Setting, Subject

from ravine.execution.ray_backend import connected
from ravine.execution.worker_backend import WorkerBackend, told
from ravine.experiment.configuration import Configuration
from ravine.storage.provenance import machine, versions

SUBJECT = Subject("digits-mlp")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lanes", type=int, default=4)
    parser.add_argument("--cuts", default="1,10")
    parser.add_argument("--tune-rounds", type=int, default=0)
    asked = parser.parse_args()
    count = len(CORES)
    print(machine(), versions(), f"ray {__import__('ray').__version__}", sep="\n", flush=True)
    with connected("local", print) as cluster:

        def actors(workbench: Mapping[str, Any]) -> WorkerBackend:
            return cluster.backend(count, workbench)

        for cuts in map(int, asked.cuts.split(",") if asked.rounds else ()):
            compare(asked.runs, asked.rounds, asked.lanes, cuts, actors)
        if asked.tune_rounds:
            ours = Ours(SUBJECT, asked.runs, lanes=asked.lanes)
            ours.close()
            tune(ours.setting, asked.runs, asked.tune_rounds)


def compare(
    runs: int,
    rounds: int,
    lanes: int,
    cuts: int,
    actors: Callable[[Mapping[str, Any]], WorkerBackend],
) -> None:
    """Local workers and actors, taking turns."""
    local = Ours(SUBJECT, runs, lanes=lanes, cuts=cuts)
    ray = Ours(SUBJECT, runs, lanes=lanes, cuts=cuts, backend=actors)
    try:
        seconds: dict[str, list[float]] = {"local": [], "ray": []}
        for _ in range(rounds):
            (one, curves), (other, theirs) = local.train(range(runs)), ray.train(range(runs))
            assert all(
                curves[seed].losses.tobytes() == theirs[seed].losses.tobytes() for seed in curves
            ), "not the same bits"
            seconds["local"].append(one)
            seconds["ray"].append(other)
    finally:
        local.close()
        ray.close()
    segments = len(
        local.plan.cuts(local.plan.run("evaluation", "adam", Configuration(0.1), 0))
    ) * -(-runs // local.plan.width)
    print(
        f"{runs} runs of {local.plan.steps} steps, {local.plan.width} lanes, "
        f"{segments} segments of a pack, {len(CORES)} workers"
    )
    for name, taken in seconds.items():
        print(f"  {name:6}{said([runs / s for s in taken])} runs a second", flush=True)
    ratios = [a / b for a, b in zip(seconds["local"], seconds["ray"], strict=True)]
    print(f"  throughput against local: {said(ratios)}")
    extra = statistics.median(seconds["ray"]) - statistics.median(seconds["local"])
    print(f"  more a segment: {1e3 * extra * len(CORES) / segments:.2f} ms of a worker")


def tune(setting: Setting, runs: int, rounds: int) -> None:
    """The same runs as trials."""
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    from ray import tune
    from ray.tune.logger import JsonLoggerCallback

    warnings.simplefilter("ignore")
    place = tempfile.mkdtemp()  # which actor has which core; Tune keeps the class of round one
    environment = {k: v for k, v in told("jax").items() if k != "JAX_COMPILATION_CACHE_DIR"}

    class Scan(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any], held: Setting) -> None:
            os.environ.update(environment)
            os.sched_setaffinity(0, {CORES[os.getpid() % len(CORES)]})
            for core in CORES:  # one that no other actor has
                try:
                    self.held = os.open(f"{place}/{core}", os.O_CREAT | os.O_EXCL)
                except FileExistsError:
                    continue
                os.sched_setaffinity(0, {core})
                break
            from peers import jax_scan

            self.train_seeds = jax_scan.prepare(held)
            self.seed = config["seed"]

        def step(self) -> dict[str, Any]:
            (curve,) = self.train_seeds([self.seed])
            return {"loss": float(curve.measures[-1, 0]), "done": True}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.seed = new_config["seed"]
            return True

    taken = []
    for _ in range(rounds):
        for file in Path(place).iterdir():
            file.unlink()
        with tempfile.TemporaryDirectory() as storage:
            began = time.perf_counter()
            found = tune.Tuner(
                tune.with_parameters(Scan, held=setting),
                param_space={"seed": tune.grid_search(list(range(runs)))},
                tune_config=tune.TuneConfig(reuse_actors=True, metric="loss", mode="min"),
                run_config=tune.RunConfig(
                    storage_path=storage,
                    verbose=0,
                    callbacks=[JsonLoggerCallback()],
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                ),
            ).fit()
            taken.append(time.perf_counter() - began)
            assert len(found) == runs
            assert not found.errors, found.errors[0]
            print(f"  {runs} trials: {taken[-1]:.1f} s", flush=True)
    print(f"Ray Tune: {said([runs / s for s in taken])} runs a second, starting included")


def said(values: Sequence[float]) -> str:
    """The median and the range."""
    return f"{statistics.median(values):.3g} ({min(values):.3g}–{max(values):.3g})"


if __name__ == "__main__":
    main()
