"""Which rows happened to be held out, where every seed is judged on the same: a block jackknife.

No number of seeds tells how another test set would have come out. Losses are measured of tenths of
the test rows apart, so that all that is concluded can be computed again without each of them: how
far that scatters is what the choice of rows contributes. Künsch 1989, Annals of Statistics 17:1217.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.racing.plan import Plan
from ravine.racing.store import Curve
from ravine.verdict.curves import TEST, Target

Floats = NDArray[np.float64]


def blocks(plan: Plan, goal: Target) -> int:
    """How many blocks of the rows that the goal is measured on can be left out."""
    return plan.facts.blocks if goal.split == TEST else 0


def without(plan: Plan, curve: Curve, block: int) -> Curve:
    """The curve as it would be had a block's test rows not been held out.

    A measure is taken for the mean over the rows. Of a block of which it is not finite, such as one
    without a row that counts, nothing is known: then it is left as it is.
    """
    if curve.blocks is None or curve.failure:
        return curve
    rows = plan.facts.rows[TEST + 1]
    share = rows // plan.facts.blocks / rows
    whole = curve.measures[:, TEST].astype(np.float64)
    own = curve.blocks[:, block].astype(np.float64)
    rest = (whole - share * own) / (1 - share)
    measures: Any = np.array(curve.measures, np.float64)
    measures[:, TEST] = np.where(np.isfinite(own) & np.isfinite(whole), rest, whole)
    return replace(curve, measures=measures)
