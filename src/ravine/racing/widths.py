"""How many lanes a program has: what was fastest here, found by timing and remembered.

Known before it is tried: on a CPU one lane is best for large steps, a few for small ones, and many
for steps so small that calling them costs more than their arithmetic; on a GPU the more the better
until it is full.
"""

import json
import math
import os
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ravine.cache import cache_folder
from ravine.racing import provenance
from ravine.racing.engines import GPU
from ravine.racing.identity import digest
from ravine.racing.jobs import Torn, program_file, weights_file
from ravine.racing.plan import FIRST_SEED, LONE_STEP, REFERENCE_SEEDS, Plan, most_at_once
from ravine.racing.pool import Job, Pool

WIDTHS = (1, 2, 4, 8, 16, 32)
MEMORY = 1 << 23  # lanes × parameters × 16 bytes: more lanes than this holds are not tried
GPU_WIDTHS = (1, 8, 16, 32, 64, 128, 256, 512)
GPU_MEMORY = 1 << 32
WORTH = 15.0  # seconds of one core that a race must take before a search pays
RATE = 2e10  # operations a second of one core, about
CALL = 1e-5  # seconds that a step takes at least, about
GAIN = 0.97  # of the time so far: what more lanes must come below for still more to be tried


def fitted(
    plan: Plan, rule: bytes, pool: Pool, work: Path, doing: Callable[[int, str], None]
) -> Plan:
    """The plan with the width to use; ``rule`` is one of its rules, pickled, that stands for all.

    Measured here if the race is long enough for that to pay, and not measured before.
    """
    kept = _kept(plan, pool.place.machine)
    with suppress(OSError, ValueError):
        known = {int(w): s for w, s in json.loads(kept.read_text(encoding="utf-8")).items()}
        return replace(plan, width=best(plan, known))
    seconds = max(CALL, plan.operations / RATE) * plan.steps * plan.count
    if seconds < WORTH or len(_candidates(plan)) == 1:
        return plan
    doing(0, "timing how many lanes are fastest")
    search = Search(plan, rule, work)
    pool.work(search)
    if not search.seconds:
        return plan
    with suppress(OSError):  # not to be remembered costs time, nothing else
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(search.seconds), encoding="utf-8")
        partial.replace(kept)
    return replace(plan, width=best(plan, search.seconds))


def best(plan: Plan, seconds: Mapping[int, float]) -> int:
    """The width with which all runs of the race take least, unused lanes included.

    ``seconds`` gives, by width, what a step of all lanes takes.
    """
    choices = plan.choices
    packs = [len(rates) * choices.seeds for rates in choices.learning_rates.values()]
    packs += [choices.fresh_seeds] * len(choices.rules) + [REFERENCE_SEEDS]
    return min(seconds, key=lambda w: (sum(math.ceil(runs / w) for runs in packs) * seconds[w], w))


class Search:
    """A source of jobs: times two widths at once, the next two if they gained anything."""

    def __init__(self, plan: Plan, rule: bytes, work: Path) -> None:
        self.seconds: dict[int, float] = {}
        self._plan = plan
        self._rule = rule
        seed = FIRST_SEED["tuning"]
        self._keras: deque[Job] = deque()  # for worker 0
        self._jobs: deque[Job] = deque()
        if not (work / weights_file(seed)).exists():
            self._keras.append(Job("draw", {"seeds": [seed]}))
        name = plan.choices.rules[-1]
        self._run = plan.run("tuning", name, plan.choices.learning_rates[name][0], 0)
        self._untried = _candidates(plan)
        self._waiting = 0
        self._next_two()

    def take(self, worker: int) -> Job | None:
        """See ``pool.Source``."""
        if worker == 0 and self._keras:
            return self._keras.popleft()
        return self._jobs.popleft() if self._jobs else None

    def done(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        if isinstance(answer, Torn):
            self.lost(worker, job, answer.file)
        elif job.name == "trace":
            plan = job.arguments["plan"]
            same = {k: job.arguments[k] for k in ("plan", "rule", "program")}
            self._jobs.append(Job("time", {**same, "run": self._run}, f"time {plan.width}"))
        elif job.name == "time":
            width = job.arguments["plan"].width
            self.seconds[width] = answer
            self._tried()

    def lost(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``: so many lanes are too many."""
        self._untried = []
        if job.name != "draw":
            self._tried()

    def handed_out(self) -> None:
        """See ``pool.Source``. There is nothing else to do."""

    def _next_two(self) -> None:
        two, self._untried = self._untried[:2], self._untried[2:]
        self._waiting = len(two)
        for width in two:
            plan = replace(self._plan, width=width)
            program = program_file(self._run.rule, width)
            arguments = {"rule": self._rule, "program": program, "plan": plan}
            self._keras.append(Job("trace", arguments))

    def _tried(self) -> None:
        self._waiting -= 1
        if self._waiting:
            return
        each = {width: seconds / width for width, seconds in self.seconds.items()}
        last = sorted(each)[-2:]
        before = [each[width] for width in each if width not in last]
        if not before or min(each[width] for width in last) < GAIN * min(before):
            self._next_two()


def _candidates(plan: Plan) -> list[int]:
    if not plan.facts.lanes:
        return [1]
    size = 16 * max(1, plan.facts.parameters)
    if plan.facts.engine == GPU:
        most = most_at_once(plan.choices)
        return [w for w in GPU_WIDTHS if w == 1 or (w <= most and w * size <= GPU_MEMORY)]
    # Large steps gain nothing by company; whatever else the machine does must not say they do.
    most = 2 if plan.operations > LONE_STEP else WIDTHS[-1]
    return [w for w in WIDTHS if w == 1 or (w <= most and w * size <= MEMORY)]


def _kept(plan: Plan, machine: Mapping[str, Any]) -> Path:
    """Where what was measured is remembered: by task, batch, machine and versions."""
    decisive = [plan.facts, plan.choices.batch_size, plan.period, plan.segment]
    decisive.append(_candidates(plan))
    decisive += [machine, provenance.versions(plan.facts.engine)]
    return cache_folder() / "widths" / f"{digest(decisive)[:32]}.json"
