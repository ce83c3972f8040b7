"""How long a step of each rule takes: warm, in turn, in several rounds, no run beside it."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from ravine.execution.artifacts import Artifacts
from ravine.execution.engine_worker import CorruptFile
from ravine.execution.job import Job
from ravine.experiment.cost import ROUNDS
from ravine.experiment.plan import FIRST_SEED, Plan
from ravine.storage.work_files import program_file


class StepTimer:
    """A source of jobs, all for worker 0: nobody else works meanwhile."""

    def __init__(self, plan: Plan, rules: Mapping[str, bytes], artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._seconds: dict[str, list[float]] = {}
        artifacts.draw(FIRST_SEED["tuning"])
        for rule in plan.choices.rules:
            artifacts.trace(rule, rules[rule], plan)
        self._jobs: deque[Job] = deque()
        for rule in [*plan.choices.rules] * ROUNDS:
            run = plan.run("tuning", rule, plan.choices.trials(rule)[0], 0)
            arguments = {"plan": plan, "rule": rules[rule], "run": run}
            arguments["program"] = program_file(rule, plan.width)
            self._jobs.append(Job("pace", arguments, kind=rule))

    @property
    def seconds(self) -> dict[str, list[float]]:
        """By rule, those that could be timed in every round: what each round gave."""
        return {rule: times for rule, times in self._seconds.items() if len(times) == ROUNDS}

    def next_job(self, worker: int) -> Job | None:
        """See ``pool.Source``."""
        if worker:
            return None
        if (job := self._artifacts.next()) is not None:
            return job
        while self._jobs and self._jobs[0].arguments["program"] in self._artifacts.hopeless:
            self._jobs.popleft()
        return self._jobs.popleft() if self._jobs else None

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        if isinstance(answer, CorruptFile):  # a race mends that; here it only means not to know
            self.on_failure(worker, job, answer.file)
        elif job.name == "pace":
            self._seconds.setdefault(job.kind, []).append(answer)
        else:
            self._artifacts.made(job)

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``: then nobody knows, and the race goes on without."""
        if job.name != "pace":
            self._artifacts.again(job)  # for the race, which says what to do about it
        self._jobs.clear()
        self._seconds.clear()

    def on_idle(self) -> None:
        """See ``pool.Source``. There is nothing else to do."""
