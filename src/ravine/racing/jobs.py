"""The jobs that a worker can do, and the files through which they meet."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import numpy as np

from ravine.racing import luggage
from ravine.racing.batches import batch_rows, batches_digest
from ravine.racing.files import TornError, read, write
from ravine.racing.identity import digest
from ravine.racing.inspection import repeats, shared_rows
from ravine.racing.plan import Facts, Plan, Run
from ravine.racing.profile import Spent
from ravine.tasks.saved import Saved

DATA = "data.npz"
TIMED = 0.1  # seconds that a timed piece of training is to take
PACED = 0.03  # the same where a step of each rule is timed, in several rounds
LATELY = 1e-3  # seconds: a program that took longer to get was not there before
SEEDS, KEPT = 64, 1 << 18  # of so many seeds a worker keeps what has at most so many numbers
COUNTED = 32  # rows of a batch whose operations are counted


class Begun(NamedTuple):
    """How a run set out."""

    weights_digest: str
    batches_digest: str
    start: Any  # (splits, measures) before step one


class Advanced(NamedTuple):
    """What a segment of some runs gave, one entry a run."""

    begun: list[Begun] | None  # with the first segment only
    losses: list[Any]
    measures: list[Any]
    spent: Spent


class Torn(NamedTuple):
    """The answer of a job that found a file missing or damaged: it is to be made again."""

    file: str


class _Watch:
    """A stopwatch around a block."""

    seconds = 0.0

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock

    def __enter__(self) -> None:
        self._began = self._clock()

    def __exit__(self, *_: object) -> None:
        self.seconds = self._clock() - self._began


def _least(compute: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the quickest of a few calls; of one alone where that takes long."""
    watch = _Watch(clock)
    seconds: list[float] = []
    while len(seconds) < 5 and sum(seconds) < TIMED:
        with watch:
            np.asarray(compute())
        seconds.append(watch.seconds)
    return min(seconds)


class _Trial(NamedTuple):
    """A program at hand, to be timed."""

    begin: Callable[[], Any]
    advance: Callable[[Any], Any]

    def took(self, periods: int, clock: Callable[[], float] = time.perf_counter) -> float:
        """Seconds for so many periods of all lanes."""
        with (watch := _Watch(clock)):
            np.asarray(self.advance((np.float32(0), np.int32(periods))))
        return watch.seconds


