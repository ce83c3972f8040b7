"""How a walk down a surface ended: at a minimum or a saddle, standing still, under way, or off."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ravine.explain.surfaces.surface import Surface
from ravine.explain.surfaces.walk import Path

NEAR = 0.01  # of the window's diagonal: this close is there
GONE = 100.0  # diagonals from the middle of the window: this far is off
STILL = 0.01  # of the path's extent: a last tenth shorter than that is hardly a walk
FLAT = 1e-9  # of the larger curvature: less than that is none
MARKS = {"minimum": "●", "diverged": "✕", "on its way": "○"}


@dataclass(frozen=True)
class Ending:
    """Where and how a walk ended.

    ``kind`` is minimum, local minimum, saddle, maximum, stalled, on its way or diverged; ``step``
    from when on it stayed there, where it diverged, or the last. ``slope`` is the length of the
    gradient there, without noise; ``distance`` that to ``nearest``, the nearest known minimum, or
    None if none is known.
    """

    kind: str
    step: int
    point: tuple[float, float]
    value: float
    slope: float
    nearest: tuple[float, float] | None
    distance: float | None

    @property
    def mark(self) -> str:
        """● reached, ■ stalled, ✕ diverged, ○ still on its way."""
        return MARKS.get(self.kind, "■")


def ending(surface: Surface, path: Path) -> Ending:
    """What became of a walk down a surface.

    A point is near a minimum or a saddle if Newton's step from there, H⁻¹g, is short: that asks
    how far away the place is, whatever the units of the slope. The signs of H's eigenvalues say
    which of them it is.
    """
    points, end = path.weights, path.weights[-1]
    x, y = float(end[0]), float(end[1])
    slope = math.hypot(*surface.gradient(x, y))
    known = [(math.dist((x, y), minimum[:2]), minimum[:2]) for minimum in surface.minima]
    distance, nearest = min(known) if known else (None, None)
    kind, step = "on its way", len(points) - 1
    gone = _gone(surface, points)
    if path.diverged_at is not None:
        kind = "diverged"
    elif gone is not None:
        kind, step = "diverged", gone
    elif _is_settled(surface, points):
        place = _place(surface, x, y, distance)
        kind = place or _pace(surface, points)
        if place is not None:
            away = np.hypot(*(points - (nearest if place == "minimum" and nearest else end)).T)
            step = _from_when_on(away, NEAR * _diagonal(surface))
    return Ending(kind, step, (x, y), float(path.values[-1]), slope, nearest, distance)


def _gone(surface: Surface, points: NDArray[np.float64]) -> int | None:
    """The step from which on a walk stays so far off that the surface is out of sight."""
    x0, x1, y0, y1 = surface.window
    nearness = -np.hypot(points[:, 0] - (x0 + x1) / 2, points[:, 1] - (y0 + y1) / 2)
    first = _from_when_on(nearness, -GONE * _diagonal(surface))
    return first if first < len(points) else None


def _from_when_on(values: NDArray[np.float64], most: float) -> int:
    """The first step after the last at which a value is above a bound."""
    above = np.flatnonzero(values > most)
    return int(above[-1]) + 1 if len(above) else 0


def _is_settled(surface: Surface, points: NDArray[np.float64]) -> bool:
    """Whether the last tenth of a walk is all in one place."""
    return _extent(_last(points)) <= NEAR * _diagonal(surface)


def _place(surface: Surface, x: float, y: float, distance: float | None) -> str | None:
    """What kind of point without a slope is near; None if there is none."""
    near = NEAR * _diagonal(surface)
    if distance is not None and distance <= near:
        return "minimum"
    slope, hessian = np.array(surface.gradient(x, y)), np.array(surface.hessian(x, y))
    if not (np.isfinite(slope).all() and np.isfinite(hessian).all()):
        return None
    newton = np.linalg.lstsq(hessian, -slope, rcond=None)[0]
    flat = np.allclose(hessian, 0, rtol=0, atol=0)
    if flat or math.hypot(*newton) > near:
        return None
    low, high = np.linalg.eigvalsh(hessian)
    bend = FLAT * max(abs(low), abs(high))
    if low < -bend:
        return "saddle" if high > -bend else "maximum"
    if low <= bend:
        return None  # flat one way: a valley's floor, or nobody knows
    return "local minimum" if surface.minima else "minimum"


def _pace(surface: Surface, points: NDArray[np.float64]) -> str:
    whole = _extent(points)
    still = whole <= NEAR * _diagonal(surface) or _extent(_last(points)) <= STILL * whole
    return "stalled" if still else "on its way"


def _last(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[-max(2, len(points) // 10) :]


def _extent(points: NDArray[np.float64]) -> float:
    """The greatest distance from where a stretch of a walk ends."""
    return float(np.hypot(*(points - points[-1]).T).max())


def _diagonal(surface: Surface) -> float:
    x0, x1, y0, y1 = surface.window
    return math.hypot(x1 - x0, y1 - y0)
