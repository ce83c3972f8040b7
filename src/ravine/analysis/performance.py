"""Performance profiles: how often, over many workloads, a rule is nearly the fastest."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ravine.errors import InvalidArgument

if TYPE_CHECKING:
    import pandas as pd

POINTS = 100


class PerformanceProfile(NamedTuple):
    """``profile``: a row a submission, a column a τ. ``score``: a number a submission, 0 to 1."""

    profile: "pd.DataFrame"
    score: "pd.Series[float]"


def performance_profile(times: "pd.DataFrame", tau_max: float = 4.0) -> PerformanceProfile:
    """The share of workloads on which each submission is within τ times of the fastest.

    ``times``: a row a submission, a column a workload, times to the target in any unit, one a
    workload; NaN, missing and infinite are a target that was missed, which is within no τ. The
    score is the profile's integral over τ from 1 to ``tau_max`` by the trapezoid rule on 100
    points, divided by ``tau_max`` - 1. Raises ``InvalidArgument`` for times that are not positive.

    Dahl et al. 2023, https://arxiv.org/abs/2306.07179 (AlgoPerf); Dolan & Moré 2002.

    >>> import pandas as pd
    >>> times = pd.DataFrame({"mnist": [1.0, 2.0], "wmt": [9.0, float("inf")]}, ["adam", "sgd"])
    >>> performance_profile(times).score.round(2).to_dict()
    {'adam': 1.0, 'sgd': 0.34}
    """
    import pandas as pd

    if not tau_max > 1 or not np.isfinite(tau_max):
        raise InvalidArgument(f"tau_max={tau_max!r} is not allowed: it must be > 1 and finite")
    if times.empty:
        raise InvalidArgument("times is empty: give a row a submission and a column a workload")
    known = times.astype(float).fillna(np.inf)
    if (known <= 0).to_numpy().any():
        raise InvalidArgument("times must be > 0; a missed target is NaN or infinite")
    values = known.to_numpy()
    fastest = values.min(axis=0)
    reached = np.isfinite(fastest)  # by anyone: else nobody is near the fastest
    ratios = np.divide(values, fastest, out=np.full_like(values, np.inf), where=reached)
    taus = np.linspace(1.0, tau_max, POINTS)
    shares = (ratios[:, :, None] <= taus).mean(axis=1)
    profile = pd.DataFrame(shares, index=times.index, columns=pd.Index(taus, name="tau"))
    score = np.trapezoid(shares, taus, axis=1) / (tau_max - 1)
    return PerformanceProfile(profile, pd.Series(score, index=times.index, name="score"))
