"""Learning-rate schedules: functions of progress, 0 at the start and 1 at the end.

Each gives the factor on the learning rate and takes, as ``end``, what is left of it at progress 1.
Progress is a number or an array of any library.
"""

import math
from collections.abc import Callable
from typing import Any

from ravine.rules.ops import cos, power, sqrt, where


def constant(progress: Any, end: Any = 1.0) -> Any:
    """The whole rate until the end, whatever ``end`` says."""
    return 1.0


def linear(progress: Any, end: Any = 0.0) -> Any:
    """Down in a straight line.

    >>> linear(0.25), linear(0.25, end=0.2)
    (0.75, 0.8)
    """
    return 1 - (1 - end) * progress


def cosine(progress: Any, end: Any = 0.0) -> Any:
    """Down along half a wave: Loshchilov & Hutter 2017, equation 5, without restarts.

    https://arxiv.org/abs/1608.03983

    >>> cosine(0.5)
    0.5
    """
    return end + (1 - end) * (0.5 * (1 + cos(math.pi * progress)))


def exponential(progress: Any, end: Any = 0.01) -> Any:
    """By the same share each step."""
    return power(end, progress)


def step(progress: Any, end: Any = 0.01) -> Any:
    """Two equal drops, after a half and three quarters: He et al. 2016, section 4.2.

    https://arxiv.org/abs/1512.03385

    >>> [step(progress) for progress in (0.49, 0.5, 0.75)]
    [1.0, 0.1, 0.01]
    """
    # Arrays like progress: of two plain numbers TensorFlow and PyTorch make float32.
    none = 0 * progress
    return where(progress < 0.5, none + 1, where(progress < 0.75, none + sqrt(end), none + end))


def inverse(progress: Any, end: Any = 0.01) -> Any:
    """One over a straight line: Robbins & Monro 1951, section 2, and what old Keras calls decay.

    https://doi.org/10.1214/aoms/1177729586

    >>> inverse(0.5, end=0.5)
    0.6666666666666666
    """
    return 1 / (1 + (1 / end - 1) * progress)


SCHEDULES: dict[str, Callable[..., Any]] = {
    schedule.__name__: schedule
    for schedule in (constant, linear, cosine, exponential, inverse, step)
}
