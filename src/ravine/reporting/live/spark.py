"""A curve in a line of text."""

import math
from collections.abc import Sequence

LEVELS = "▁▂▃▄▅▆▇█"
GAP = " "  # where a curve is not finite


def spark(values: Sequence[float], whole: int, width: int, low: float, high: float) -> str:
    """Between ``low`` and ``high``, by the logarithm if it can be.

    ``whole`` values would take ``width`` characters, or one each if they are fewer.

    >>> spark([8, 4, 2, 1], 4, 4, 1, 8), spark([1, math.nan, 0], 3, 3, 0, 1)
    ('█▆▃▁', '█ ▁')
    >>> spark([1.0, 2.0], 2, 8, 1, 2), spark([1.0, 2.0], 4, 2, 1, 2)
    ('▁█', '█')
    """
    if not len(values):
        return ""
    count = max(1, round(min(width, whole) * len(values) / whole))
    scale = math.log if low > 0 else float
    bottom, span = scale(low), scale(high) - scale(low)
    drawn = []
    for k in range(count):  # the last of what a character stands for: the curve ends where it does
        value = values[(k + 1) * len(values) // count - 1]
        if not math.isfinite(value):
            drawn.append(GAP)
            continue
        share = (scale(min(max(value, low), high)) - bottom) / span if span > 0 else 0.0
        drawn.append(LEVELS[min(len(LEVELS) - 1, int(share * len(LEVELS)))])
    return "".join(drawn)
