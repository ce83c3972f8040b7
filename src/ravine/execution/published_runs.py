"""Outside truth: runs that others published, repeated by the programs that race."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.analysis import TEST, VALIDATION
from ravine.analysis.published import (
    ADAM,
    AROUND,
    CONVERGES,
    DESCENT,
    DIVERGES,
    MOMENTUM,
    PUBLISHED,
    Check,
    Found,
    checks,
)
from ravine.execution.pool import Pool
from ravine.execution.replay import Replay, Replayed, Replays
from ravine.execution.session import check_workers, here
from ravine.experiment.engines import JAX
from ravine.reporting.validated import Progress
from ravine.rules import SGD, Adam, Momentum
from ravine.rules.update_rule import Rule
from ravine.storage.payload import Payload, pack
from ravine.tasks import find
from ravine.tasks.builtin.quadratic_deep import BATCH_SIZE, EPOCHS, threshold

OPTIMIZERS: Mapping[str, Rule] = {
    DESCENT: SGD(),
    MOMENTUM: Momentum(momentum=0.99, dampening=0),
    ADAM: Adam(),
}
SEEDS = range(42, 52)  # as published
TUNING_SEEDS = range(3)
# Tuned anew on the grid that was published, five rates a decade: around the published rate, further
# below it, since reshuffled batches are noisier.
TRIED = tuple(10 ** (k / 5) for k in range(-8, 5))
EVERY = 5  # epochs between two evaluations


@dataclass(frozen=True)
class Validation:
    """What was found, what of it agrees with what was published, and how long it took."""

    found: Found
    checks: Sequence[Check]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether everything agrees."""
        return all(check.holds for check in self.checks)

    def to_json(self) -> str:
        """Every check as an object, and the final losses by seed."""
        found = self.found
        content = {
            "source": "DeepOBS quadratic_deep, https://arxiv.org/abs/1903.05499",
            "holds": self.holds,
            "seconds": self.seconds,
            "seeds": list(SEEDS),
            "checks": [check._asdict() for check in self.checks],
            "final_test_losses": {
                "frozen": found.frozen,
                "reshuffled": found.reshuffled,
                "reshuffled, tuned anew": found.retuned,
            },
            "learning_rates_tuned_anew": found.rates,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def validate(
    *, retune: bool = True, workers: int | None = None, progress: bool = True
) -> Validation:
    """Repeat published runs of DeepOBS's ``quadratic_deep``, by the programs that race.

    First as published, with the batches of the first epoch in every epoch: the loss before step
    one, the rate from which on descent diverges, where three optimizers end. Then with every epoch
    shuffled anew, at the published learning rates and, if ``retune``, at rates tuned anew on
    validation data and other seeds. ``workers``: how many processes, by default one a core.
    ``progress``: whether to show it, on standard error. Some half a minute on two cores.

    Example::

        found = ravine.validate()
        assert found.holds, found.checks
    """
    began = time.monotonic()
    check_workers(workers)
    with (
        tempfile.TemporaryDirectory() as folder,
        Progress(progress) as display,
        Pool(here(workers, _workbench(folder))) as pool,
    ):
        run = partial(_run, pool, display)
        frozen, shuffled = (_rows(SEEDS, frozen) for frozen in (True, False))
        limit = threshold()
        around = [CONVERGES, DIVERGES, limit * (1 - AROUND), limit * (1 + AROUND)]
        wanted = {
            ("descent", DESCENT): (_filled(around, len(SEEDS)), frozen[[0] * len(SEEDS)]),
            **{
                ("frozen", n): ([PUBLISHED[n].learning_rate] * len(SEEDS), frozen)
                for n in PUBLISHED
            },
            **{
                ("new", n): ([PUBLISHED[n].learning_rate] * len(SEEDS), shuffled) for n in PUBLISHED
            },
        }
        runs = run("repeating what was published, and the same reshuffled", wanted)
        rates: dict[str, float] = {}
        retuned: dict[str, list[float]] = {}
        if retune:
            tuned = run("tuning anew, reshuffled", _tuning())
            rates = _chosen(tuned)
            again = {("new", n): ([rates[n]] * len(SEEDS), shuffled) for n in OPTIMIZERS}
            retuned = {n: _ends(r, TEST) for (_, n), r in run("judging that", again).items()}
    ends = {key: _ends(replayed, TEST) for key, replayed in runs.items()}
    found = Found(
        start=float(runs["frozen", DESCENT].measures[0, 0, TEST, 0]),
        threshold=limit,
        descent=dict(zip(around, ends["descent", DESCENT], strict=False)),
        frozen={name: ends["frozen", name] for name in PUBLISHED},
        reshuffled={name: ends["new", name] for name in PUBLISHED},
        retuned=retuned,
        rates=rates,
    )
    return Validation(found, checks(found), time.monotonic() - began)


def _workbench(folder: str) -> dict[str, str]:
    payload = Payload(find("quadratic-deep"), {str(rule): rule for rule in OPTIMIZERS.values()})
    return {"folder": folder, "digest": pack(Path(folder), payload), "engine": JAX}


Wanted = Mapping[Any, tuple[Sequence[float], NDArray[np.int32]]]  # by a key whose last part names


def _run(pool: Pool, display: Progress, what: str, wanted: Wanted) -> dict[Any, Replayed]:
    replays = [
        Replay(OPTIMIZERS[key[-1]], rates, rows.reshape(len(rates), -1, EVERY * 7, BATCH_SIZE))
        for key, (rates, rows) in wanted.items()
    ]
    display.begin(what, len(replays))
    return dict(zip(wanted, Replays(replays, display.advance).run(pool), strict=True))


def _rows(seeds: Sequence[int], frozen: bool) -> NDArray[np.int32]:
    """The batches of each seed, (seeds, steps, batch size), drawn as for the published runs."""
    found = []
    for seed in seeds:
        draw, size = np.random.RandomState(seed), 1000 // BATCH_SIZE * BATCH_SIZE
        epochs = [draw.permutation(1000)[:size] for _ in range(1 if frozen else EPOCHS)]
        found.append(np.resize(epochs, (EPOCHS * size // BATCH_SIZE, BATCH_SIZE)))
    return np.array(found, np.int32)


def _tuning() -> Wanted:
    """Each optimizer at each rate tried on the tuning seeds, as many lanes as elsewhere."""
    rows, wanted = _rows(TUNING_SEEDS, frozen=False), {}
    lanes = [(factor, seed) for factor in TRIED for seed in TUNING_SEEDS]
    for name, (rate, *_) in PUBLISHED.items():
        for i in range(0, len(lanes), len(SEEDS)):
            part = _filled(lanes[i : i + len(SEEDS)], len(SEEDS))
            rates = [rate * factor for factor, _ in part]
            wanted[i, name] = (rates, rows[[seed for _, seed in part]])
    return wanted


def _chosen(tuned: Mapping[Any, Replayed]) -> dict[str, float]:
    """Each optimizer's rate of the lowest median final validation loss."""
    chosen = {}
    for name, (rate, *_) in PUBLISHED.items():
        parts = [_ends(replayed, VALIDATION) for key, replayed in tuned.items() if key[-1] == name]
        ends = np.concatenate(parts)[: len(TRIED) * len(TUNING_SEEDS)]
        scores = np.median(ends.reshape(len(TRIED), len(TUNING_SEEDS)), axis=1)
        chosen[name] = rate * TRIED[int(np.argmin(np.nan_to_num(scores, nan=np.inf)))]
    return chosen


def _filled(lanes: Sequence[Any], width: int) -> list[Any]:
    """Repeats the last one, which costs nothing that a program with fewer lanes would save."""
    return [*lanes, *[lanes[-1]] * (width - len(lanes))]


def _ends(replayed: Replayed, split: int) -> list[float]:
    return [float(end) for end in replayed.measures[:, -1, split, 0]]
