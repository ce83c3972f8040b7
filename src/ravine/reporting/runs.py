"""Every run of a race: a row each, and its training loss small enough to travel with a page."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ravine.analysis import TEST, VALIDATION, diverged_at, final, steps_to
from ravine.experiment.curve import Curve
from ravine.experiment.plan import SHORTER, repetition_of
from ravine.reporting.results import Results
from ravine.reporting.sampling import m4

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 240_000  # of all runs together; some 2 bytes each, once deflated
COLUMNS = (24, 160)  # of pixels, that a run is drawn over: no fewer, no more
LEVELS = 8_191  # of a value: finer than a pixel
MOST_STEPS = 65_535  # between two points of a run


def table(results: Results) -> "pd.DataFrame":
    """A row a run: what it was, where it ended, when it was at the target.

    Losses are at the end (mean of the last three evaluations); steps and seconds to the target are
    infinite for a run that missed it and missing for tuning runs and shorter ones, which are not
    judged by it.
    ``fate`` is "finished", "diverged", "stopped early" or "failed".
    """
    import pandas as pd

    verdict = results.verdict
    measures = results.plan.facts.measures
    target = verdict.goal(measures)
    pace = {s.rule: s.step_seconds or math.nan for s in verdict.standings}
    rows = []
    for curve in results.curves:
        run = curve.run
        judged = run.stage != "tuning"
        whole = judged and run.stage != SHORTER
        steps = steps_to(curve, target, results.plan.period) if whole else math.nan
        lost = diverged_at(curve, TEST if judged else VALIDATION)
        rows.append(
            {
                "rule": run.rule,
                **run.configuration.values,
                "stage": run.stage,
                "repetition": repetition_of(run.seed) + 1,
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


def packed(results: Results) -> bytes:
    """Every run's training loss by ``sampling.m4``, evaluation runs first as long as there is room.

    The length of a header in four bytes, the header as JSON, and pairs of 16-bit numbers, one for
    each point: how many strides it is after the point before, and its level. First come the lower
    bytes of all first numbers, then their upper ones, then those of the levels: they deflate best
    apart.

    The header says how many ``points`` each run has, in the order of ``Results.curves``, 0 where
    there was no room for it; the ``stride``; and what level 0 and the highest of the ``levels``
    stand for: ``low`` and ``high``, logarithms if ``log``.
    """
    import numpy as np

    runs = results.curves
    columns = max(COLUMNS[0], min(COLUMNS[1], MOST_POINTS // (4 * max(1, len(runs)))))
    order = sorted(range(len(runs)), key=lambda i: (runs[i].run.stage == "tuning", i))
    shown = set(order[: MOST_POINTS // (4 * columns)])
    finite = [c.losses[np.isfinite(c.losses)] for c in runs]
    low = min((float(x.min()) for x in finite if x.size), default=0.0)
    ceiling = 100 * _start(finite)
    high = min(max((float(x.max()) for x in finite if x.size), default=1.0), ceiling)
    log = low > 0
    ends = (math.log(low), math.log(high)) if log else (low, high)
    stride = max(1, -(-results.plan.steps // MOST_STEPS))
    parts, points = [np.empty((0, 2), "<u2")], []
    for i, curve in enumerate(runs):
        kept = m4(curve.losses, columns) if i in shown else np.empty(0, np.intp)
        values = np.minimum(curve.losses[kept].astype(float), high)
        values = np.log(values) if log else values
        share = (values - ends[0]) / ((ends[1] - ends[0]) or 1.0)
        later = np.diff(np.rint((kept + 1) / stride), prepend=0)
        parts.append(np.stack([later, np.rint(share * LEVELS)], axis=-1).astype("<u2"))
        points.append(len(kept))
    header = {"points": points, "stride": stride, "levels": LEVELS}
    header |= {"low": ends[0], "high": ends[1], "log": log}
    told = json.dumps(header, separators=(",", ":")).encode()
    planes = np.concatenate(parts).view(np.uint8).T
    return len(told).to_bytes(4, "little") + told + planes.tobytes()


def unpacked(content: bytes) -> list[Any]:
    """The same again: an array (n, 2) of steps and losses for each run."""
    import numpy as np

    length = int.from_bytes(content[:4], "little")
    found = json.loads(content[4 : 4 + length])
    planes = np.frombuffer(content, np.uint8, offset=4 + length).reshape(4, -1)
    later, levels = np.ascontiguousarray(planes.T).view("<u2").astype(float).T
    values = found["low"] + (found["high"] - found["low"]) * levels / found["levels"]
    values = np.exp(values) if found["log"] else values
    ends = np.cumsum(found["points"])[:-1]
    runs = zip(np.split(later, ends), np.split(values, ends), strict=True)
    return [np.stack([np.cumsum(l) * found["stride"], v], axis=-1) for l, v in runs]


def _start(losses: Sequence[Any]) -> float:
    firsts = [abs(float(x[0])) for x in losses if x.size]
    return max(firsts, default=1.0) or 1.0
