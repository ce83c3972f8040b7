"""Fewer points that draw the same line."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def m4(values: NDArray[Any], columns: int, log: bool = False) -> NDArray[np.intp]:
    """Which points of a series to keep: of each column of pixels the first, last, least and most.

    ``values``: (n,), at equal distances; with ``log`` on an axis of the logarithm of 1 … n. A line
    through what is kept covers the same pixels as one through all, and no spike is lost: at most
    4 × ``columns`` indices, ascending. Points that are not finite are left out. Jugel et al. 2014,
    "M4: A Visualization-Oriented Time Series Data Aggregation".

    >>> m4(np.array([0.0, 5.0, 1.0, 1.0, 1.0, -7.0, 2.0, 2.0]), columns=2).tolist()
    [0, 1, 3, 4, 5, 6, 7]
    """
    kept = np.flatnonzero(np.isfinite(values))
    if not kept.size:
        return kept
    places = columns_of(len(values), columns, log)[kept]
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    sizes = np.diff(starts, append=len(kept))
    found = [starts, starts + sizes - 1]
    for reduce in (np.minimum, np.maximum):
        extremes = reduce.reduceat(values[kept], starts)
        where = np.flatnonzero(values[kept] == np.repeat(extremes, sizes))
        _, first = np.unique(places[where], return_index=True)
        found.append(where[first])
    chosen: NDArray[np.intp] = kept[np.unique(np.concatenate(found))]
    return chosen


def columns_of(count: int, columns: int, log: bool = False) -> NDArray[np.intp]:
    """In which column of pixels each of the points 1 … ``count`` of an axis lies."""
    if log:
        share = np.log(np.arange(1, count + 1)) / math.log(max(2, count))
    else:
        share = np.arange(count) / max(1, count - 1)
    return np.minimum((share * columns).astype(np.intp), columns - 1)
