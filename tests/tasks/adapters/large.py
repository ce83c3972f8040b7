"""Race on more rows than this process, or a worker of it, may have in memory.

A program of its own: ``python large.py FOLDER MEGABYTES``. What is allocated is limited, not what
is mapped from files, which the system can drop again.
"""

import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

from ravine import race
from ravine.execution import session, worker_backend
from ravine.tasks.adapters import memmap
from ravine.tasks.task import Task

ROWS, WIDE, BATCH = 400_000, 320, 2_000
memmap.LIMIT = 1 << 26  # as on a small machine


def rows_of(seed: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).random((BATCH, WIDE), np.float32)
    return x, x[:, 0] * 2


class Batches:
    """A ``keras.utils.PyDataset`` in all but imports: 512 MB that nobody has at once."""

    num_batches = ROWS // BATCH

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        if i >= self.num_batches:
            raise IndexError(i)
        return rows_of(i)


PyDataset = type("PyDataset", (Batches,), {})


def init(key: object) -> object:
    from jax import numpy as jnp

    return jnp.zeros(WIDE)


def loss(w: object, x: object, y: object) -> object:
    return (x @ w - y) ** 2


def limited() -> None:
    most = int(sys.argv[2]) << 20
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))


if __name__ == "__main__":
    limited()
    tuned_on, judged_on = (rows_of(ROWS + i) for i in range(2))
    task = Task.from_jax(
        *(init, loss, PyDataset()),
        validation_data=tuned_on,
        test_data=judged_on,
        epochs=1,
        batch_size=40_000,
    )
    # What draws pictures reserves gigabytes, and nobody looks at them here.
    session.publish_pages = session.vega.prepare = lambda *_: None
    worker_backend.subprocess.Popen = partial(subprocess.Popen, preexec_fn=limited)
    found = race(
        task,
        rules=["adam"],
        learning_rates=[1e-4],
        tuning_seeds=1,
        eval_seeds=1,
        target=0.5,  # which no runs are needed for
        out=Path(sys.argv[1]),
        workers=1,
        progress=False,
    )
    sys.stdout.write(f"{found.best['file'] or found.best['note']}; {task.description}")
