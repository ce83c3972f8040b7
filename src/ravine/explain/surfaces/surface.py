"""A function of two variables that has a name: what it shows, where to look, where to start."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

from ravine.errors import InvalidArgument
from ravine.explain.surfaces.formula import Formula
from ravine.explain.surfaces.noise import noise


class Minimum(NamedTuple):
    """A point where the surface is lowest, and how low it is there."""

    x: float
    y: float
    value: float


@dataclass(frozen=True)
class Surface:
    """One definition: everything else, in Python and in JavaScript, follows from its formula.

    ``x`` and ``y`` are floats, or float64 arrays whose shapes broadcast. ``minima`` are the global
    ones; a surface that falls for ever has none. With ``noise`` the gradient that a rule is given
    (:meth:`sample`) is the true one plus that many times :func:`ravine.surfaces.noise.noise`.

    >>> from ravine.explain.surfaces import SURFACES
    >>> SURFACES["worked-example"].gradient(1.0, 1.0)
    (12.0, 8.0)
    """

    name: str
    title: str
    text: str  # the formula
    window: tuple[float, float, float, float]  # worth looking at: x from, to, y from, to
    start: tuple[float, float]
    about: str  # what it shows, in a sentence
    source: str
    minima: tuple[Minimum, ...] = ()
    noise: float = 0.0

    @classmethod
    def of(cls, text: str) -> "Surface":
        """A formula of somebody's own, of which no more is known. Raises ``InvalidArgument``."""
        formula = Formula.read(text)
        window = (-1.5, 1.5, -1.5, 1.5)
        return cls(formula.text, formula.plain(), formula.text, window, (1.0, 1.0), "", "yours")

    @cached_property
    def formula(self) -> Formula:
        """The formula as it is calculated."""
        return Formula.read(self.text)

    def value(self, x: Any, y: Any) -> Any:
        """How high the surface is."""
        return self.formula(x, y)

    def gradient(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Its slope by x and by y, without noise."""
        by_x, by_y = self.formula.gradient
        return by_x(x, y), by_y(x, y)

    def hessian(self, x: Any, y: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Its second derivatives, in rows."""
        (xx, xy), (_, yy) = self.formula.hessian
        mixed = xy(x, y)
        return (xx(x, y), mixed), (mixed, yy(x, y))

    def sample(self, x: float, y: float, step: int, seed: int = 0) -> tuple[float, float]:
        """The gradient that a rule is given at a step, counted from 1."""
        by_x, by_y = self.gradient(x, y)
        if not self.noise:
            return by_x, by_y
        return (
            by_x + self.noise * noise(seed, step, 0),
            by_y + self.noise * noise(seed, step, 1),
        )

    def at(self, point: Any) -> "Surface":
        """The same with another start, two numbers or "1,1", and in its window.

        Raises ``InvalidArgument``.
        """
        try:
            parts = point.strip(" ()[]").split(",") if isinstance(point, str) else point
            x, y = map(float, parts)
        except (TypeError, ValueError):
            x = y = math.nan
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InvalidArgument(f"a start is two finite numbers such as 1,1, not {point!r}")
        (x0, x1), (y0, y1) = _stretched(self.window[:2], x), _stretched(self.window[2:], y)
        return replace(self, start=(x, y), window=(x0, x1, y0, y1))

    def functions(self, seed: int = 0) -> tuple[Callable[[Any], float], Callable[[Any], Any]]:
        """Value and gradient of a float64 array (2,), for one walk: the noise counts its steps."""
        import numpy as np

        steps = count(1)

        def value(w: Any) -> float:
            return float(self.value(float(w[0]), float(w[1])))

        def gradient(w: Any) -> Any:
            return np.array(self.sample(float(w[0]), float(w[1]), next(steps), seed))

        return value, gradient

    def javascript(self) -> str:
        """An object: what the surface has by name, and its functions, with the bits of Python.

        ``value(x, y)``, ``gradient(x, y)``, ``hessian(x, y)`` give a number, a pair and a pair of
        pairs; ``sample(x, y, step, seed)`` the gradient with the noise. In scope must be the
        functions of ``notation.javascript.HELPERS`` and of ``surfaces.noise.JAVASCRIPT``. What
        differs in the last bit from Python: see ``surfaces.arithmetic``.
        """
        given = {
            "name": self.name,
            "title": self.title,
            "text": self.formula.text,
            "window": self.window,
            "start": self.start,
            "minima": self.minima,
            "noise": self.noise,
            "about": self.about,
        }
        by_x, by_y = (part.javascript() for part in self.formula.gradient)
        (xx, xy), (_, yy) = ((one.javascript() for one in row) for row in self.formula.hessian)
        noisy = [
            f"{by} + {json.dumps(self.noise)} * noise(seed, step, {i})" if self.noise else by
            for i, by in enumerate((by_x, by_y))
        ]
        lines = [
            *(f"{key}: {json.dumps(value)}" for key, value in given.items()),
            f"value(x, y) {{ return {self.formula.javascript()}; }}",
            f"gradient(x, y) {{ return [{by_x}, {by_y}]; }}",
            f"hessian(x, y) {{ return [[{xx}, {xy}], [{xy}, {yy}]]; }}",
            f"sample(x, y, step, seed) {{ return [{', '.join(noisy)}]; }}",
        ]
        return "{\n" + "".join(f"  {line},\n" for line in lines) + "}"


def _stretched(side: tuple[float, float], at: float) -> tuple[float, float]:
    """A side of a window, longer if something lies outside of it."""
    low, high = side
    margin = 0.1 * (high - low)
    return (at - margin if at < low else low), (at + margin if at > high else high)
