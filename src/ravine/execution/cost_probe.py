"""What a race costs on this machine, from trying a little of it before the plan is settled."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Any

from ravine.cache import cache_folder
from ravine.execution import memory
from ravine.execution.engine_worker import CorruptFile
from ravine.execution.job import Job
from ravine.execution.pool import Pool
from ravine.execution.timing import Rehearsed
from ravine.experiment.cost import Cost
from ravine.experiment.plan import FIRST_SEED, Plan
from ravine.storage.work_files import program_file, weights_file


def rehearsed(
    plan: Plan,
    rules: Mapping[str, bytes],
    pool: Pool,
    work: Path,
    doing: Callable[[int, str], None],
) -> Cost | None:
    """What the race costs; ``rules`` are pickled. None where a worker died over it."""
    doing(0, "timing what the race will take")
    rehearsal = CostProbe(plan, rules, work)
    pool.work(rehearsal)
    return rehearsal.cost(len(pool))


def publishing() -> float:
    """Seconds that writing a race's pages took when it was last done here; 0 before the first."""
    with suppress(OSError, ValueError):
        return float(_published().read_text(encoding="ascii"))
    return 0.0


def published(seconds: float) -> None:
    """Remember how long the pages took."""
    with suppress(OSError):  # not to be remembered costs nothing but a better guess
        _published().parent.mkdir(parents=True, exist_ok=True)
        _published().write_text(f"{seconds:.3f}", encoding="ascii")


def _published() -> Path:
    return cache_folder() / "publishing-seconds"


class CostProbe:
    """A source of jobs: the first and the last rule's programs are traced, compiled and timed.

    At the same time, if there are two workers, as the cores will be busy in the race too.
    """

    def __init__(self, plan: Plan, rules: Mapping[str, bytes], work: Path) -> None:
        self._plan = plan
        self._handed: dict[int, float] = {}
        self._traced: list[float] = []
        self._drawn = self._keras = 0.0
        self._found: list[Rehearsed] = []
        self._lost = False
        self._keras_jobs: deque[Job] = deque()  # for worker 0
        self._timing: deque[Job] = deque()
        seed = FIRST_SEED["tuning"]
        if not (work / weights_file(seed)).exists():
            self._keras_jobs.append(Job("draw", {"seeds": [seed]}))
        for name in dict.fromkeys((plan.choices.rules[0], plan.choices.rules[-1])):
            same = {"plan": plan, "rule": rules[name], "program": program_file(name, plan.width)}
            self._keras_jobs.append(Job("trace", same, kind=name))

    def cost(self, workers: int) -> Cost | None:
        """What was found, if all of it was."""
        if self._lost or not self._found:
            return None
        return Cost(
            workers=workers,
            step=fmean(found.step for found in self._found),
            around=max(found.around for found in self._found),
            drawing=self._drawn,
            tracing=fmean(self._traced) if self._traced else 0.0,
            compiling=max(found.compiling for found in self._found),
            pacing=fmean(found.pacing for found in self._found),
            worker_bytes=max(found.peak for found in self._found),
            grown_bytes=max(found.grown for found in self._found),
            keras_bytes=self._keras,
            driver_bytes=memory.peak(),
            publishing=publishing(),
        )

    def next_job(self, worker: int) -> Job | None:
        """See ``pool.Source``."""
        self._handed[worker] = time.monotonic()
        if worker == 0 and self._keras_jobs:
            return self._keras_jobs.popleft()
        return self._timing.popleft() if self._timing else None

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        took = time.monotonic() - self._handed[worker]
        if isinstance(answer, CorruptFile):
            self.on_failure(worker, job, f"'{answer.file}' is damaged")
        elif job.name == "trace":
            self._traced.append(took)
            self._keras = answer
            trial = self._plan.choices.trials(job.kind)[0]
            run = self._plan.run("tuning", job.kind, trial, 0)
            arguments = {**job.arguments, "run": run}
            self._timing.append(Job("rehearse", arguments, f"rehearse {job.kind}"))
        elif job.name == "draw":
            self._drawn = took
        else:
            self._found.append(answer)

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``: then it is not known what the race costs."""
        self._lost = True
        self._keras_jobs.clear()
        self._timing.clear()

    def on_idle(self) -> None:
        """See ``pool.Source``. There is nothing else to do."""
