"""The jobs that a worker can do, and the files through which they meet."""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import numpy as np

from ravine.execution import memory
from ravine.execution.timing import Rehearsed, Trial, Watch, least
from ravine.experiment import engines
from ravine.experiment.fingerprints import array_digest, described, digest
from ravine.experiment.plan import FIRST_SEED, Plan, Run, TaskInfo
from ravine.storage import payload
from ravine.storage.files import CorruptFileError, one_or_all, read, write
from ravine.storage.splits import BLOCKED, PLACES, Splits, blocks_of, data_at
from ravine.storage.work_files import DATA, checkpoint_file, weights_file
from ravine.tasks.adapters.failures import UnsupportedOnJax
from ravine.tasks.adapters.variables import Variable, compare
from ravine.tasks.saved import Saved
from ravine.training.batches import batch_rows, batches_digest
from ravine.training.evaluation_check import EXPECTED, check_evaluation, check_starts
from ravine.training.inspection import cautions, counted, repeats, shared_rows
from ravine.training.profile import Spent
from ravine.training.programs import Shape, numeric

SHORT = 1.0  # seconds of a segment up to which it matters what else it takes
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

    def from_before(self) -> list[Any]:
        """The measures; of a first segment, those from before step one on."""
        if self.begun is None:
            return self.measures
        starts = [begun.start[None] for begun in self.begun]
        return [np.concatenate(both) for both in zip(starts, self.measures, strict=True)]


class Bound(NamedTuple):
    """The answer of a model that cannot leave its framework, and why not."""

    framework: str
    why: str


class CorruptFile(NamedTuple):
    """The answer of a job that found a file missing or damaged: it is to be made again."""

    file: str


