"""The driver of a race: keeps the queue, hands out the work, alone writes to the store."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import cloudpickle
import numpy as np

from ravine.errors import RavineError
from ravine.racing.jobs import (
    DATA,
    PARTIAL,
    Advanced,
    Torn,
    checkpoint_file,
    program_file,
    weights_file,
)
from ravine.racing.packs import RETRIES, Pack, packed
from ravine.racing.plan import FIRST_SEED, REFERENCE_SEEDS, Facts, Plan, Run, scheduled
from ravine.racing.pool import Job, Pool
from ravine.racing.store import WORK, Curve, Store
from ravine.update_rule import Rule

__all__ = ["WORK", "Driver", "Watcher"]  # WORK: for ``api``, which makes and clears that folder
REPAIRS = 3  # of one file; more, and the disk is at fault


class Watcher(Protocol):
    """Who is told how the race goes."""

    def doing(self, worker: int, what: str) -> None:
        """A worker took something up; empty when it has nothing to do."""

    def finished(self, run: Run, measures: Any) -> None:
        """A run is stored: its measurements, (evaluations, splits, measures)."""

    def trouble(self, what: str) -> None:
        """Something went wrong and was dealt with."""


class Driver:
    """One race being run; a source of jobs for the pool."""

    def __init__(self, pool: Pool, rules: Mapping[str, Rule], watcher: Watcher) -> None:
        self._pool = pool
        self._listed = rules
        self._rules: dict[str, bytes] = {}
        self._watcher = watcher
        self._keras: deque[Job] = deque()  # for worker 0, the one that has Keras
        self._makers: dict[str, Job] = {}  # which of those makes a file
        self._missing: set[str] = set()  # files that a job is yet to make
        self._hopeless: dict[str, str] = {}  # programs that cannot be traced, and why not
        self._troubles: Counter[str] = Counter()  # of jobs and files
        self._packs: deque[Pack] = deque()
        self._running: dict[int, Pack] = {}
        self._compiled: dict[int, set[str]] = {}
        self._proven = False  # whether this machine could do anything
        self._facts: Facts | None = None
        self._plan: Plan | None = None
        self._store: Store | None = None

    def describe(self) -> Facts:
        """What the task's model and data are."""
        self._order(Job("describe", {}), [DATA])
        self._pool.work(self)
        assert self._facts is not None
        return self._facts

    def run(
        self,
        plan: Plan,
        store: Store,
        choose: Callable[[Plan, Sequence[Curve]], Mapping[str, float]],
    ) -> None:
        """Tune, choose, judge. What is stored already is not run again."""
        self._plan, self._store = plan, store
        self._proven = bool(store.segments_done())
        for torn in self._work.glob(f"*{PARTIAL}"):
            torn.unlink(missing_ok=True)
        for name, rule in self._listed.items():
            raced = scheduled(rule, plan.choices.schedule, plan.steps)
            self._rules[name] = cloudpickle.dumps(raced)
        seeds = {
            "tuning": plan.choices.seeds,
            "reference": REFERENCE_SEEDS,
            "fresh": plan.choices.fresh_seeds,
        }
        drawn = {
            stage: [FIRST_SEED[stage] + i for i in range(count)] for stage, count in seeds.items()
        }
        self._draw(drawn["tuning"])
        for name in plan.choices.rules:
            self._trace(name, plan.width)
        # Last: the other workers have runs to go on with by then.
        self._draw(drawn["reference"] + drawn["fresh"])
        self._race(plan.tuning())
        self._race(plan.judging(choose(plan, store.curves())))

    def take(self, worker: int) -> Job | None:
        """See ``pool.Source``."""
        if worker == 0 and self._keras:
            job = self._keras.popleft()
            self._watcher.doing(worker, _SAID[job.name])
            return job
        pack = self._next_pack(worker)
        if pack is None:
            self._watcher.doing(worker, "")
            return None
        self._packs.remove(pack)
        self._running[worker] = pack
        compiled = self._compiled.setdefault(worker, set())
        program = program_file(pack.rule, pack.width)
        verb = "training" if program in compiled else "compiling and training"
        compiled.add(program)
        self._watcher.doing(worker, f"{verb} {pack.rule}")
        arguments = {
            "plan": replace(self._settled, width=pack.width),
            "program": program,
            "rule": self._rules[pack.rule],
            "runs": pack.runs,
            "segment": pack.segment,
        }
        return Job("advance", arguments, kind=program)

    def done(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        if isinstance(answer, Torn):
            self._repair(answer.file, job, self._running.pop(worker, None))
        elif job.name == "advance":
            self._keep(self._running.pop(worker), answer)
        else:
            self._missing -= {file for file, maker in self._makers.items() if maker is job}
            if job.name == "describe":
                self._facts = answer

    def lost(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``."""
        self._compiled.pop(worker, None)
        if job.name == "advance":
            self._try_again(self._running.pop(worker), why)
            return
        self._troubles[repr(job)] += 1
        if self._troubles[repr(job)] <= RETRIES:
            self._keras.appendleft(job)
            return
        said = f"'{job.name}' ended its worker {RETRIES + 1} times: {why}"
        if job.name != "trace":
            raise RavineError(said)
        # Its packs fail when their turn comes: by then it may be known that others work.
        self._hopeless[job.arguments["program"]] = said
        self._missing.discard(job.arguments["program"])

    @property
    def _settled(self) -> Plan:
        assert self._plan is not None
        return self._plan

    @property
    def _kept(self) -> Store:
        assert self._store is not None
        return self._store

    @property
    def _work(self) -> Path:
        return self._kept.folder / WORK

    def _order(self, job: Job, files: Sequence[str]) -> None:
        self._keras.append(job)
        self._makers |= dict.fromkeys(files, job)
        self._missing |= set(files)

    def _draw(self, seeds: Sequence[int]) -> None:
        self._order(Job("draw", {"seeds": seeds}), [weights_file(seed) for seed in seeds])

    def _trace(self, rule: str, width: int) -> None:
        program = program_file(rule, width)
        plan = replace(self._settled, width=width)
        job = Job("trace", {"rule": self._rules[rule], "program": program, "plan": plan})
        if program not in self._makers:
            self._order(job, [program])

    def _race(self, runs: Sequence[Run]) -> None:
        plan, store = self._settled, self._kept
        done, narrowed, failed = store.segments_done(), store.narrowed(), store.failed()
        for rule in plan.choices.rules:
            own = [run for run in runs if run.rule == rule]
            for pack in packed(own, plan.width, narrowed):
                segment = min(done.get(run.id, 0) for run in pack.runs)
                if segment == plan.segments or any(run.id in failed for run in pack.runs):
                    continue
                self._trace(rule, pack.width)
                kept = self._work / checkpoint_file(pack.runs, pack.width, segment)
                self._packs.append(replace(pack, segment=segment if kept.exists() else 0))
        self._pool.work(self)
        for pack in list(self._packs):  # those whose program cannot be traced
            self._packs.remove(pack)
            self._fail(pack, self._hopeless[program_file(pack.rule, pack.width)])

    def _next_pack(self, worker: int) -> Pack | None:
        """Rather what this worker has compiled, then what nobody has: each compiles its share."""
        mine = self._compiled.get(worker, set())
        theirs = set().union(*self._compiled.values())

        def order(pack: Pack) -> tuple[bool, bool]:
            program = program_file(pack.rule, pack.width)
            return program not in mine, program in theirs

        return min(filter(self._ready, self._packs), key=order, default=None)

    def _ready(self, pack: Pack) -> bool:
        program = program_file(pack.rule, pack.width)
        needed = {DATA, program} | {weights_file(run.seed) for run in pack.runs}
        return program not in self._hopeless and needed.isdisjoint(self._missing)

    def _keep(self, pack: Pack, answer: Advanced) -> None:
        plan, store = self._settled, self._kept
        self._proven = True
        if answer.begun is not None:
            for run, begun in zip(pack.runs, answer.begun, strict=True):
                store.begin(run, *begun)
        store.add(
            (run.id, pack.segment, losses, measures)
            for run, losses, measures in zip(pack.runs, answer.losses, answer.measures, strict=True)
        )
        (self._work / checkpoint_file(pack.runs, pack.width, pack.segment)).unlink(missing_ok=True)
        if pack.segment + 1 < plan.segments:
            self._packs.appendleft(replace(pack, segment=pack.segment + 1, deaths=0))
            return
        for run, measures in zip(pack.runs, answer.measures, strict=True):
            self._watcher.finished(run, measures)

    def _repair(self, file: str, job: Job, pack: Pack | None) -> None:
        """Have a torn file made again, then do the job that needs it."""
        self._troubles[file] += 1
        if self._troubles[file] > REPAIRS:
            raise RavineError(f"'{file}' is damaged again and again: is the disk failing?")
        if pack is None:
            self._keras.appendleft(job)
        else:
            maker = self._makers.get(file)
            # A checkpoint is made by nobody else: what it came from is done again.
            self._packs.append(pack if maker else replace(pack, segment=0))
        if (maker := self._makers.get(file)) is not None and file not in self._missing:
            self._keras.appendleft(maker)
            self._missing |= {name for name, other in self._makers.items() if other is maker}
        self._watcher.trouble(f"'{file}' was damaged; it is made again")

    def _try_again(self, pack: Pack, why: str) -> None:
        """After the death of its worker. Last in the queue: what works goes first."""
        again = pack.after_death()
        if not again:
            self._fail(pack, f"its worker died {RETRIES + 1} times: {why}")
            return
        said = f"a worker at {pack.rule} died; its {len(pack.runs)} runs are tried again"
        if again[0].width < pack.width:
            said += f" with {again[0].width} lanes instead of {pack.width}"
            self._kept.narrow(pack.runs, again[0].width)
            self._trace(pack.rule, again[0].width)
        self._watcher.trouble(f"{said}: {why.splitlines()[0]}")
        self._packs.extend(again)

    def _fail(self, pack: Pack, why: str) -> None:
        if not self._proven:  # a machine that can do nothing says nothing about rules
            raise RavineError(f"no run could be done; of {pack.rule}, {why}")
        self._kept.fail(pack.runs, pack.width, why)
        self._watcher.trouble(f"{len(pack.runs)} runs of {pack.rule} failed: {why}")
        nothing = np.full((self._settled.evaluations, 2, len(self._settled.facts.measures)), np.nan)
        for run in pack.runs:
            self._watcher.finished(run, nothing)


_SAID = {
    "describe": "building the model",
    "draw": "drawing initial weights",
    "trace": "tracing the rules",
}
