"""How many finished segments a second a driver sustains, and what a segment carries.

python benchmarks/scale.py [--repetitions 40] [--seeds 20] [--workers 1000] [--width 4] [--burst
16]: a race whose workers are simulated (``crowd.py``), but for them as shipped: the pool with a
seat for each, the queue, the stopping of hopeless runs, the display that watches, SQLite with its
fsync, checkpoints that are deleted.

--messages: the real sizes of jobs, answers and checkpoints, of the task that is raced by default
and of the largest network that needs no download.
"""

import argparse
import os
import pickle
import resource
import tempfile
import time
from pathlib import Path

import cloudpickle
from crowd import Crowd, plan_of

from ravine.analysis import stages
from ravine.execution.engine_worker import EngineWorker
from ravine.execution.pool import Pool
from ravine.execution.scheduler import Scheduler
from ravine.experiment.config import choose
from ravine.experiment.plan import make_plan
from ravine.reporting.live.display import Display
from ravine.rules import RULES
from ravine.storage import payload
from ravine.storage.store import FILE, WORK, Store
from ravine.storage.work_files import checkpoint_file, program_file
from ravine.tasks import find

TASKS = ("digits-mlp", "text-transformer")
CHECKPOINTS = f"{WORK}/checkpoint-*"
EVERY = 10  # seconds between two lines


class Log:
    """Prints how it goes, now and then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.crowd: Crowd | None = None
        self._before = (time.perf_counter(), 0.0, time.process_time(), 0.0, 0)
        print("| segments | a second | the driver alone | its CPU, ms a segment ", end="")
        print("| memory | race.sqlite | checkpoints |")
        print("|---:|---:|---:|---:|---:|---:|---:|")

    def __call__(self, segments: int) -> None:
        """One more round."""
        assert self.crowd is not None
        clocks = time.perf_counter(), self.crowd.seconds, time.process_time(), self.crowd.cpu
        now = (*clocks, segments)
        wall, away, cpu, away_cpu, done = (a - b for a, b in zip(now, self._before, strict=True))
        if wall < EVERY or not done:
            return
        self._before = now
        stored = sum(file.stat().st_size for file in self._folder.glob(f"{FILE}*"))
        print(
            f"| {segments:,} | {done / wall:,.0f} | {done / (wall - away):,.0f} "
            f"| {1e3 * (cpu - away_cpu) / done:.2f} | {resident():.0f} MB "
            f"| {stored / 1e6:,.0f} MB | {len(list(self._folder.glob(CHECKPOINTS))):,} |",
            flush=True,
        )


def resident() -> float:
    """Megabytes of this process that are in memory now."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:  # not Linux: the most there ever were
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def sustained(given: argparse.Namespace) -> None:
    """One race, with a line every ten seconds."""
    plan = plan_of(given.repetitions, given.seeds, given.width)
    print(f"{plan.count:,} runs of {plan.steps:,} steps, {given.workers:,} simulated workers")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "race"
        store = Store.create(folder, {"plan": plan.to_json()})
        (folder / WORK).mkdir()
        log = Log(folder)
        crowd = log.crowd = Crowd(given.workers, folder / WORK, given.burst, log)
        display = Display(shown=False)
        display.planned(plan, [])
        rules = {name: RULES[name]() for name in plan.choices.rules}
        driver = Scheduler(Pool(crowd), rules, display, folder)
        began, cpu = time.perf_counter(), time.process_time()
        driver.run(plan, store, stages)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu - crowd.cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        size = (folder / FILE).stat().st_size
        store.close()
    n, own = crowd.answered, wall - crowd.seconds
    print(
        f"\n{n:,} segments in {wall:.1f} s, {crowd.seconds:.1f} of them in making answers up: "
        f"{n / wall:,.0f} a second, {n / own:,.0f} by the driver alone, {1e3 * cpu / n:.2f} ms of "
        f"CPU each. The driver stored for {driver.profile.stored:.1f} s. Memory at most "
        f"{peak:.0f} MB, race.sqlite {size / n:,.0f} bytes a segment. At work at once were at most "
        f"{crowd.most:,}"
    )


def messages() -> None:
    """What goes to a worker and comes back, of real jobs: Adam's first two segments."""
    print("| task | parameters | lanes | steps | segments | job | answer | checkpoint of a run |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in TASKS:
        task = find(name)
        choices, rules = choose(task, [RULES["adam"]()], None, 3, 12, None, None)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            packed = payload.pack(folder, payload.Payload(task, rules))
            bench = EngineWorker(str(folder), packed)
            plan = make_plan(choices, rules, bench.do("describe", {}))
            runs = [run for run in plan.tuning() if run.rule == "adam"][: plan.width]
            rule = cloudpickle.dumps(rules["adam"])
            program = program_file("adam", plan.width)
            bench.do("draw", {"seeds": sorted({run.seed for run in runs})})
            bench.do("trace", {"rule": rule, "program": program, "plan": plan})
            job = {"plan": plan, "program": program, "rule": rule, "runs": runs, "segment": 0}
            answer = bench.do("advance", job)
            kept = (folder / checkpoint_file(runs[0], 1)).stat().st_size
        sizes = (len(pickle.dumps(("advance", job))), len(pickle.dumps(("done", answer))), kept)
        print(
            f"| `{name}` | {plan.facts.parameters:,} | {plan.width} | {plan.steps:,} "
            f"| {len(plan.cuts(runs[0]))} | "
            + " | ".join(f"{size / 1e3:.1f} kB" for size in sizes)
            + " |",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=20, help="in tuning, of a repetition")
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--width", type=int, default=4, help="runs of a pack")
    parser.add_argument("--burst", type=int, default=16, help="answers between two looks")
    parser.add_argument("--messages", action="store_true")
    given = parser.parse_args()
    messages() if given.messages else sustained(given)


if __name__ == "__main__":
    main()
