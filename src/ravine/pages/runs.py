"""Every run of a race: a row each, and its training loss small enough to travel with a page."""

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ravine.pages.results import Results
from ravine.pages.sampling import m4
from ravine.racing.plan import study_of
from ravine.racing.store import Curve
from ravine.verdict import TEST, VALIDATION, diverged_at, final, steps_to
from ravine.verdict.curves import Target

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 180_000  # of all runs together; 4 bytes each
COLUMNS = (24, 160)  # of pixels, that a run is drawn over: no fewer, no more
LEVELS = 65_535  # of a value: finer than a pixel


def table(results: Results) -> "pd.DataFrame":
    """A row a run: what it was, where it ended, when it was at the target.

    Losses are at the end (mean of the last three evaluations); steps and seconds to the target are
    infinite for a run that missed it and missing for tuning runs, which are not judged by it.
    ``fate`` is "finished", "diverged", "stopped early" or "failed".
    """
    import pandas as pd

    choices, verdict = results.plan.choices, results.verdict
    measures = results.plan.facts.measures
    target = Target(verdict.target, measures.index(verdict.measure), verdict.rising)
    pace = {s.rule: s.step_seconds or math.nan for s in verdict.standings}
    rows = []
    for curve in results.curves:
        run = curve.run
        judged = run.stage != "tuning"
        steps = steps_to(curve, target, results.plan.period) if judged else math.nan
        lost = diverged_at(curve, TEST if judged else VALIDATION)
        rows.append(
            {
                "rule": run.rule,
                "learning_rate": run.learning_rate,
                **choices.settings(run.rule, run.learning_rate),
                "stage": run.stage,
                "study": study_of(run.seed) + 1,
                "seed": run.seed,
                "fate": _fate(curve, lost),
                "steps": len(curve.losses),
                "diverged_at": lost,
                "validation_loss": final(curve, VALIDATION),
                "test_loss": final(curve, TEST),
                **{f"test_{n}": final(curve, TEST, i) for i, n in enumerate(measures) if i},
                "steps_to_target": steps,
                "seconds_to_target": steps * pace[run.rule],
            }
        )
    return pd.DataFrame(rows).astype({"diverged_at": "Int64"})


def _fate(curve: Curve, lost: int | None) -> str:
    if curve.failure:
        return "failed"
    if lost is not None:
        return "diverged"
    return "stopped early" if curve.stopped else "finished"


class Packed(NamedTuple):
    """Training losses as a page carries them: pairs of 16-bit numbers, a step and a level.

    ``points``: how many each run has, in the order of ``Results.curves``; 0 where there was no room
    for it. Step = ``stride`` × the first number; value = low + (high − low) × level / 65535, of the
    logarithm if ``log``.
    """

    data: str  # base64, little-endian
    points: list[int]
    stride: int
    low: float
    high: float
    log: bool


def packed(results: Results) -> Packed:
    """Every run's training loss by ``sampling.m4``, fresh runs first as long as there is room."""
    import numpy as np

    runs = results.curves
    columns = max(COLUMNS[0], min(COLUMNS[1], MOST_POINTS // (4 * max(1, len(runs)))))
    most = MOST_POINTS // (4 * columns)
    order = sorted(range(len(runs)), key=lambda i: (runs[i].run.stage == "tuning", i))
    shown = set(order[:most])
    finite = [c.losses[np.isfinite(c.losses)] for c in runs]
    low = min((float(x.min()) for x in finite if x.size), default=0.0)
    ceiling = 100 * _start(finite)
    high = min(max((float(x.max()) for x in finite if x.size), default=1.0), ceiling)
    log = low > 0
    ends = (math.log(low), math.log(high)) if log else (low, high)
    stride = max(1, -(-results.plan.steps // LEVELS))
    parts, points = [], []
    for i, curve in enumerate(runs):
        if i not in shown:
            points.append(0)
            continue
        kept = m4(curve.losses, columns)
        values = np.minimum(curve.losses[kept].astype(float), high)
        values = np.log(values) if log else values
        share = (values - ends[0]) / ((ends[1] - ends[0]) or 1.0)
        pairs = np.stack([np.rint((kept + 1) / stride), np.rint(share * LEVELS)], axis=-1)
        parts.append(pairs.astype("<u2").tobytes())
        points.append(len(kept))
    return Packed(base64.b64encode(b"".join(parts)).decode(), points, stride, *ends, log)


def unpacked(found: Packed) -> list[Any]:
    """The same again: an array (n, 2) of steps and losses for each run."""
    import numpy as np

    numbers = np.frombuffer(base64.b64decode(found.data), "<u2").reshape(-1, 2).astype(float)
    values = found.low + (found.high - found.low) * numbers[:, 1] / LEVELS
    values = np.exp(values) if found.log else values
    pairs = np.stack([numbers[:, 0] * found.stride, values], axis=-1)
    return np.split(pairs, np.cumsum(found.points)[:-1])


def _start(losses: Sequence[Any]) -> float:
    firsts = [abs(float(x[0])) for x in losses if x.size]
    return max(firsts, default=1.0) or 1.0