class EngineWorker:
    """A worker's memory between jobs. Weights, programs and data are shared through ``folder``.

    ``durable``: whether what lies there is there to stay.
    """

    def __init__(
        self, folder: str, digest: str, engine: str = engines.JAX, durable: bool = True
    ) -> None:
        self._folder = Path(folder)
        self._durable = durable
        self._name = engine
        self._packed = digest  # of the task
        self._network: Any = None
        self._data: Splits | None = None
        self._programs: dict[str, Any] = {}
        self._trials: dict[str, Trial] = {}
        self._drawn: dict[int, tuple[dict[str, list[Any]], str]] = {}
        self._start: Any = None  # see ``evaluation_check.Checked``

    def do(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of one of the jobs below, or that a file it needs is torn."""
        if (plan := arguments.get("plan")) is not None:
            self._engine.set_floats(plan.facts.floats)
        try:
            return getattr(self, name)(**arguments)
        except CorruptFileError as error:
            return CorruptFile(error.path.name)

    def describe(self, variables: Sequence[Variable] = ()) -> TaskInfo | Bound:
        """Build the model and load the data, for everyone to use; say what they are.

        Raises ``InvalidArgument`` where the driver's process built a model of other ``variables``.
        """
        try:
            network = self._keras()
        except UnsupportedOnJax as error:
            if engines.framework(self._name) != engines.JAX:
                raise
            return Bound(error.framework, str(error))
        compare(variables, network.variables_there if variables else (), self.task.name)
        data = self.task.load()
        arrays = {
            f"{name}_{part}": list(map(np.asanyarray, _listed(nest)))
            for name, split in zip(data._fields, data, strict=True)
            for part, nest in zip("xy", split, strict=True)
        }
        contents = [array_digest(array) for array in arrays.values()]
        anew = [] if self._places is None else [array_digest(self._places(1))]
        at_random = getattr(self.task, "at_random", False)
        blocks = [] if anew else blocks_of(len(arrays["test_x"][0]), at_random)
        blocked = {BLOCKED: [blocks]} if len(blocks) else {}
        write(self._folder / DATA, arrays | blocked, self._durable)
        drawn = network.draw(0)
        if self._places is not None:  # what the first run that is begun is judged on
            data = data_at(arrays, self._places(FIRST_SEED["tuning"]))
        checked = check_evaluation(self._engine, network, self.task, data, drawn)
        self._start = checked.start
        x, y = ([array[:COUNTED] for array in arrays[f"train_{part}"]] for part in "xy")
        given = network, tuple(drawn), (one_or_all(x), one_or_all(y))
        operations, uncounted = counted(lambda: self._engine.operations(*given))
        return TaskInfo(
            parameters=sum(w.size for w in drawn.trainable),
            rows=tuple(len(arrays[f"{name}_x"][0]) for name in data._fields),
            measures=network.measures,
            digest=digest([network.config, contents, *anew, *map(described, self.task.told)]),
            frozen_order=self.task.frozen_order,
            operations=operations / len(x[0]),
            shared=tuple(
                shared_rows(*((arrays[f"{name}_x"], arrays[f"{name}_y"]) for name in data._fields))
            ),
            repeats=repeats(
                len(arrays["train_x"][0]), self.task.batch_size, self.task.frozen_order
            ),
            engine=self._name,
            lanes=self._engine.lanes(*given),
            notes=cautions(self.task, network, checked.note, uncounted),
            anew=bool(anew),
            blocks=len(blocks),
            split="; ".join(self.task.notes),
            floats=getattr(self.task, "floats", "float32"),
        )

    def draw(self, seeds: list[int]) -> None:
        """Draw the initial weights of some seeds."""
        for seed in seeds:
            drawn = self._keras().draw(seed)
            arrays = drawn._asdict()
            first = self._places is None or seed == FIRST_SEED["tuning"]
            if self._start is not None and first:  # once a race: what its first evaluation is to be
                arrays[EXPECTED], self._start = [self._start(*drawn)], None
            if self._places is not None:
                arrays[PLACES] = self._places(seed)
            write(self._folder / weights_file(seed), arrays, self._durable)

    def trace(self, rule: bytes, program: str, plan: Plan) -> float:
        """Trace the programs of a rule, for every worker to compile. What memory it took so far."""
        shape = Shape(plan.width, plan.segment, plan.period, plan.choices.batch_size)
        sample = tuple(self._keras().draw(0))
        lanes = [self._places(0)] * plan.width if self._places is not None else []
        given = self._keras(), cloudpickle.loads(rule), shape, sample
        data = self._splits(plan).given(lanes)
        anew = {"anew": True} if lanes else {}
        exported = self._engine.export(*given, data, **anew)
        arrays = [np.frombuffer(data, np.uint8) for data in exported]
        write(self._folder / program, {"program": arrays}, self._durable)
        return memory.peak()

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
        hyper, real = _hyper(plan, rule, lanes), np.dtype(plan.facts.floats).type
        places = self._places_of(lanes, plan)
        train, held_out = self._splits(plan).given(places)
        watch = Watch()
        with watch:
            begin, advance = self._program(program, rule)
        compiling, evaluation = watch.seconds, 0.0
        data, frozen = (plan.facts.rows[0], plan.choices.batch_size), plan.facts.frozen_order
        short = plan.steps * data[1] <= KEPT
        rows_of, digest_of = (_rows, _rows_digest) if short else (batch_rows, batches_digest)
        begun = None
        if segment == 0:
            weights = {run.seed: self._weights(run.seed, plan) for run in runs}
            drawn = _stack([weights[run.seed][0] for run in lanes], ("trainable", "state"))
            carry, start = begin(hyper, *drawn, held_out)
            given = [weights[run.seed][0] for run in runs]
            check_starts(cloudpickle.loads(rule), given, start, plan)
            if compiling > LATELY:  # once a worker: what an evaluation costs, and what a call
                evaluation = least(lambda: begin(hyper, *drawn, held_out)[1])
            begun = [
                Begun(
                    weights[run.seed][1],
                    _with(places[i : i + 1], digest_of(run.seed, *data, run.steps, frozen)),
                    measured,
                )
                for i, (run, measured) in enumerate(zip(runs, np.asarray(start), strict=False))
            ]
        else:
            kept = {run.id: read(self._folder / checkpoint_file(run, segment)) for run in runs}
            (carry,) = _stack([kept[run.id] for run in lanes], ("lane",))
        cuts = (0, *plan.cuts(runs[0]))
        taken, periods = cuts[segment] * plan.period, cuts[segment + 1] - cuts[segment]
        count = periods * plan.period
        rows = np.zeros((plan.width, plan.segment, plan.period, data[1]), np.int32)
        for i, run in enumerate(lanes):
            now = rows_of(run.seed, *data, count, taken, frozen)
            now = places[i][0][now] if places else now
            rows[i, :periods] = now.reshape(periods, plan.period, data[1])
        if evaluation:
            nothing = real(taken), np.int32(0)
            calling = least(lambda: advance(hyper, carry, nothing, rows, train, held_out)[2])
            evaluation = max(0.0, evaluation - calling)
        with watch:
            span = real(taken), np.int32(periods)
            carry, *results = advance(hyper, carry, span, rows, train, held_out)
            losses, measures = map(np.asarray, results)
        if keep or segment + 2 < len(cuts):
            arrays = [np.asarray(array) for array in carry]
            for lane, run in enumerate(runs):
                path = self._folder / checkpoint_file(run, segment + 1)
                write(path, {"lane": [array[lane] for array in arrays]}, self._durable)
        return Advanced(
            begun,
            list(losses[: len(runs), :count]),
            list(measures[: len(runs), :periods]),
            Spent(compiling, watch.seconds, periods, evaluation),
        )

    def save(self, plan: Plan, rule: bytes, run: Run) -> Saved:
        """Write the model as a run left it, for the user to keep."""
        network, held = self._keras(), cloudpickle.loads(rule).replace(plan.settings(run))
        path = self._folder / checkpoint_file(run, len(plan.cuts(run)))
        drawn = tuple(network.draw(run.seed))
        lane, taken = read(path)["lane"], run.steps
        found = self._engine.learned(held, lane, drawn, taken, self._keras)
        saved: Saved = network.save(*found, self._folder)
        return saved

    def pace(self, plan: Plan, program: str, rule: bytes, run: Run) -> float:
        """Seconds of a step of one run, without evaluations: what its training takes a user."""
        if (trial := self._trials.get(program)) is None:  # warm from the second round on
            trial = self._trials[program] = self._trial(plan, program, rule, run)
            trial.took(1)
        return trial.bare_step(plan, self._engine.clock)

    def rehearse(self, plan: Plan, program: str, rule: bytes, run: Run) -> Rehearsed:
        """What a segment of a pack will take, and what comes before and after it."""
        engine = self._engine  # to import its framework is no part of what the program takes
        before = memory.peak()
        with (compiling := Watch()):
            needed = max(map(engine.memory, self._program(program, rule)))
        if needed > memory.available():
            return Rehearsed(compiling.seconds, needed, memory.peak())
        step = self._trial(plan, program, rule, run).usual_step(plan)
        with (pacing := Watch()):
            self.pace(plan, program, rule, run)
        around = Watch()
        if step * plan.cuts(run)[0] * plan.period < SHORT:
            with around:
                spent = self.advance(plan, program, rule, [run] * plan.width, 0).spent.training
            around.seconds = max(0.0, around.seconds - spent)
        grown = max(memory.peak() - before, needed)
        parts = step, around.seconds, pacing.seconds
        return Rehearsed(compiling.seconds, grown, memory.peak(), *parts)

    def _trial(self, plan: Plan, program: str, rule: bytes, run: Run) -> Trial:
        hyper = _hyper(plan, rule, [run] * plan.width)
        real = np.dtype(plan.facts.floats).type
        train, held_out = self._splits(plan).given(self._places_of([run] * plan.width, plan))
        begin, advance = self._program(program, rule)
        weights = [self._weights(run.seed, plan)[0]] * plan.width
        drawn = _stack(weights, ("trainable", "state"))
        carry, _ = begin(hyper, *drawn, held_out)
        rows = np.zeros((plan.width, plan.segment, plan.period, plan.choices.batch_size), np.int32)
        return Trial(
            lambda: begin(hyper, *drawn, held_out)[1],
            lambda periods: advance(hyper, carry, (real(0), periods), rows, train, held_out)[1],
        )

    def replay(self, rule: bytes, learning_rates: Sequence[float], rows: Any) -> Any:
        """Runs along batches that are given."""
        from ravine.execution.replay import replay

        data, held = self.task.load(), cloudpickle.loads(rule)
        return replay(self._keras(), data, held, learning_rates, rows, self._programs)

    def try_out(self, variant: bytes, pretrain: Any) -> Any:
        """What a variant of the task is like, before it is raced."""
        from ravine.execution.model_probe import try_out

        return try_out(cloudpickle.loads(variant), pretrain)

    def _keras(self) -> Any:
        if self._network is None:
            self._network = self._engine.network_of(self.task)
        return self._network

    @cached_property
    def _engine(self) -> Any:
        """Whose framework a worker imports with its first job."""
        return engines.engine(self._name)

    @cached_property
    def task(self) -> Any:
        """For whoever builds the model: to open it may import what others do without."""
        return payload.unpack(self._folder, self._packed).task

    def _weights(self, seed: int, plan: Plan) -> tuple[dict[str, list[Any]], str]:
        """A seed's initial weights and their digest, at hand for the next run where small."""
        if seed in self._drawn:
            return self._drawn[seed]
        drawn = read(self._folder / weights_file(seed))
        found = drawn, array_digest(*(drawn.get(part, []) for part in ("trainable", "state")))
        if plan.facts.parameters <= KEPT:
            if len(self._drawn) == SEEDS:
                self._drawn.clear()
            self._drawn[seed] = found
        return found

    def _splits(self, plan: Plan) -> Splits:
        if self._data is None:
            arrays = read(self._folder / DATA, follow=True)
            self._data = Splits(arrays, plan.facts.anew, self._engine)
        return self._data

    @cached_property
    def _places(self) -> Any:
        """Which rows a seed has in each split, a function, where it is not the same for all."""
        return getattr(self.task.load, "places", None)

    def _places_of(self, lanes: Sequence[Run], plan: Plan) -> list[Any]:
        if not plan.facts.anew:
            return []
        return [self._weights(run.seed, plan)[0][PLACES] for run in lanes]

    def _program(self, name: str, rule: bytes) -> Any:
        if name not in self._programs:
            exported = read(self._folder / name).get("program", [])
            self._programs[name] = self._engine.load(
                [array.tobytes() for array in exported], self._keras, cloudpickle.loads(rule)
            )
        return self._programs[name]


def _listed(nest: Any) -> list[Any]:
    return nest if isinstance(nest, list) else [nest]


_rows = lru_cache(SEEDS * 4)(batch_rows)
_rows_digest = lru_cache(SEEDS)(batches_digest)


def _hyper(plan: Plan, rule: bytes, lanes: Sequence[Run]) -> dict[str, Any]:
    """The hyperparameters of each lane: a (W,) array each."""
    held = cloudpickle.loads(rule)
    settings = [numeric(held.replace(plan.settings(run))) for run in lanes]
    return {k: np.array([s[k] for s in settings], plan.facts.floats) for k in settings[0]}


def _stack(drawn: list[dict[str, list[Any]]], groups: tuple[str, ...]) -> list[list[Any]]:
    """For each group, its arrays with one more axis: that of the lanes."""
    by_group = ([one.get(group, []) for one in drawn] for group in groups)
    return [[np.stack(same) for same in zip(*group, strict=True)] for group in by_group]


def _with(places: Sequence[Any], batches: str) -> str:
    """The digest of a run's batches, which are of the rows in these places if any are given."""
    return digest([batches, *map(array_digest, places)]) if places else batches
