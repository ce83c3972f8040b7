"""Several rules walking down one surface from one start."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ravine.explain.surfaces import find
from ravine.explain.surfaces.ending import Ending, ending
from ravine.explain.surfaces.surface import Surface
from ravine.explain.surfaces.walk import Path, walk
from ravine.frameworks.spelling import read_rules
from ravine.rules.update_rule import Rule


@dataclass(frozen=True)
class Descent:
    """Who went where: a path and an ending for each rule, in the order given."""

    surface: Surface
    steps: int
    seed: int
    paths: tuple[Path, ...]

    @classmethod
    def of(cls, surface: Surface, rules: Sequence[Rule], steps: int, seed: int = 0) -> "Descent":
        """Let every rule walk from the surface's start. Raises ``InvalidArgument``."""
        paths = [walk(rule, surface, surface.start, steps, seed) for rule in rules]
        return cls(surface, steps, seed, tuple(paths))

    @classmethod
    def read(
        cls,
        surface: str,
        start: str | None,
        rules: str,
        learning_rate: float | None,
        steps: int,
        seed: int,
    ) -> "Descent":
        """The descent that texts ask for, as the command line has them. Raises
        ``InvalidArgument``.
        """
        found, walkers = find(surface), read_rules(rules)
        if start is not None:
            found = found.at(start)
        if learning_rate is not None:
            walkers = [walker.replace({"learning_rate": learning_rate}) for walker in walkers]
        return cls.of(found, walkers, steps, seed)

    @property
    def endings(self) -> tuple[Ending, ...]:
        """How each walk ended."""
        return tuple(ending(self.surface, path) for path in self.paths)

    def to_json(self) -> dict[str, Any]:
        """Everything, for other programs; what is not finite is null."""
        surface = self.surface
        known = surface.source != "yours"
        return {
            "surface": surface.name if known else None,
            "formula": surface.formula.text,
            "gradient": [part.text for part in surface.formula.gradient],
            "start": surface.start,
            "gradient_at_start": _finite(surface.gradient(*surface.start)),
            "minima": [list(minimum) for minimum in surface.minima],
            "noise": surface.noise,
            "seed": self.seed,
            "steps": self.steps,
            "walks": [self._walk(*each) for each in zip(self.paths, self.endings, strict=True)],
        }

    def _walk(self, path: Path, end: Ending) -> dict[str, Any]:
        return {
            "rule": str(path.rule),
            "hyperparameters": path.rule.values(),
            "ended": end.kind,
            "at_step": end.step,
            "diverged_at": end.step if end.kind == "diverged" else None,
            "point": _finite(end.point),
            "value": _finite(end.value),
            "slope": _finite(end.slope),
            "nearest_minimum": end.nearest,
            "distance": _finite(end.distance),
            "weights": _finite(path.weights.tolist()),
            "values": _finite(path.values.tolist()),
            "gradients": _finite(path.gradients.tolist()),
        }


def _finite(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value if value is None or math.isfinite(value) else None
