"""What a run did."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravine.experiment.plan import Run


@dataclass(frozen=True)
class Curve:
    """What a run did. ``measures`` is (evaluations + 1, splits, measures), from before step one.

    The splits are validation and test; the first measure is the loss. ``blocks``, (evaluations + 1,
    blocks, measures), is of blocks of the test rows, where those are the same for every seed.
    ``losses`` is the training loss of each step, taken where the gradient was. float32, NaN once a
    run has diverged.

    A run that was stopped early has fewer steps and evaluations than the others. One that could not
    be done has NaN throughout, after the start that all runs of its seed have.
    """

    run: Run
    weights_digest: str
    batches_digest: str
    losses: NDArray[np.float32]
    measures: NDArray[np.float32]
    failure: str = ""  # why the run could not be done
    narrowed: int = 0  # lanes of its program, where those are fewer than the plan's
    stopped: bool = False  # early, in tuning: its learning rate could not be chosen any more
    blocks: NDArray[np.float32] | None = None
