"""Before variants of a task are raced: can each be built, do gradients reach all of its layers.

And, where that is asked for, a variant is pretrained: by the programs that race, on other rows.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import numpy as np

from ravine.errors import InvalidArgument, RavineError
from ravine.execution.job import Job
from ravine.execution.pool import Pool
from ravine.experiment import engines
from ravine.rules.update_rule import Rule
from ravine.tasks import names
from ravine.tasks.adapters.failures import UnsupportedOnJax
from ravine.tasks.saved import MODEL
from ravine.tasks.task import Task
from ravine.training.batches import batch_rows
from ravine.training.programs import Shape, numeric

SEEDS = 3  # whose initial weights gradients are taken at
ROWS = 512  # of the training data, at most, that they are taken over
PRETRAINING_SEED = 3_000_000  # no stage of a race has it


class Pretraining(NamedTuple):
    """What is to be done before the race: ``epochs`` with a rule; the result goes to a file."""

    rule: Rule
    epochs: int
    file: str


class Cost(NamedTuple):
    """What pretraining took, and what it came to."""

    rule: str
    steps: int
    rows: int
    batch_size: int
    start: float  # loss of the first batch
    end: float  # mean loss of the last epoch's batches


class Slope(NamedTuple):
    """The gradient of the loss by one array of weights, before step one.

    ``size``: its root mean square over the array, the median of some seeds.
    """

    layer: str
    size: float


class ProbeResult(NamedTuple):
    """What a variant is like. Of its arrays, ``slopes`` has the matrices and kernels."""

    parameters: int
    slopes: tuple[Slope, ...]
    taken: tuple[str, ...]  # layers that begin with weights trained before
    cost: Cost | None


class Tryouts:
    """A source of jobs for a pool: a variant each."""

    def __init__(
        self,
        variants: Sequence[tuple[Task, Pretraining | None]],
        advanced: Callable[[], None] = lambda: None,
    ) -> None:
        self._variants = variants
        self._advanced = advanced
        self._left = list(range(len(variants)))
        self._at: dict[int, int] = {}
        self._found: dict[int, ProbeResult] = {}

    def run(self, pool: Pool) -> list[ProbeResult]:
        """All of them, in their order. Raises ``InvalidArgument`` for one that cannot
        be trained.
        """
        pool.work(self)
        return [self._found[i] for i in range(len(self._variants))]

    def next_job(self, worker: int) -> Job | None:
        """See ``pool.Source``."""
        if not self._left:
            return None
        self._at[worker] = index = self._left.pop(0)
        task, pretraining = self._variants[index]
        how = pretraining and pretraining._replace(rule=cloudpickle.dumps(pretraining.rule))
        kind = f"try out {bool(how)}"
        return Job("try_out", {"variant": cloudpickle.dumps(task), "pretrain": how}, kind=kind)

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        self._found[self._at.pop(worker)] = answer
        self._advanced()

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``."""
        raise RavineError(f"a worker died over {self._variants[self._at[worker]][0].name}: {why}")

    def on_idle(self) -> None:
        """See ``pool.Source``. There is nothing else to do."""


def try_out(task: Task, pretraining: Pretraining | None) -> ProbeResult:
    """What a worker does of it."""
    engine = engines.engine(task.engine)
    try:
        network, data = engine.network_of(task), task.load()
    except UnsupportedOnJax as error:
        raise InvalidArgument(
            f"{error}; only what JAX can run has levers to vary: race each variant by itself"
        ) from error
    batch = _rows(data.train, slice(ROWS))
    drawn = [network.draw(seed) for seed in range(SEEDS)]
    sizes = np.median([engine.slopes(network, tuple(one), batch) for one in drawn], axis=0)
    slopes = [
        Slope(_layer(name), float(size))
        for name, size, array in zip(network.names, sizes, drawn[0].trainable, strict=True)
        if array.ndim > 1
    ]
    cost = pretraining and _pretrain(task, network, data, pretraining)
    parameters = sum(array.size for array in drawn[0].trainable)
    return ProbeResult(parameters, tuple(slopes), network.taken, cost)


def _pretrain(task: Task, network: Any, data: Any, how: Pretraining) -> Cost:
    """Train one run, and save the model with the weights that it came to."""
    engine = engines.engine(task.engine)
    rule = cloudpickle.loads(how.rule)
    rows = len(data.train.x[0]) if isinstance(data.train.x, list) else len(data.train.x)
    per_epoch = rows // task.batch_size
    order = batch_rows(PRETRAINING_SEED, rows, task.batch_size, how.epochs * per_epoch)
    order = order.reshape(1, how.epochs, per_epoch, task.batch_size)
    drawn = network.draw(PRETRAINING_SEED)
    # What is held out is for the race. The engine measures, so it is given rows of the training.
    held_out = [_rows(data.train, slice(task.batch_size))]
    splits = (tuple(data.train), held_out)
    shape = Shape(*order.shape)
    begin, advance = engine.load(
        engine.export(network, rule, shape, tuple(drawn), splits), lambda: network, rule
    )
    floats = getattr(task, "floats", "float32")
    hyper = {name: np.full(1, v, floats) for name, v in numeric(rule).items()}
    lanes = [[array[None] for array in group] for group in drawn]
    carry, _ = begin(hyper, *lanes, held_out)
    span = np.dtype(floats).type(0), np.int32(how.epochs)
    carry, losses, _ = advance(hyper, carry, span, order, *splits)
    losses = np.asarray(losses)[0]
    if not np.isfinite(losses).all():
        raise RavineError(f"pretraining {task.name} with {rule} diverged")
    weights = [np.asarray(array)[0] for array in carry]
    count, file = len(drawn.trainable), Path(how.file)
    file.parent.mkdir(parents=True, exist_ok=True)
    saved = network.save(weights[:count], weights[count : count + len(drawn.state)], file.parent)
    if saved.file != MODEL:
        raise InvalidArgument(f"{task.name} cannot be pretrained here: {saved.note}")
    (file.parent / saved.file).replace(file)
    end = float(losses[-per_epoch:].mean())
    return Cost(str(rule), len(losses), rows, task.batch_size, float(losses[0]), end)


def _rows(split: Any, rows: slice) -> tuple[Any, Any]:
    x, y = (
        [array[rows] for array in part] if isinstance(part, list) else part[rows] for part in split
    )
    return x, y


def _layer(path: str) -> str:
    """``"sequential/dense_1/kernel"`` without the model and the array."""
    parts = names.shown(path).split("/")
    return "/".join(parts[1:-1]) or parts[0]
