"""What the worker that has Keras makes for all: the data, initial weights, traced programs."""

from collections import deque
from collections.abc import Sequence, Set
from pathlib import Path

from ravine.execution.job import Job
from ravine.experiment.plan import Plan
from ravine.storage.work_files import DATA, program_file, weights_file
from ravine.tasks.adapters.variables import Variable

SAID = {
    "describe": "building the model",
    "draw": "drawing initial weights",
    "trace": "tracing the rules",
}


class Artifacts:
    """The files in a race's work folder, and the jobs that make those that are missing."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._jobs: deque[Job] = deque()
        self._makers: dict[str, Job] = {}  # which job makes a file
        self._missing: set[str] = set()  # files that a job is yet to make
        self.hopeless: dict[str, str] = {}  # programs that cannot be traced, and why not

    @property
    def missing(self) -> Set[str]:
        """The files that are still to be made."""
        return self._missing

    def describe(self, variables: Sequence[Variable] = ()) -> None:
        """Have the model built and the data loaded, and the model's variables compared."""
        self._makers[DATA] = Job("describe", {"variables": tuple(variables)})
        self._make(DATA)  # even if it is there: whoever goes on asks whether it is still the same

    def draw(self, seed: int) -> None:
        """Have the initial weights of a seed."""
        self._need(weights_file(seed), Job("draw", {"seeds": [seed]}))

    def trace(self, rule: str, pickled: bytes, plan: Plan) -> None:
        """Have a rule's programs of the plan's width."""
        program = program_file(rule, plan.width)
        self._need(program, Job("trace", {"rule": pickled, "program": program, "plan": plan}))

    def next(self) -> Job | None:
        """The job to be done now."""
        return self._jobs.popleft() if self._jobs else None

    def made(self, job: Job) -> list[str]:
        """A job is done: what it made."""
        files = _files(job)
        self._missing.difference_update(files)
        return files

    def again(self, job: Job) -> None:
        """A job is to be done once more, first of all."""
        self._jobs.appendleft(job)

    def give_up(self, job: Job, why: str) -> None:
        """A program cannot be traced; its runs fail when their turn comes.

        By then it may be known that others work.
        """
        program = job.arguments["program"]
        self.hopeless[program] = why
        self._missing.discard(program)

    def known(self, file: str) -> bool:
        """Whether a job could make a file: a checkpoint is made by none."""
        return file in self._makers

    def remake(self, file: str) -> None:
        """A file proved torn: first of all it is made again, if a job can make it."""
        if file in self._makers and file not in self._missing:
            self.again(self._makers[file])
            self._missing.add(file)

    def _need(self, file: str, maker: Job) -> None:
        """Have a file made now; or, if it is there from before, once it proves torn."""
        if file not in self._makers:
            self._makers[file] = maker
            if not (self._work / file).exists():
                self._make(file)

    def _make(self, file: str) -> None:
        self._jobs.append(self._makers[file])
        self._missing.add(file)


def _files(job: Job) -> list[str]:
    """What a job makes."""
    if job.name == "describe":
        return [DATA]
    if job.name == "trace":
        return [job.arguments["program"]]
    return [weights_file(seed) for seed in job.arguments["seeds"]]
