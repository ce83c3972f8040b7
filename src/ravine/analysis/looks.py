"""How much of the error each look at the evaluation runs may spend."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

NODES = 64  # of the integral from look to look

Floats = NDArray[np.float64]


@cache
def nominal_levels(looks: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    """The two-sided level of each look's test, so that all looks together err in ``alpha``.

    The error is spent linearly with the number of seeds: Lan & DeMets 1983, Biometrika 70:659. The
    score of a comparison that has not ended is followed from look to look by numerical integration:
    Armitage, McPherson & Rowe 1969, J. R. Statist. Soc. A 132:235.

    >>> [round(level, 5) for level in nominal_levels((6, 9, 12, 18, 24), 0.05 / 7)]
    [0.00179, 0.00131, 0.00145, 0.00244, 0.00292]
    """
    from scipy.special import ndtr  # scipy.stats takes a second to import

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    scores, masses = np.zeros(1), np.ones(1)  # where the score was, and how probable that is
    levels, before = [], 0.0
    for look in looks:
        time = look / looks[-1]
        spent, spread = alpha * (time - before), np.sqrt(time - before)
        bound = _bound(scores, masses, spread, spent)
        levels.append(float(2 * ndtr(-bound / np.sqrt(time))))
        later = bound * nodes
        away = (later[:, None] - scores) / spread
        density = np.exp(-(away**2) / 2) @ masses / (np.sqrt(2 * np.pi) * spread)
        scores, masses, before = later, density * bound * weights, time
    return tuple(levels)


def _bound(scores: Floats, masses: Floats, spread: float, spent: float) -> float:
    """Beyond which a look stops as much as it may spend."""
    from scipy.special import ndtr

    low, high = 0.0, 9.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        beyond = ndtr((scores - middle) / spread) + ndtr((-middle - scores) / spread)
        low, high = (middle, high) if float(masses @ beyond) > spent else (low, middle)
    return (low + high) / 2
