"""Runs in a framework of the user's: plain ``compile`` and ``fit`` with the native optimizer.

In a process of its own, on that framework, with the initial weights and the batches of the race.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
from numpy.typing import NDArray

from ravine.errors import InvalidArgument, RavineError
from ravine.execution.job import Job
from ravine.experiment.engines import KERAS
from ravine.experiment.plan import Plan, Run
from ravine.frameworks.translate.call import parse
from ravine.rules.update_rule import Rule
from ravine.storage import payload
from ravine.storage.files import one_or_all, read
from ravine.storage.splits import NAMES, PLACES, joined
from ravine.storage.work_files import DATA, weights_file
from ravine.tasks import settings
from ravine.tasks.adapters.keras_metrics import flat
from ravine.tasks.adapters.serialization import layers_in
from ravine.tasks.keras_import import absent
from ravine.training.batches import batch_rows

AT_ONCE = 4096  # rows of test data that are evaluated in one batch
FEW = 4  # rows, with which it is tried whether a model can be trained
DEATHS = 3  # of workers, until it is given up


class Fitted(NamedTuple):
    """``measures``, (evaluations + 1, measures), on the test data, from before step one.

    ``seconds``, (evaluations,), of ``fit`` until each of them, evaluation not counted.
    ``random``: whether layers draw while they train, which each framework does in its own way.
    """

    measures: NDArray[np.float32]
    seconds: NDArray[np.float32]
    random: bool


class FrameworkFitWorker:
    """What a worker keeps between fits: the task and its data."""

    def __init__(self, folder: str, digest: str) -> None:
        self._folder = Path(folder)
        self.task = payload.unpack(self._folder, digest).task
        self._arrays = read(self._folder / DATA, follow=True)
        self._places: dict[str, Any] = {}  # of each split, where every seed has its own
        _one_thread()

    @cached_property
    def _all(self) -> dict[str, list[Any]]:
        return {part: joined(self._arrays, part) for part in "xy"}

    def do(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of the job below."""
        return getattr(self, name)(**arguments)

    def fit(self, plan: Plan, run: Run, optimizer: str, rule: bytes) -> Fitted:
        """One run. ``optimizer``: the native one as code; empty where there is none."""
        import keras

        with absent("tensorflow"):  # which only TensorFlow's own backend needs seeded
            keras.utils.set_random_seed(run.seed % 2**32)
        settings.agree(keras, getattr(self.task, "settings", None), own=False)
        model = self.task.build()
        drawn = read(self._folder / weights_file(run.seed))
        native = plan.facts.engine in KERAS.values()  # whose state ends with the run's seed
        state = drawn.get("state", [])
        random = _begin(model, drawn["trainable"], state[:-1] if native else state)
        held = _native(optimizer) if optimizer else _ours(cloudpickle.loads(rule))
        model.compile(optimizer=held, **self.task.compiled(model))
        self._places = dict(zip(NAMES, drawn.get(PLACES, []), strict=False))
        x, y, *weights = self._split("test")
        measures: list[list[float]] = []
        seconds: list[float] = []

        def evaluate() -> None:
            model.reset_metrics()
            given = {"sample_weight": weights[0]} if weights else {}
            if plan.facts.rows[-1] <= AT_ONCE:  # to TensorFlow 50 times as quick
                found = model.test_on_batch(x, y, return_dict=True, **given)
            else:
                found = model.evaluate(x, y, AT_ONCE, verbose=0, return_dict=True, **given)
            scores = flat(found)
            values = [float(np.mean(scores[name])) for name in plan.facts.measures]
            values[0] -= _penalty(model)  # as in the race: the loss of the predictions alone
            measures.append(values)

        class Clock(keras.callbacks.Callback):  # type: ignore[misc]  # to mypy Keras is Any
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                self.began = time.perf_counter()

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                seconds.append(time.perf_counter() - self.began)
                evaluate()

        evaluate()
        model.fit(
            self._batches(plan, run),
            steps_per_epoch=plan.period,
            epochs=run.steps // plan.period,
            shuffle=False,
            verbose=0,
            callbacks=[Clock()],
        )
        return Fitted(np.array(measures, np.float32), np.cumsum(seconds, dtype=np.float32), random)

    def step(self, framework: str) -> None:
        """One step on a few rows. Raises ``InvalidArgument`` if the task's model cannot be trained
        so.
        """
        import keras

        settings.agree(keras, getattr(self.task, "settings", None), own=False)
        try:
            model = self.task.build()
            model.compile(optimizer="sgd", **self.task.compiled(model))
            x, y, *weights = self._split("train", slice(FEW))
            model.train_on_batch(x, y, *weights)
        except InvalidArgument:
            raise
        except Exception as error:
            said = next((line for line in str(error).splitlines() if line.strip()), "")
            raise InvalidArgument(
                f"the model of '{self.task.name}' cannot be trained by model.fit on {framework}, "
                f"so nothing can be confirmed there: {type(error).__name__}: {said.strip()}"
            ) from error

    def _batches(self, plan: Plan, run: Run) -> Iterator[Any]:
        """What the race takes at each step."""
        rows, size = plan.facts.rows[0], plan.choices.batch_size
        for taken in range(run.steps):
            (batch,) = batch_rows(run.seed, rows, size, 1, taken, plan.facts.frozen_order)
            yield self._split("train", batch)

    def _split(self, name: str, rows: Any = slice(None)) -> tuple[Any, ...]:
        if self._places:  # of the run's own seed
            held, rows = [self._all[part] for part in "xy"], self._places[name][rows]
        else:
            held = [self._arrays[f"{name}_{part}"] for part in "xy"]
        x, y = (one_or_all([array[rows] for array in arrays]) for arrays in held)
        targets = self.task.targets(y)
        if isinstance(targets, dict) and set(targets) <= {"y", "weights"}:
            return self.task.inputs(x), *targets.values()
        return self.task.inputs(x), targets


