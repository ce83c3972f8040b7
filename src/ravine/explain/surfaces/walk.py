"""A rule walking down a function, step by step in plain Python."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.errors import InvalidArgument
from ravine.explain.surfaces import Surface, find
from ravine.rules.update_rule import Rule, step

MOST_STEPS = 1_000_000
ValueAndGradient = tuple[Callable[[Any], Any], Callable[[Any], Any]]
Walkable = Surface | str | ValueAndGradient


@dataclass(frozen=True)
class Path:
    """Where a walk went. Row 0 is the start; a walk that leaves the finite numbers ends there.

    ``weights`` is (n + 1, *shape of the start), ``values`` (n + 1,), ``gradients`` (n, …) taken
    where the rule takes them: ahead of the weights, if it looks ahead.
    """

    rule: Rule
    weights: NDArray[np.float64]
    values: NDArray[np.float64]
    gradients: NDArray[np.float64]

    @property
    def diverged_at(self) -> int | None:
        """The step that led to a value that is not finite, or None."""
        return None if math.isfinite(self.values[-1]) else len(self.values) - 1


def walk(rule: Rule, f: Walkable, start: Any, steps: int, seed: int = 0) -> Path:
    """Take ``steps`` steps from ``start``.

    ``f`` is a surface, its name, a formula in x and y, or a pair of functions, value and gradient.
    ``start`` is a number, or a list or array of numbers; the functions are given the same kind:
    a float, or a float64 array. A surface wants two numbers; ``seed`` is that of its noise.
    """
    if isinstance(f, str):
        f = find(f)
    if isinstance(f, Surface):
        start = f.at(start).start
        f = f.functions(seed)
    if not (isinstance(f, tuple | list) and len(f) == 2 and all(map(callable, f))):
        raise InvalidArgument(
            "f is a surface, its name, a formula in x and y, or a pair of functions, "
            f"(value, gradient), not {f!r}"
        )
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise InvalidArgument(f"steps={steps!r} is not allowed: give a whole number of at least 1")
    if steps > MOST_STEPS:
        raise InvalidArgument(
            f"steps={steps} is not allowed: at most {MOST_STEPS}, as all are kept"
        )
    value, gradient = f
    w: Any = np.array(start, dtype=np.float64)
    w = float(w) if w.ndim == 0 else w
    gradients: list[Any] = []

    def slope(at: Any) -> Any:
        g = gradient(at)
        gradients.append(g if np.ndim(g) == 0 else np.asarray(g, dtype=np.float64))
        return gradients[-1]

    state = rule.init(w)
    weights, values = [w], [float(value(w))]
    # Walking off is a result that is shown, not a fault to warn of.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for t in range(1, steps + 1):
            w, state = step(rule, slope, w, state, t)
            weights.append(rule.read(w, state, t))
            values.append(float(value(weights[-1])))
            if not math.isfinite(values[-1]):
                break
    return Path(rule, np.array(weights), np.array(values), np.array(gradients))
