"""The compiled race on a GPU: the programs of ``engine``, with what is fastest there.

A GPU is fast where it has much to do at once: so there are more lanes, and all are evaluated
together. The last bits of a curve depend on the GPU, its driver and what XLA's autotuning chose.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from ravine.errors import InvalidArgument
from ravine.experiment.durations import said_bytes
from ravine.training import engine, gpus
from ravine.training.engine import (
    by_lane,
    clock,
    lanes,
    learned,
    operations,
    resident,
    set_floats,
    slopes,
)
from ravine.training.programs import Programs

__all__ = [
    "by_lane",
    "clock",
    "lanes",
    "learned",
    "operations",
    "resident",
    "set_floats",
    "slopes",
]  # are the same

LEVERS = engine.Ablation(each=lambda measured: measured, evaluated=64, compiler={})
export = partial(engine.export, levers=LEVERS)
evaluator = partial(engine.evaluator, options={})


def network_of(task: Any) -> Any:
    """See ``engine``. Raises ``InvalidArgument`` where there is no GPU."""
    gpus.here()
    return engine.network_of(task)


def load(exported: Sequence[bytes], network: Any = None, rule: Any = None) -> Programs:
    """See ``engine``. Raises ``InvalidArgument`` where there is no GPU."""
    gpus.here()
    return engine.load(exported, network, rule, LEVERS)


def memory(program: Any) -> float:
    """Bytes that a program needs of the machine's own memory: none to speak of.

    Raises ``InvalidArgument`` where the GPU has too little.
    """
    has = (gpus.here()[0].memory_stats() or {}).get("bytes_limit")
    needed = engine.memory(program)
    if has is not None and needed > has:
        raise InvalidArgument(
            f"a program of this race needs {said_bytes(needed)} of the GPU's memory, of which "
            f"there are {said_bytes(has)}: lower batch_size or the size of the model"
        )
    return 0.0
