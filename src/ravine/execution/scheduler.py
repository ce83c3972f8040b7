"""The driver of a race: keeps the queue, hands out the work, alone writes to the store."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from ravine.errors import RavineError
from ravine.execution.artifacts import SAID, Artifacts
from ravine.execution.best_model_trainer import BestModelTrainer, Kept
from ravine.execution.cost_probe import rehearsed
from ravine.execution.engine_worker import Advanced, Begun, Bound, CorruptFile
from ravine.execution.job import Job
from ravine.execution.pool import Pool
from ravine.execution.ready_queue import ReadyQueue
from ravine.execution.roles import ProgressListener, RaceProtocol
from ravine.execution.step_timer import StepTimer
from ravine.execution.worker_backend import Place
from ravine.experiment import pruning
from ravine.experiment.config import scheduled
from ravine.experiment.configuration import Configuration
from ravine.experiment.cost import Cost
from ravine.experiment.curve import Curve
from ravine.experiment.endpoint import Aim
from ravine.experiment.engines import KERAS, EngineChange
from ravine.experiment.plan import Plan, Run, TaskInfo
from ravine.experiment.rungs import RungTracker, group_of
from ravine.rules.update_rule import Rule
from ravine.storage.files import tidy
from ravine.storage.store import STEP_SECONDS, WORK, Store
from ravine.storage.work_files import checkpoint_file, program_file
from ravine.training.profile import Profile
from ravine.training.run_batches import RETRIES, RunBatch, packed

REPAIRS = 3  # of one file; more, and the disk is at fault


class Scheduler:
    """One race being run; a source of jobs for the pool."""

    def __init__(
        self,
        pool: Pool,
        rules: Mapping[str, Rule],
        watcher: ProgressListener,
        folder: Path,
        payload: str = "",
    ) -> None:
        self.payload = payload  # the digest of the pickle that workers have the task from
        self._pool = pool
        self._work = folder / WORK
        self._listed = rules
        self._rules: dict[str, bytes] = {}
        self._watcher = watcher
        self._artifacts = Artifacts(self._work)  # what worker 0 makes, the one that has Keras
        self._troubles: Counter[str] = Counter()  # of jobs and files
        self.profile = Profile(len(pool))
        self._handed: dict[int, float] = {}  # when each worker was given its job
        self._unsaved: list[tuple[RunBatch, Advanced]] = []
        self._turns = ReadyQueue(self._artifacts)
        self._climbs: dict[tuple[str, int], RungTracker] = {}  # of the stage that is being run
        self._aims: Mapping[int, Aim] = {}  # of the repetitions in which rates are stopped
        self._running: dict[int, RunBatch] = {}
        self._proven = False  # whether this machine could do anything
        self._facts: TaskInfo | Bound | None = None
        self._plan: Plan | None = None
        self._store: Store | None = None

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._pool)

    @property
    def place(self) -> Place:
        """Where they are."""
        return self._pool.place

    def describe(self, task: Any = None) -> TaskInfo:
        """What the task's model and data are. Raises ``EngineChange`` for one bound to a framework.

        Of a ``task`` that is given, the model that this process builds is compared with the
        worker's. Raises ``InvalidArgument`` where they differ.
        """
        self._artifacts.describe(getattr(task, "variables", ()))
        self._pool.work(self)
        if isinstance(self._facts, Bound):
            raise EngineChange(KERAS[self._facts.framework], self._facts.why)
        assert self._facts is not None
        for note in self._facts.notes:
            self._watcher.trouble(note)
        return self._facts

    def rehearse(self, plan: Plan) -> Cost | None:
        """What the race costs on this machine; None if a worker died over it."""
        rules = {name: self._pickled(plan, name) for name in plan.choices.rules}
        with self.profile.timing("rehearse"):
            return rehearsed(plan, rules, self._pool, self._work, self._watcher.doing)

    def run(self, plan: Plan, store: Store, course: RaceProtocol) -> None:
        """Do what the protocol says is due until nothing is. What is stored is not run again."""
        self._plan, self._store = plan, store
        self._proven = bool(store.segments_done())
        tidy(self._work)
        self._rules = {name: self._pickled(plan, name) for name in self._listed}
        try:
            while runs := self._due(course):
                tuning = runs[0].stage == "tuning"
                if not tuning:
                    self._time_steps()
                self._race(runs, later=plan.later_seeds() if tuning else ())
        except BaseException:  # interrupted: what is here already is kept
            with suppress(RavineError):
                self._save()
            raise

    def keep(self, curve: Curve) -> Kept | str:
        """The model as a run left it, in the work folder; or why it could not be kept."""
        plan = replace(self._settled, width=curve.narrowed or self._settled.width)
        self._watcher.doing(0, "training the winner's best run once more, to keep the model")
        keeping = BestModelTrainer(plan, self._rules[curve.run.rule], curve, self._artifacts)
        self._pool.work(keeping)
        self._watcher.doing(0, "")
        return keeping.kept or keeping.why

    def _due(self, course: RaceProtocol) -> list[Run]:
        """The runs of the next stage; of the last, if grids are found to be too narrow, wider."""
        store, plan = self._kept, self._settled
        curves = store.curves()
        wider = course.widened(plan, curves)
        if wider != plan:
            store.replan(wider)
            self._plan = wider
            self._watcher.planned(wider, curves)
        self._aims = course.aims(wider, curves)
        return course.due(wider, curves)

    def next_job(self, worker: int) -> Job | None:
        """See ``pool.Source``."""
        self._handed[worker] = time.monotonic()
        if worker == 0 and (job := self._artifacts.next()) is not None:
            self._watcher.doing(worker, SAID[job.name])
            return job
        if (pack := self._turns.next(worker)) is None:
            return None
        self._running[worker] = pack
        program = program_file(pack.rule, pack.width)
        verb = "compiling and training" if self._turns.compiles(worker, program) else "training"
        self._watcher.doing(worker, f"{verb} {pack.rule}")
        arguments = {
            "plan": replace(self._settled, width=pack.width),
            "program": program,
            "rule": self._rules[pack.rule],
            "runs": pack.runs,
            "segment": pack.segment,
        }
        return Job("advance", arguments, kind=program)

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        took = time.monotonic() - self._handed[worker]
        self._watcher.doing(worker, "")
        if isinstance(answer, CorruptFile):
            self._repair(answer.file, job, self._running.pop(worker, None))
        elif job.name == "advance":
            self.profile.segment(job.kind, took, answer.spent)
            self._go_on(self._running.pop(worker), answer)
        else:
            self.profile.job(job.name, took)
            self._turns.made(self._artifacts.made(job))
            if job.name == "describe":
                self._facts = answer

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``."""
        self._watcher.doing(worker, "")
        self._turns.died(worker)
        if job.name == "advance":
            self._try_again(self._running.pop(worker), why)
            return
        self._troubles[repr(job)] += 1
        if self._troubles[repr(job)] <= RETRIES:
            self._artifacts.again(job)
            return
        said = f"'{job.name}' ended its worker {RETRIES + 1} times: {why}"
        if job.name != "trace":
            raise RavineError(said)
        self._artifacts.give_up(job, said)

    def on_idle(self) -> None:
        """See ``pool.Source``: while the workers go on, what they brought is stored."""
        if self._unsaved:
            self._save()

    @property
    def _settled(self) -> Plan:
        assert self._plan is not None
        return self._plan

    @property
    def _kept(self) -> Store:
        assert self._store is not None
        return self._store

    def _pickled(self, plan: Plan, name: str) -> bytes:
        raced = scheduled(self._listed[name], plan.choices.schedule, plan.steps)
        pickled: bytes = cloudpickle.dumps(raced)
        return pickled

    def _trace(self, rule: str, width: int) -> None:
        plan = replace(self._settled, width=width)
        self._artifacts.trace(rule, self._rules[rule], plan)

    def _time_steps(self) -> None:
        """Have a step of every rule timed, once a race."""
        plan, store = self._settled, self._kept
        if set(plan.choices.rules) <= set(store.read_meta(STEP_SECONDS) or {}):
            return
        self._watcher.doing(0, "timing a step of each rule")
        pace = StepTimer(plan, self._rules, self._artifacts)
        with self.profile.timing("pace"):
            self._pool.work(pace)
        self._watcher.doing(0, "")
        store.write_meta(STEP_SECONDS, pace.seconds)

    def _race(self, runs: Sequence[Run], later: Sequence[int] = ()) -> None:
        """Do what is not stored of these runs, and draw the seeds of those that come later."""
        plan, store = self._settled, self._kept
        over, stored = store.failed() | store.stopped(), store.segments_done()
        groups: dict[tuple[str, int], list[Run]] = {}
        for run in runs:
            if run.id not in over:
                groups.setdefault(group_of(run), []).append(run)
        for group, own in groups.items():
            rungs = plan.rungs_of(own[0]) if group[1] in self._aims else ()
            gates = [plan.cuts(own[0]).index(rung) + 1 for rung in rungs]
            done = {run.id: stored[run.id] for run in own if self._can_go_on(run, stored)}
            climb = self._climbs[group] = RungTracker(own, done, gates)
            self._pack([r for r in climb.moving() if climb.done[r.id] < len(plan.cuts(r))])
            self._gather(group)
        if self._turns:  # with runs for the other workers to go on with meanwhile
            for seed in later:
                self._artifacts.draw(seed)
        self._pool.work(self)
        for pack, why in self._turns.hopeless():
            self._fail(pack, why)

    def _can_go_on(self, run: Run, stored: Mapping[str, int]) -> bool:
        done = stored.get(run.id, 0)
        whole = done == len(self._settled.cuts(run))
        return whole or (done > 0 and (self._work / checkpoint_file(run, done)).exists())

    def _pack(self, runs: Sequence[Run], first: bool = False) -> None:
        """Runs of one group are to go on from where they are, before all others or behind them."""
        waiting = []
        done = self._climbs[group_of(runs[0])].done if runs else {}
        for pack in packed(runs, done, self._kept.narrowed(), self._settled.width):
            if pack.segment == 0 or self._settled.facts.anew:
                for run in pack.runs:
                    self._artifacts.draw(run.seed)
            self._trace(pack.rule, pack.width)
            waiting.append(pack)
        self._turns.add(waiting, first)

    def _gather(self, group: tuple[str, int]) -> None:
        """Where the runs of a group have waited for each other: who goes on."""
        climb, store = self._climbs[group], self._kept
        here, deciding = climb.gathered()
        if not here:
            return
        if deciding:
            self._save()
            plan, aim = self._settled, self._aims[group[1]]
            rung = plan.cuts(here[0])[climb.done[here[0].id] - 1]
            losses: dict[Configuration, list[Any]] = {}
            for run, measures in store.measured(here).items():
                falling = aim.of(measures[: rung + 1, 0])
                losses.setdefault(run.configuration, []).append(falling)
            lost = pruning.hopeless(losses, aim.targets, plan.evaluations)
            stopped = [run for run in here if run.configuration in lost]
            store.stop(stopped)
            climb.leave(stopped)
            for run in stopped:
                self._forget(run, climb.done[run.id])
                self._tell_lost(run)
            here = [run for run in here if run.configuration not in lost]
        # Who began goes on before others begin: few checkpoints lie about at any time.
        self._pack(here, first=True)

    def _go_on(self, pack: RunBatch, answer: Advanced) -> None:
        self._unsaved.append((pack, answer))
        group = group_of(pack.runs[0])
        done, climb = pack.segment + 1, self._climbs[group]
        steps = self._settled.cuts(pack.runs[0])[pack.segment] * self._settled.period
        self._watcher.advanced(pack.runs, pack.segment, steps, answer.from_before())
        climb.arrive(pack.runs, done)
        if done < len(self._settled.cuts(pack.runs[0])) and done not in climb.gates:
            self._turns.add([replace(pack, segment=done, deaths=0)], first=True)
        self._gather(group)

    def _save(self) -> None:
        """Store what the workers brought. A run's old checkpoint is needed until then."""
        store, began = self._kept, time.monotonic()
        beginnings: list[tuple[Run, Begun]] = []
        segments: list[Any] = []
        for pack, answer in self._unsaved:
            if answer.begun is not None:
                beginnings += zip(pack.runs, answer.begun, strict=True)
            results = zip(pack.runs, answer.losses, answer.measures, strict=True)
            segments += [(run.id, pack.segment, *found) for run, *found in results]
        store.add(segments, beginnings)
        for pack, answer in self._unsaved:
            self._proven = True
            for run in pack.runs if pack.segment else ():
                self._forget(run, pack.segment)
            if pack.segment + 1 == len(self._settled.cuts(pack.runs[0])):
                self.profile.lanes[pack.width] += len(pack.runs)
                for run, measures in zip(pack.runs, answer.measures, strict=True):
                    self._watcher.finished(run, measures)
        self._unsaved.clear()
        self.profile.storing(time.monotonic() - began)

    def _forget(self, run: Run, segment: int) -> None:
        (self._work / checkpoint_file(run, segment)).unlink(missing_ok=True)

    def _tell_lost(self, run: Run) -> None:
        plan = self._settled
        shape = run.steps // plan.period, 2, len(plan.facts.measures)
        self._watcher.finished(run, np.full(shape, np.nan))

    def _repair(self, file: str, job: Job, pack: RunBatch | None) -> None:
        """Have a torn file made again, then do the job that needs it."""
        self._troubles[file] += 1
        if self._troubles[file] > REPAIRS:
            raise RavineError(f"'{file}' is damaged again and again: is the disk failing?")
        if pack is not None:
            # A checkpoint is made by nobody else: what it came from is done again.
            self._again(pack if self._artifacts.known(file) else replace(pack, segment=0))
        else:
            self._artifacts.again(job)
        self._artifacts.remake(file)
        self._watcher.trouble(f"'{file}' was damaged; it is made again")

    def _try_again(self, pack: RunBatch, why: str) -> None:
        """After the death of its worker."""
        self._save()  # what is narrowed below must not come back with its old width
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
        for part in again:
            self._again(part)

    def _again(self, pack: RunBatch) -> None:
        """Last in the queue: what works goes first."""
        self._climbs[group_of(pack.runs[0])].go_back(pack.runs, pack.segment)
        if pack.segment == 0 or self._settled.facts.anew:
            for run in pack.runs:
                self._artifacts.draw(run.seed)
        self._turns.add([pack])

    def _fail(self, pack: RunBatch, why: str) -> None:
        self._save()
        if not self._proven:  # a machine that can do nothing says nothing about rules
            raise RavineError(f"no run could be done; of {pack.rule}, {why}")
        self._kept.fail(pack.runs, pack.width, why)
        self._watcher.trouble(f"{len(pack.runs)} runs of {pack.rule} failed: {why}")
        group = group_of(pack.runs[0])
        self._climbs[group].leave(pack.runs)
        for run in pack.runs:
            self._tell_lost(run)
        self._gather(group)
