"""The driver of a race: keeps the queue, hands out the work, alone writes to the store."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import cloudpickle

from ravine.racing.jobs import Advanced, checkpoint_file
from ravine.racing.plan import FIRST_SEED, REFERENCE_SEEDS, Facts, Plan, Run, digest, scheduled
from ravine.racing.pool import Job, Pool
from ravine.racing.store import Curve, Store
from ravine.update_rule import Rule

WORK = "work"  # the folder, inside that of the race, through which workers share files


class Watcher(Protocol):
    """Who is told how the race goes."""

    def doing(self, worker: int, what: str) -> None:
        """A worker took something up; empty when it has nothing to do."""

    def finished(self, run: Run, measures: Any) -> None:
        """A run is stored: its measurements, (evaluations, splits, measures)."""


class _Pack:
    """Up to W runs of one rule that advance together."""

    def __init__(self, runs: Sequence[Run], segment: int) -> None:
        self.runs = list(runs)
        self.segment = segment

    @property
    def rule(self) -> str:
        return self.runs[0].rule


class Driver:
    """One race being run; a source of jobs for the pool."""

    def __init__(self, pool: Pool, rules: Mapping[str, Rule], watcher: Watcher) -> None:
        self._pool = pool
        self._listed = rules
        self._rules: dict[str, bytes] = {}
        self._watcher = watcher
        self._keras: deque[Job] = deque()  # for worker 0, the one that has Keras
        self._packs: deque[_Pack] = deque()
        self._running: dict[int, _Pack] = {}
        self._traced: set[str] = set()
        self._compiled: dict[int, set[str]] = {}
        self._facts: Facts | None = None
        self._plan: Plan | None = None
        self._store: Store | None = None

    def describe(self) -> Facts:
        """What the task's model and data are."""
        self._keras.append(Job("describe", {}))
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
        self._keras.append(Job("draw", {"seeds": drawn["tuning"]}))
        for name in plan.choices.rules:
            arguments = {"rule": self._rules[name], "program": _program(name), "plan": plan}
            self._keras.append(Job("trace", arguments))
        # Last: the other workers have runs to go on with by then.
        self._keras.append(Job("draw", {"seeds": drawn["reference"] + drawn["fresh"]}))
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
        assert self._plan is not None
        self._packs.remove(pack)
        self._running[worker] = pack
        compiled = self._compiled.setdefault(worker, set())
        verb = "training" if pack.rule in compiled else "compiling and training"
        compiled.add(pack.rule)
        self._watcher.doing(worker, f"{verb} {pack.rule}")
        return Job(
            "advance",
            {
                "plan": self._plan,
                "program": _program(pack.rule),
                "rule": self._rules[pack.rule],
                "runs": pack.runs,
                "segment": pack.segment,
            },
        )

    def done(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        if job.name == "describe":
            self._facts = answer
        elif job.name == "trace":
            self._traced.add(job.arguments["program"])
        elif job.name == "advance":
            self._keep(self._running.pop(worker), answer)

    def _race(self, runs: Sequence[Run]) -> None:
        plan, store = self._plan, self._store
        assert plan is not None
        assert store is not None
        done = store.segments_done()
        for rule in plan.choices.rules:
            own = [run for run in runs if run.rule == rule]
            for i in range(0, len(own), plan.width):
                pack = own[i : i + plan.width]
                segment = min(done.get(run.id, 0) for run in pack)
                if segment == plan.segments:
                    continue
                kept = checkpoint_file(store.folder / WORK, pack, segment).exists()
                self._packs.append(_Pack(pack, segment if kept else 0))
        self._pool.work(self)

    def _next_pack(self, worker: int) -> _Pack | None:
        """Rather what this worker has compiled, then what nobody has: each compiles its share."""
        ready = [pack for pack in self._packs if _program(pack.rule) in self._traced]
        mine = self._compiled.get(worker, set())
        theirs = set().union(*self._compiled.values())
        return min(
            ready,
            key=lambda pack: (pack.rule not in mine, pack.rule in theirs),
            default=None,
        )

    def _keep(self, pack: _Pack, answer: Advanced) -> None:
        plan, store = self._plan, self._store
        assert plan is not None
        assert store is not None
        if answer.begun is not None:
            for run, begun in zip(pack.runs, answer.begun, strict=True):
                store.begin(run, *begun)
        store.add(
            (run.id, pack.segment, losses, measures)
            for run, losses, measures in zip(pack.runs, answer.losses, answer.measures, strict=True)
        )
        folder = store.folder / WORK
        checkpoint_file(folder, pack.runs, pack.segment).unlink(missing_ok=True)
        pack.segment += 1
        if pack.segment < plan.segments:
            self._packs.appendleft(pack)
            return
        for run, measures in zip(pack.runs, answer.measures, strict=True):
            self._watcher.finished(run, measures)


_SAID = {
    "describe": "building the model",
    "draw": "drawing initial weights",
    "trace": "tracing the rules",
}


def _program(rule: str) -> str:
    return f"program-{digest(rule)[:16]}"