class Workbench:
    """A worker's memory between jobs. Weights, programs and data are shared through ``folder``."""

    def __init__(self, folder: str, digest: str) -> None:
        self._folder = Path(folder)
        self._packed = digest  # of the task
        self._network: Any = None
        self._data: Any = None
        self._programs: dict[str, Any] = {}
        self._trials: dict[str, _Trial] = {}
        self._drawn: dict[int, tuple[dict[str, list[Any]], str]] = {}

    def do(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of one of the jobs below, or that a file it needs is torn."""
        try:
            return getattr(self, name)(**arguments)
        except TornError as error:
            return Torn(error.path.name)

    def describe(self) -> Facts:
        """Build the model and load the data, for everyone to use; say what they are."""
        from ravine.racing import engine

        network = self._keras()
        data = self._task.load()
        arrays = {
            f"{name}_{part}": list(map(np.asarray, _listed(nest)))
            for name, split in zip(data._fields, data, strict=True)
            for part, nest in zip("xy", split, strict=True)
        }
        write(self._folder / DATA, arrays)
        contents = [_digest(array) for array in arrays.values()]
        drawn = network.draw(0)
        x, y = ([array[:COUNTED] for array in arrays[f"train_{part}"]] for part in "xy")
        sample = _one_or_all(x), _one_or_all(y)
        return Facts(
            parameters=sum(w.size for w in drawn.trainable),
            rows=tuple(len(arrays[f"{name}_x"][0]) for name in data._fields),
            measures=network.measures,
            digest=digest([network.config, contents]),
            frozen_order=self._task.frozen_order,
            operations=engine.operations(network, tuple(drawn), sample) / len(x[0]),
            shared=tuple(
                shared_rows(*((arrays[f"{name}_x"], arrays[f"{name}_y"]) for name in data._fields))
            ),
            repeats=repeats(
                len(arrays["train_x"][0]), self._task.batch_size, self._task.frozen_order
            ),
        )

    def draw(self, seeds: list[int]) -> None:
        """Draw the initial weights of some seeds."""
        for seed in seeds:
            write(self._folder / weights_file(seed), self._keras().draw(seed)._asdict())

    def trace(self, rule: bytes, program: str, plan: Plan) -> None:
        """Trace the programs of a rule, for every worker to compile."""
        from ravine.racing import engine

        shape = engine.Shape(plan.width, plan.segment, plan.period, plan.choices.batch_size)
        sample = tuple(self._keras().draw(0))
        exported = engine.export(
            self._keras(), cloudpickle.loads(rule), shape, sample, self._splits()
        )
        arrays = [np.frombuffer(data, np.uint8) for data in exported]
        write(self._folder / program, {"program": arrays})

    def advance(
        self,
        plan: Plan,
        program: str,
        rule: bytes,
        runs: list[Run],
        segment: int,
        keep: bool = False,
    ) -> Advanced:
        """Take up to W runs of one rule through one segment, from where the last one ended.

        ``keep``: leave their state even after the last segment.
        """
        # Unused lanes repeat the last run: a program has one width, whatever there is to do.
        lanes = runs + runs[-1:] * (plan.width - len(runs))
        hyper = _hyper(plan, rule, lanes)
        train, held_out = self._splits()
        watch = _Watch()
        with watch:
            begin, advance = self._program(program)
        compiling, evaluation = watch.seconds, 0.0
        data, frozen = (plan.facts.rows[0], plan.choices.batch_size), plan.facts.frozen_order
        short = plan.steps * data[1] <= KEPT
        rows_of, digest_of = (_rows, _rows_digest) if short else (batch_rows, batches_digest)
        begun = None
        if segment == 0:
            weights = {run.seed: self._weights(run.seed, plan) for run in runs}
            drawn = _stack([weights[run.seed][0] for run in lanes], ("trainable", "state"))
            carry, start = begin(hyper, *drawn, held_out)
            if compiling > LATELY:  # once a worker: what an evaluation costs, and what a call
                evaluation = _least(lambda: begin(hyper, *drawn, held_out)[1])
            begun = [
                Begun(
                    weights[run.seed][1],
                    digest_of(run.seed, *data, plan.horizon(run.stage), frozen),
                    measured,
                )
                for run, measured in zip(runs, np.asarray(start), strict=False)
            ]
        else:
            kept = {run.id: read(self._folder / checkpoint_file(run, segment)) for run in runs}
            (carry,) = _stack([kept[run.id] for run in lanes], ("lane",))
        cuts = (0, *plan.cuts(runs[0].stage))
        taken, periods = cuts[segment] * plan.period, cuts[segment + 1] - cuts[segment]
        count = periods * plan.period
        rows = np.zeros((plan.width, plan.segment, plan.period, data[1]), np.int32)
        for i, run in enumerate(lanes):
            now = rows_of(run.seed, *data, count, taken, frozen)
            rows[i, :periods] = now.reshape(periods, plan.period, data[1])
        if evaluation:
            nothing = np.float32(taken), np.int32(0)
            calling = _least(lambda: advance(hyper, carry, nothing, rows, train, held_out)[2])
            evaluation = max(0.0, evaluation - calling)
        with watch:
            span = np.float32(taken), np.int32(periods)
            carry, *results = advance(hyper, carry, span, rows, train, held_out)
            losses, measures = map(np.asarray, results)
        if keep or segment + 2 < len(cuts):
            arrays = [np.asarray(array) for array in carry]
            for lane, run in enumerate(runs):
                path = self._folder / checkpoint_file(run, segment + 1)
                write(path, {"lane": [array[lane] for array in arrays]})
        return Advanced(
            begun,
            list(losses[: len(runs), :count]),
            list(measures[: len(runs), :periods]),
            Spent(compiling, watch.seconds, periods, evaluation),
        )

    def save(self, plan: Plan, rule: bytes, run: Run) -> Saved:
        """Write the model as a run left it, for the user to keep."""
        from ravine.racing import engine

        network, held = self._keras(), cloudpickle.loads(rule).replace(plan.settings(run))
        path = self._folder / checkpoint_file(run, len(plan.cuts(run.stage)))
        drawn = tuple(network.draw(run.seed))
        found = engine.learned(held, read(path)["lane"], drawn, plan.horizon(run.stage))
        saved: Saved = network.save(*found, self._folder)
        return saved

    def time(self, plan: Plan, program: str, rule: bytes, run: Run) -> float:
        """Seconds that a step of all lanes takes, each lane doing the same run.

        Its share of the evaluations included: that is what a race takes.
        """
        from ravine.racing import engine

        trial = self._trial(plan, program, rule, run)
        trial.took(1)  # compiled by then
        periods = max(1, min(plan.segment, int(TIMED / trial.took(1))))
        took = min(trial.took(periods, engine.clock) for _ in range(5))
        return took / (periods * plan.period)

    def pace(self, plan: Plan, program: str, rule: bytes, run: Run) -> float:
        """Seconds of a step of one run, without evaluations: what its training takes a user."""
        trial = self._trials.get(program)
        if trial is None:  # warm from the second round on
            trial = self._trials[program] = self._trial(plan, program, rule, run)
            trial.took(1)
        from ravine.racing import engine

        clock = engine.clock
        evaluation = max(0.0, _least(trial.begin, clock) - _least(lambda: trial.took(0), clock))
        periods = max(1, min(plan.segment, int(PACED / trial.took(1))))
        steps = trial.took(periods, clock) - periods * evaluation
        return max(steps, 0.0) / (periods * plan.period * plan.width)

    def _trial(self, plan: Plan, program: str, rule: bytes, run: Run) -> "_Trial":
        hyper = _hyper(plan, rule, [run] * plan.width)
        train, held_out = self._splits()
        begin, advance = self._program(program)
        weights = [self._weights(run.seed, plan)[0]] * plan.width
        drawn = _stack(weights, ("trainable", "state"))
        carry, _ = begin(hyper, *drawn, held_out)
        rows = np.zeros((plan.width, plan.segment, plan.period, plan.choices.batch_size), np.int32)
        return _Trial(
            lambda: begin(hyper, *drawn, held_out)[1],
            lambda span: advance(hyper, carry, span, rows, train, held_out)[1],
        )

    def replay(self, rule: bytes, learning_rates: Sequence[float], rows: Any) -> Any:
        """Runs along batches that are given."""
        from ravine.racing.replay import replay

        data, held = self._task.load(), cloudpickle.loads(rule)
        return replay(self._keras(), data, held, learning_rates, rows, self._programs)

    def _keras(self) -> Any:
        if self._network is None:
            self._network = self._task.network()
        return self._network

    @cached_property
    def _task(self) -> Any:
        """For whoever builds the model: to open it may import what others do without."""
        return luggage.unpack(self._folder, self._packed).task

    def _weights(self, seed: int, plan: Plan) -> tuple[dict[str, list[Any]], str]:
        """A seed's initial weights and their digest, at hand for the next run where small."""
        if seed in self._drawn:
            return self._drawn[seed]
        drawn = read(self._folder / weights_file(seed))
        found = drawn, _digest(*drawn.values())
        if plan.facts.parameters <= KEPT:
            if len(self._drawn) == SEEDS:
                self._drawn.clear()
            self._drawn[seed] = found
        return found

    def _splits(self) -> Any:
        if self._data is None:
            from ravine.racing import engine

            x = read(self._folder / DATA)
            train, *held_out = (
                (_one_or_all(x[f"{name}_x"]), _one_or_all(x[f"{name}_y"]))
                for name in ("train", "validation", "test")
            )
            self._data = engine.resident((train, held_out))
        return self._data

    def _program(self, name: str) -> Any:
        if name not in self._programs:
            from ravine.racing import engine

            exported = read(self._folder / name)["program"]
            self._programs[name] = engine.load([array.tobytes() for array in exported])
        return self._programs[name]


def _listed(nest: Any) -> list[Any]:
    return nest if isinstance(nest, list) else [nest]


def _one_or_all(arrays: list[Any]) -> Any:
    """As a split holds them: an array alone is not in a list."""
    return arrays[0] if len(arrays) == 1 else arrays


def weights_file(seed: int) -> str:
    """Where a seed's initial weights are."""
    return f"weights-{seed}.npz"


@cache
def program_file(rule: str, width: int) -> str:
    """Where a rule's traced programs are."""
    return f"program-{digest(rule)[:16]}-{width}.npz"


def checkpoint_file(run: Run, segment: int) -> str:
    """Where a run waits to be taken through a segment, with whatever runs go along."""
    return f"checkpoint-{run.id}-{segment}.npz"


_rows = lru_cache(SEEDS * 4)(batch_rows)
_rows_digest = lru_cache(SEEDS)(batches_digest)


def _hyper(plan: Plan, rule: bytes, lanes: Sequence[Run]) -> dict[str, Any]:
    """The hyperparameters of each lane: a (W,) array each."""
    from ravine.racing import engine

    held = cloudpickle.loads(rule)
    settings = [engine.numeric(held.replace(plan.settings(run))) for run in lanes]
    return {k: np.array([s[k] for s in settings], np.float32) for k in settings[0]}


def _stack(drawn: list[dict[str, list[Any]]], groups: tuple[str, ...]) -> list[list[Any]]:
    """For each group, its arrays with one more axis: that of the lanes."""
    by_group = ([one.get(group, []) for one in drawn] for group in groups)
    return [[np.stack(same) for same in zip(*group, strict=True)] for group in by_group]


def _digest(*groups: list[Any]) -> str:
    return digest([digest(np.ascontiguousarray(a).tobytes()) for group in groups for a in group])
