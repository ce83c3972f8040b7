"""Which rows happened to be held out, where every seed is judged on the same: half-samples of them.

No number of seeds tells how another test set would have come out. Losses are measured of 16 blocks
of the test rows apart, so that all that is concluded can be computed again on half of them. Fifteen
halves are taken, each pair of blocks together in as many as apart: then of a mean their variance
around the whole is exactly that of the mean (McCarthy 1969, Rev. Int. Statist. Inst. 37:239). Times
to a target are not smooth, so that leaving out one block at a time would not do (Shao & Wu 1989,
Annals of Statistics 17:1176).
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan
from ravine.experiment.target import TEST, Target

Floats = NDArray[np.float64]


def halves(plan: Plan, goal: Target | None = None) -> Any:
    """Which blocks belong to each half, (halves, blocks) booleans; none where rows have no blocks.

    ``goal``: what is measured, if that may be another split than the test data.
    """
    blocks = plan.facts.blocks if goal is None or goal.split == TEST else 0
    if not blocks:
        return np.empty((0, 0), bool)
    from scipy.linalg import hadamard

    return hadamard(blocks)[1:] > 0


def on_half(curve: Curve, half: Any) -> Curve:
    """The curve as it would be had only these blocks of test rows been held out.

    A measure is taken for the mean over the rows. Of a block of which it is not finite, such as one
    without a row that counts, nothing is known.
    """
    if curve.blocks is None or curve.failure:
        return curve
    whole = curve.measures[:, TEST].astype(np.float64)
    parts = curve.blocks[:, half].astype(np.float64)
    known = np.isfinite(parts)
    count = known.sum(axis=1)
    mean = np.where(known, parts, 0).sum(axis=1) / np.maximum(count, 1)
    measures: Any = np.array(curve.measures, np.float64)
    measures[:, TEST] = np.where((count > 0) & np.isfinite(whole), mean, whole)
    return replace(curve, measures=measures)
