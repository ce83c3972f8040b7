"""A long race on a Ray cluster of one machine, whose nodes and workers are lost again and again.

python benchmarks/ray_soak.py [--runs 500] [--faults 20] [--seed 0]

The same race first without Ray. Then on a head without CPUs and three nodes, with faults at moments
drawn from the seed, evenly over the race: a node removed without grace and another added, a worker
process or an actor killed, the driver killed and resumed from a copy of its folder elsewhere, with
the first one gone. Every node and process is a real one. In the end all curves are compared.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

import ravine
from ravine.experiment import plan
from ravine.experiment.curve import Curve
from ravine.storage.store import FILE, Store

# Packs of two lanes, runs of four segments.
LANES, ROWS = 2 * 16 * 11, plan.LANES * 32 * 64
DRIVER = """
import sys, ravine
from ravine.experiment import plan
plan.LANE_BYTES, plan.SEGMENT_ROWS = {lanes}, {rows}
folder, address = sys.argv[1:]
if {begin}:
    ravine.race("diabetes-linear", out=folder, ray=address, progress=False, **{options})
else:
    ravine.resume(folder, ray=address, progress=False)
"""
SMALL = {"object_store_memory": 80 << 20}  # bytes
GRACE = 300.0  # seconds in which something must have been stored


def main() -> None:
    """Race twice and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    seeds = asked.runs // 8
    options = {"rules": ["adam"], "learning_rates": [0.03, 1.0], "epochs": 30}
    options |= {"tuning_seeds": seeds, "eval_seeds": (asked.runs - 10 - 4 * seeds + 1) // 2}
    with tempfile.TemporaryDirectory() as place:
        plan.LANE_BYTES, plan.SEGMENT_ROWS = LANES, ROWS
        alone = Path(place, "alone")
        began = time.monotonic()
        race = ravine.race("diabetes-linear", out=alone, progress=False, **options)
        print(f"{race.plan.count} runs without Ray: {time.monotonic() - began:.0f} s", flush=True)
        expected = stored(alone)
        total = segments(alone)
        began = time.monotonic()
        folder, faults = soak(Path(place), options, total, asked.faults, asked.seed)
        print(
            f"{race.plan.count} runs, {total} segments of a run, on three nodes with "
            f"{sum(faults.values())} faults: {time.monotonic() - began:.0f} s"
        )
        for name, count in faults.items():
            print(f"  {count} × {name}")
        compare(stored(folder), expected)


def soak(
    place: Path, options: dict[str, Any], total: int, count: int, seed: int
) -> tuple[Path, Counter[str]]:
    """Where the race is in the end, and what it went through."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {"num_cpus": 0, "include_dashboard": False, **SMALL}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(3):
        cluster.add_node(num_cpus=1, **SMALL)
    draw = np.random.default_rng(seed)
    folder = place / "race-0"
    driver = begin(folder, cluster.address, options)
    faults: Counter[str] = Counter()

    def node() -> str:
        nodes = cluster.worker_nodes
        gone = sorted(nodes, key=lambda n: str(n.node_id))[draw.integers(len(nodes))]
        cluster.remove_node(gone, allow_graceful=False)
        cluster.add_node(num_cpus=1, **SMALL)
        return "a node removed without grace, another added"

    def process() -> str:
        pids = processes(cluster.address)
        os.kill(int(draw.choice(pids)), signal.SIGKILL)
        return "a worker process killed"

    def actor() -> str:
        pid = int(draw.choice(processes(cluster.address)))
        os.kill(parent(pid), signal.SIGKILL)
        return "an actor killed"

    def elsewhere() -> str:
        nonlocal folder, driver
        driver.kill()
        driver.wait()
        copy = folder.with_name(f"race-{faults.total() + 1}")
        shutil.copytree(folder, copy)
        shutil.rmtree(folder)
        folder = copy
        driver = begin(folder, cluster.address, options)
        return "the driver killed, resumed elsewhere"

    kinds: list[Callable[[], str]] = [node, process, actor, elsewhere]
    order = [kinds[i % len(kinds)] for i in range(count)]
    draw.shuffle(order)  # type: ignore[arg-type]
    moments = sorted(draw.integers(1, int(0.9 * total), count))
    try:
        for moment, fault in zip(moments, order, strict=True):
            wait(folder, moment, driver)
            while fault in (process, actor) and not processes(cluster.address):
                wait(folder, segments(folder) + 1, driver)
            said = fault()
            faults[said] += 1
            print(f"  after {segments(folder)} of {total} segments: {said}", flush=True)
        if code := driver.wait(timeout=3600):
            raise SystemExit(f"the driver ended with {code}")
    finally:
        driver.kill()
        cluster.shutdown()
    return folder, faults


def begin(folder: Path, address: str, options: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """A driver."""
    fresh = not (folder / FILE).exists()
    code = DRIVER.format(lanes=LANES, rows=ROWS, begin=fresh, options=options)
    return subprocess.Popen([sys.executable, "-c", code, str(folder), address])


def wait(folder: Path, count: int, driver: "subprocess.Popen[bytes]") -> None:
    """Until so many segments are stored."""
    before, since = -1, time.monotonic()
    while (now := segments(folder)) < count:
        if now != before:
            before, since = now, time.monotonic()
        if driver.poll() is not None or time.monotonic() - since > GRACE:
            raise SystemExit(f"stuck at {now} segments; driver: {driver.poll()}")
        time.sleep(0.02)


def processes(address: str) -> list[int]:
    """Workers on the nodes of the cluster there: children of actors, which are Ray's children."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            node = parent(parent(int(place.name)))
            began_by = Path(f"/proc/{node}/cmdline").read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        if b"ravine.execution.worker" in words and address in began_by:
            found.append(int(place.name))
    return sorted(found)


def parent(pid: int) -> int:
    """Whose child a process is."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def segments(folder: Path) -> int:
    """How many are stored."""
    if not (folder / FILE).exists():
        return 0
    with closing(Store(folder, reading=True)) as store:
        return sum(store.segments_done().values())


def stored(folder: Path) -> list[Curve]:
    """All curves."""
    with closing(Store(folder, reading=True)) as store:
        return store.curves()


def compare(ours: list[Curve], theirs: list[Curve]) -> None:
    """Say whether they are the same, to the last bit."""
    same = len(ours) == len(theirs) and all(
        a.run == b.run
        and a.losses.tobytes() == b.losses.tobytes()
        and a.measures.tobytes() == b.measures.tobytes()
        for a, b in zip(ours, theirs, strict=True)
    )
    narrowed = sum(bool(curve.narrowed) for curve in ours)
    failed = sum(bool(curve.failure) for curve in ours)
    said = "the same to the last bit" if same else "NOT the same"
    print(f"{len(ours)} curves: {said}; {failed} failed, {narrowed} with fewer lanes")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
