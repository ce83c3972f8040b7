"""Runs along batches that are given, by the very programs that race: to repeat what others did."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
from numpy.typing import NDArray

from ravine.errors import RavineError
from ravine.execution.job import Job
from ravine.execution.pool import Pool
from ravine.rules.update_rule import Rule
from ravine.training.programs import Shape, numeric

SEED = 0  # of the initial weights, which the tasks repeated so far do not draw


class Replay(NamedTuple):
    """Runs of one rule, lanes of one program.

    ``learning_rates`` has one a lane; ``rows`` (lanes, evaluations, steps, batch size), int32, says
    which rows of the training data each step takes.
    """

    rule: Rule
    learning_rates: Sequence[float]
    rows: NDArray[np.int32]


class Replayed(NamedTuple):
    """``losses``, (lanes, steps), of training; ``measures``, (lanes, evaluations + 1, splits, …).

    As those of ``store.Curve``: from before step one, on the validation and the test data.
    """

    losses: NDArray[np.float32]
    measures: NDArray[np.float32]


class Replays:
    """A source of jobs for a pool, each a replay; those of one rule go to one worker."""

    def __init__(
        self, replays: Sequence[Replay], advanced: Callable[[], None] = lambda: None
    ) -> None:
        self._replays = replays
        self._advanced = advanced  # told of each that is done
        self._left = deque(range(len(replays)))
        self._at: dict[int, int] = {}  # what each worker is doing
        self._found: dict[int, Replayed] = {}
        self._traced: dict[int, set[str]] = {}
        self._deaths = 0

    def run(self, pool: Pool) -> list[Replayed]:
        """All of them, in their order. Raises ``RavineError`` if workers die over it."""
        pool.work(self)
        return [self._found[i] for i in range(len(self._replays))]

    def next_job(self, worker: int) -> Job | None:
        """See ``pool.Source``."""
        if not self._left:
            return None
        mine = self._traced.setdefault(worker, set())
        theirs = set().union(*self._traced.values()) - mine
        names = {i: str(self._replays[i].rule) for i in self._left}
        index = min(self._left, key=lambda i: (names[i] not in mine, names[i] in theirs, i))
        self._left.remove(index)
        self._at[worker] = index
        mine.add(names[index])
        replay = self._replays[index]
        arguments = replay._replace(rule=cloudpickle.dumps(replay.rule))._asdict()
        return Job("replay", arguments, kind=names[index])

    def on_result(self, worker: int, job: Job, answer: Any) -> None:
        """See ``pool.Source``."""
        self._found[self._at.pop(worker)] = answer
        self._advanced()

    def on_failure(self, worker: int, job: Job, why: str) -> None:
        """See ``pool.Source``."""
        self._deaths += 1
        if self._deaths > 1:
            raise RavineError(f"a worker died again: {why}")
        self._traced.pop(worker, None)
        self._left.append(self._at.pop(worker))

    def on_idle(self) -> None:
        """See ``pool.Source``."""


def replay(
    network: Any, data: Any, rule: Rule, learning_rates: Sequence[float], rows: Any, kept: Any
) -> Replayed:
    """What a worker does of a ``Replay``. ``kept`` holds the programs that it has already."""
    from ravine.training import engine

    width, periods, period, batch_size = rows.shape
    held_out = [tuple(data.validation), tuple(data.test)]
    splits, drawn = (tuple(data.train), held_out), tuple(network.draw(SEED))
    key = f"replay {rule} {rows.shape}"
    if key not in kept:
        shape = Shape(width, periods, period, batch_size)
        kept[key] = engine.load(engine.export(network, rule, shape, drawn, splits))
    begin, advance = kept[key]
    rates = [numeric(rule.replace({"learning_rate": rate})) for rate in learning_rates]
    hyper = {name: np.array([r[name] for r in rates], np.float32) for name in rates[0]}
    lanes = [[np.stack([array] * width) for array in group] for group in drawn]
    carry, start = begin(hyper, *lanes, held_out)
    span = np.float32(0), np.int32(periods)
    _, losses, measures = advance(hyper, carry, span, rows, *splits)
    return Replayed(
        np.asarray(losses), np.concatenate([np.asarray(start)[:, None], measures], axis=1)
    )
