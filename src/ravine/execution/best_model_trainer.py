"""One run once more, from its first step to its last, so that its model can be kept.

The weights of all runs would fill disks; on one program the same run gives the same bits.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ravine.execution.artifacts import Artifacts
from ravine.execution.engine_worker import CorruptFile
from ravine.execution.job import Job
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan
from ravine.storage.store import SPLITS
from ravine.storage.work_files import program_file
from ravine.tasks.saved import Saved


class Kept(NamedTuple):
    """What is in the work folder."""

    saved: Saved
    same: bool  # whether every loss and measurement came out as it was before, to the last bit


class BestModelTrainer:
    """A source of jobs, all for worker 0, the one that has the model."""

    def __init__(self, plan: Plan, rule: bytes, curve: Curve, artifacts: Artifacts) -> None:
        self._plan, self._rule, self._curve, self._artifacts = plan, rule, curve, artifacts
        self._program = program_file(curve.run.rule, plan.width)
        self._segment = 0
        self._losses: list[Any] = []
        self._measures: list[Any] = []
        self.kept: Kept | None = None
        self.why = ""
        artifacts.draw(curve.run.seed)
        artifacts.trace(curve.run.rule, rule, plan)

    def next_job(self, worker: int) -> Job | None:
        """See ``pool.Source``."""
        if worker or self.kept or self.why:
            return None
        if (job := self._artifacts.next()) is not None:
            return job
        if why := self._artifacts.hopeless.get(self._program):
            self.why = why
            return None
        run, plan, rule = self._curve.run, self._plan, self._rule
        if self._segment == len(plan.cuts(run)):
            return Job("save", {"plan": plan, "rule": rule, "run": run})
        arguments = {"plan": plan, "rule": rule, "runs": [run], "segment": self._segment}
        arguments |= {"program": self._program, "keep": True}
        return Job("advance", arguments, kind=self._program)

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        if isinstance(answer, CorruptFile):  # a race mends that; here it only means not to have it
            self.why = f"'{answer.file}' was damaged"
        elif job.name == "advance":
            self._segment += 1
            self._losses += answer.losses
            self._measures += [measured[:, :SPLITS] for measured in answer.measures]
        elif job.name == "save":
            self.kept = Kept(answer, self._same())
        else:
            self._artifacts.made(job)

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``: the race is over, and goes without."""
        self.why = f"the worker died: {why}"

    def on_idle(self) -> None:
        """See ``pool.Source``. There is nothing else to do."""

    def _same(self) -> bool:
        pairs: Sequence[tuple[Any, Any]] = (
            (self._losses, self._curve.losses),
            (self._measures, self._curve.measures[1:]),
        )
        return all(np.concatenate(ours).tobytes() == then.tobytes() for ours, then in pairs)
