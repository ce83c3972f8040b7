"""ravine's engine as shipped: its plan, its pool, its workers, its programs."""

import dataclasses
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from peers.setting import CORES, EPSILON, RATE, Curve, Setting, Subject, task
from ravine.execution.job import Job
from ravine.execution.pool import Pool
from ravine.execution.worker_backend import Local, WorkerBackend
from ravine.experiment.config import choose
from ravine.experiment.configuration import Configuration
from ravine.experiment.plan import Plan, Run, TaskInfo, make_plan
from ravine.rules import RULES, Adam
from ravine.storage import payload
from ravine.storage.work_files import DATA, weights_file
from ravine.training.batches import batch_rows

PROGRAM = "program-adam.npz"
STAGE = "evaluation"  # the one in which no run is ever cut short


class Ours:
    """A race's workers without its store: what is timed is segments of lanes on all cores.

    ``count``: runs that there are weights for, unless given a full program a core. ``period``,
    ``steps`` and ``lanes`` are the plan's unless given. ``cuts``: into how many segments a run is
    cut, unless as the plan has it; ``crew``: who works, by default a process a core.
    """

    def __init__(
        self,
        subject: Subject,
        count: int | None = None,
        period: int | None = None,
        steps: int | None = None,
        lanes: int | None = None,
        cuts: int | None = None,
        backend: Callable[[Mapping[str, Any]], WorkerBackend] = lambda bench: Local(None, bench),
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        made, rule = task(subject), Adam()
        assert rule.epsilon == EPSILON
        packed = payload.pack(folder, payload.Payload(made, {}))
        self._pool = Pool(backend({"folder": str(folder), "digest": packed}))
        self._jobs: deque[Job] = deque()
        self._facts: TaskInfo | None = None
        self._curves: dict[int, Curve] = {}
        self._parts: dict[int, list[Any]] = {}
        self._rule = cloudpickle.dumps(rule)
        self._do(Job("describe", {}))
        assert self._facts is not None
        choices, rules = choose(made, [kind() for kind in RULES.values()], None, 3, 12, None, None)
        plan = make_plan(choices, rules, self._facts)
        if period or steps:
            period = period or plan.period
            evaluations = (steps or plan.steps) // period
            steps = evaluations * period
            plan = dataclasses.replace(plan, steps=steps, period=period, segment=evaluations)
        if cuts is not None:
            plan = dataclasses.replace(plan, segment=-(-plan.evaluations // cuts))
        self.plan: Plan = dataclasses.replace(plan, width=lanes or plan.width)
        count = count or len(CORES) * self.plan.width
        self._do(Job("draw", {"seeds": list(range(count))}))
        arguments = {"rule": self._rule, "program": PROGRAM, "plan": self.plan}
        self._do(Job("trace", arguments))
        for _ in range(2):  # a worker that compiled first may have taken the other's share
            self.train(range(min(count, 2 * len(CORES) * self.plan.width)))
        self.setting: Setting = self._setting(folder, subject, count)

    def train(self, seeds: Sequence[int]) -> tuple[float, dict[int, Curve]]:
        """Seconds from the first segment handed out to the last one received; the curves."""
        runs = [self.plan.run(STAGE, Adam.name, Configuration(RATE), seed) for seed in seeds]
        width = self.plan.width
        self._curves = {}
        packs = [runs[i : i + width] for i in range(0, len(runs), width)]
        began = time.perf_counter()
        self._do(*(self._advance(pack, 0) for pack in packs))
        return time.perf_counter() - began, self._curves

    def close(self) -> None:
        """End the workers."""
        self._pool.close()
        self._folder.cleanup()

    def next_job(self, worker: int) -> Job | None:
        """See ``pool.Source``. Keras is in worker 0 alone."""
        if not self._jobs or (worker and self._jobs[0].name != "advance"):
            return None
        return self._jobs.popleft()

    def on_idle(self) -> None:
        """See ``pool.Source``. Nothing is put off: there is no store."""

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        if job.name == "describe":
            self._facts = answer
        if job.name != "advance":
            return
        runs, segment = job.arguments["runs"], job.arguments["segment"]
        for run, losses, measures in zip(runs, answer.losses, answer.measures, strict=True):
            self._parts.setdefault(run.seed, []).append((losses, measures[..., 0]))
        if segment + 1 < len(self.plan.cuts(runs[0])):
            self._jobs.appendleft(self._advance(runs, segment + 1))
            return
        for run in runs:
            parts = self._parts.pop(run.seed)
            self._curves[run.seed] = Curve(*map(np.concatenate, zip(*parts, strict=True)))

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``."""
        raise RuntimeError(f"worker {worker} died over '{job.name}': {why}")

    def _do(self, *jobs: Job) -> None:
        self._jobs.extend(jobs)
        self._pool.work(self)

    def _advance(self, runs: list[Run], segment: int) -> Job:
        given = {"plan": self.plan, "program": PROGRAM, "rule": self._rule}
        return Job("advance", {**given, "runs": runs, "segment": segment})

    def _setting(self, folder: Path, subject: Subject, count: int) -> Setting:
        """What the workers drew, for the others to use."""
        plan, batch = self.plan, self.plan.choices.batch_size
        with np.load(folder / DATA) as data:
            split = {
                name: (data[f"{name}_x.0"], data[f"{name}_y.0"])
                for name in ("train", "validation", "test")
            }
        weights, states = {}, {}
        for seed in range(count):
            with np.load(folder / weights_file(seed)) as drawn:  # in the order of the model
                weights[seed], states[seed] = (
                    [drawn[name] for name in drawn.files if name.startswith(kind)]
                    for kind in ("trainable.", "state.")
                )
        rows = {
            seed: batch_rows(seed, len(split["train"][0]), batch, plan.steps)
            for seed in range(count)
        }
        held_out = [split["validation"], split["test"]]
        return Setting(subject, plan.period, split["train"], held_out, weights, states, rows)