class FrameworkFits:
    """A source of jobs for a pool, which are done one after another.

    ``keep`` takes each with its answer; ``doing`` is told, of each worker, what is being done.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        keep: Callable[[Job, Any], None] = lambda job, answer: None,
        doing: Callable[[int, str], None] = lambda worker, what: None,
    ) -> None:
        self._left = deque(jobs)
        self._keep = keep
        self._doing = doing
        self._deaths = 0

    def next_job(self, worker: int) -> Job | None:
        """See ``pool.Source``."""
        if not self._left:
            return None
        job = self._left.popleft()
        if "run" in job.arguments:
            rule = job.arguments["run"].rule
            self._doing(worker, f"fitting {rule}, {len(self._left)} runs after it")
        return job

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        self._keep(job, answer)

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``."""
        self._deaths += 1
        if self._deaths == DEATHS:
            raise RavineError(f"fitting ended its worker {DEATHS} times: {why}")
        self._left.appendleft(job)

    def on_idle(self) -> None:
        """See ``pool.Source``. There is nothing else to do."""


def _one_thread() -> None:
    """Of PyTorch, unless ``OMP_NUM_THREADS`` says how many; other backends do well by themselves.

    Its threads wait by spinning: with one of two cores busy, two take 13.9 ms a step of layers of
    64 units and one takes 2.9; alone, on dense layers of 1,024 units, both take 10.
    """
    import keras

    if keras.backend.backend() == "torch" and "OMP_NUM_THREADS" not in os.environ:
        import torch

        torch.set_num_threads(1)


def _begin(model: Any, trainable: Sequence[Any], state: Sequence[Any]) -> bool:
    """Give a model the race's initial weights; whether it draws while it trains."""
    held = model.non_trainable_variables
    for variables, values in ((model.trainable_variables, trainable), (held, state)):
        if [tuple(v.shape) for v in variables] != [value.shape for value in values]:
            raise InvalidArgument("the model has other weights on this framework than in the race")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value.astype(str(variable.dtype)))
    idle = {id(layer.seed_generator.state) for layer in layers_in(model) if _never_draws(layer)}
    return any(v.path.endswith("seed_generator_state") and id(v) not in idle for v in held)


def _never_draws(layer: Any) -> bool:
    """Whether it is a recurrent layer that could drop inputs, and drops none."""
    rates = [getattr(layer, name, None) for name in ("dropout", "recurrent_dropout")]
    return rates == [0, 0] and hasattr(layer, "seed_generator")


def _native(text: str) -> Any:
    """The optimizer that a line of code spells; it is parsed, not evaluated."""
    import keras

    call = parse(text)
    kind = getattr(keras.optimizers, call.name.rpartition(".")[2], None)
    if not isinstance(kind, type) or not issubclass(kind, keras.optimizers.Optimizer):
        raise InvalidArgument(f"'{call.name}' is no optimizer of Keras")
    return kind(*call.arguments, **call.named)


def _ours(rule: Rule) -> Any:
    from ravine.frameworks.keras import to_keras

    return to_keras(rule)


def _penalty(model: Any) -> float:
    weighed = [v for v in model.trainable_variables if getattr(v, "regularizer", None) is not None]
    return float(sum(float(v.regularizer(v)) for v in weighed))
