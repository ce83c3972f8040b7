"""The picture of a descent: a map of the surface and the path of every rule on it."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravine.explain.surfaces.descent import Descent
from ravine.explain.surfaces.surface import Surface
from ravine.reporting import style
from ravine.reporting.numbers import number, numbers

if TYPE_CHECKING:
    import altair as alt

LONG, SHORT = 520, 240  # pixels: the longer side of a map, and the least of the other
GRID = 161  # points of a surface along each side
# Shares of the map below each level: evenly spaced, and a few close to the lowest point.
LEVELS = (0.01, 0.03, 0.06, *(k / 10 for k in range(1, 10)), 0.95)
DARKEST = 0.3  # of the way from the background to muted text, at the highest
LABEL_GAP, LABEL_AWAY = 17, 12  # pixels between labels, and from an end to its label
LETTER = 7.2  # pixels, on average
NEIGHBOUR = 60  # pixels: a mark so close beside another keeps labels away from itself
DOTS = 60  # a path of no more steps shows each
SAID = {"minimum": "arrived", "saddle": "at a saddle", "local minimum": "in a local minimum"}
SHAPES = {"●": "circle", "○": "circle", "■": "square", "✕": "M-1,-1L1,1M-1,1L1,-1"}


class Map(NamedTuple):
    """What is seen, and how large."""

    window: tuple[float, float, float, float]
    width: float
    height: float

    def across(self, x: Any) -> Any:
        """Pixels from the left."""
        return (x - self.window[0]) / (self.window[1] - self.window[0]) * self.width

    def down(self, y: Any) -> Any:
        """Pixels from the top."""
        return (self.window[3] - y) / (self.window[3] - self.window[2]) * self.height

    def has(self, point: Sequence[float]) -> bool:
        """Whether a point is inside."""
        x0, x1, y0, y1 = self.window
        return x0 <= point[0] <= x1 and y0 <= point[1] <= y1


def picture(descent: Descent, paint: style.Paint = style.LIGHT) -> Any:
    """An Altair chart: the surface from light (low) to dark, a line a rule, ends and their names.

    ● reached a minimum, ○ still on its way, ■ stopped elsewhere, ✕ diverged or left the map.
    """
    import altair as alt

    seen, names = _seen(descent), called(descent)
    drawn = style.looks(dict.fromkeys(names), paint)
    looks: dict[str, Any] = {
        "color": alt.Color("rule:N", legend=None, scale=_scale(names, drawn, 0)),
        "strokeDash": alt.StrokeDash("rule:N", legend=None, scale=_scale(names, drawn, 1)),
    }
    layers = [
        *_ground(descent.surface, seen, paint),
        *_minima(descent.surface, seen, paint),
        *_walks(descent, names, seen, looks, paint),
        *_ends(descent, names, seen, looks, paint),
    ]
    rates = {path.rule.learning_rate for path in descent.paths}
    shared = f", learning rate {number(rates.pop())}" if len(rates) == 1 else ""
    heading = alt.TitleParams(
        descent.surface.title,
        subtitle=f"{descent.steps} steps from ({numbers(descent.surface.start)}){shared}",
    )
    chart = alt.layer(*layers, width=seen.width, height=seen.height, title=heading)
    return chart.configure(**style.configuration(paint))


def called(descent: Descent) -> list[str]:
    """What each rule is called beside the others: its learning rate goes without saying if shared.

    Twice the same stays twice the same.
    """
    rules = [path.rule for path in descent.paths]
    if len({rule.learning_rate for rule in rules}) == 1:
        own = [{"learning_rate": rule.defaults()["learning_rate"]} for rule in rules]
        rules = [rule.replace(default) for rule, default in zip(rules, own, strict=True)]
    return [str(rule) for rule in rules]


def _scale(names: list[str], drawn: dict[str, style.Look], part: int) -> "alt.Scale":
    import altair as alt

    return alt.Scale(domain=names, range=[drawn[name][part] for name in names])


def _seen(descent: Descent) -> Map:
    """A named surface's window; of a formula what the paths that stay near have seen."""
    surface = descent.surface
    x0, x1, y0, y1 = surface.window
    if surface.source == "yours":
        stayed = [p for p, e in zip(descent.paths, descent.endings, strict=True) if e.mark != "✕"]
        points = np.vstack([path.weights for path in stayed] or [np.array([surface.start])])
        low, high = points.min(axis=0), points.max(axis=0)
        half = 0.65 * max(*(high - low), 0.2 * math.hypot(*surface.start), 0.1)
        middle = (low + high) / 2
        x0, x1 = middle[0] - half, middle[0] + half
        y0, y1 = middle[1] - half, middle[1] + half
    wide, high_ = x1 - x0, y1 - y0
    unit = LONG / max(wide, high_)
    return Map((x0, x1, y0, y1), max(SHORT, wide * unit), max(SHORT, high_ * unit))


def _ground(surface: Surface, seen: Map, paint: style.Paint) -> Iterator[Any]:
    """The parts of the map below each level, painted from the highest down, and their rims."""
    import altair as alt
    import contourpy
    import pandas as pd

    x0, x1, y0, y1 = seen.window
    xs, ys = np.linspace(x0, x1, GRID), np.linspace(y0, y1, GRID)
    heights = np.asarray(surface.value(xs[np.newaxis, :], ys[:, np.newaxis]), dtype=np.float64)
    heights = np.where(np.isfinite(heights), heights, np.nan)
    known = not np.isnan(heights).all()
    levels = np.unique(np.nanquantile(heights, LEVELS)) if known else np.array([])
    lines: Any = contourpy.contour_generator(xs, ys, heights, fill_type="OuterOffset")
    sheet = alt.Chart(pd.DataFrame({"unused": [0]})).mark_rect(color=_shade(paint, 1))
    corners: dict[str, Any] = {"x": alt.XValue(0), "x2": alt.X2Value("width")}
    yield sheet.encode(**corners, y=alt.YValue(0), y2=alt.Y2Value("height"))
    for rank in reversed(range(len(levels))):
        shade = _shade(paint, (rank + 0.5) / len(levels))
        polygons = zip(*lines.filled(-np.inf, levels[rank]), strict=True)
        below = _strokes([_joined(*polygon) for polygon in polygons], seen)
        yield below.mark_line(interpolate="linear-closed", fill=shade, strokeWidth=0, clip=True)
    rims = [line for level in levels for line in lines.lines(level)]
    yield _strokes(rims, seen).mark_line(color=_shade(paint, 1.6), strokeWidth=0.6, clip=True)


def _minima(surface: Surface, seen: Map, paint: style.Paint) -> Iterator[Any]:
    """A small cross hair at each known minimum."""
    import altair as alt
    import pandas as pd

    here = [minimum[:2] for minimum in surface.minima if seen.has(minimum)]
    if here:
        data = pd.DataFrame(here, columns=["x", "y"])
        cross = alt.Chart(data).mark_point(
            shape="cross", size=70, fill=paint.surface, stroke=paint.ink, strokeWidth=1, opacity=1
        )
        yield cross.encode(**_places(seen))


def _walks(
    descent: Descent, names: list[str], seen: Map, looks: dict[str, Any], paint: style.Paint
) -> Iterator[Any]:
    """The paths, and where they all start."""
    import altair as alt
    import pandas as pd

    parts = []
    for name, path in zip(names, descent.paths, strict=True):
        inside = path.weights[: _shown(path.weights, seen)]
        steps = range(len(inside))
        parts.append(
            pd.DataFrame(
                {"rule": name, "step": steps, "x": inside[:, 0], "y": inside[:, 1]},
            )
        )
    base = alt.Chart(pd.concat(parts, ignore_index=True)).encode(
        **_places(seen), color=looks["color"], order="step:Q"
    )
    yield base.mark_line(strokeWidth=2, clip=True, strokeJoin="round").encode(
        strokeDash=looks["strokeDash"]
    )
    if descent.steps <= DOTS:
        yield base.mark_circle(size=16, opacity=1, clip=True)
    start = pd.DataFrame([descent.surface.start], columns=["x", "y"])
    ring = alt.Chart(start).mark_point(size=90, stroke=paint.ink, strokeWidth=1.5, opacity=1)
    yield ring.encode(**_places(seen))


def _ends(
    descent: Descent, names: list[str], seen: Map, looks: dict[str, Any], paint: style.Paint
) -> Iterator[Any]:
    """A mark where each path ends or leaves the map, and the rule's name beside it."""
    import altair as alt
    import pandas as pd

    ends = pd.DataFrame(list(_endings(descent, names, seen)))
    # The name stands beside the end, on the side that has room.
    longest = ends["label"].map(len) * LETTER + LABEL_AWAY
    before = (ends["across"] + longest > seen.width) & (ends["across"] > longest)
    ends["label_down"] = style.spread_out(list(ends["down"]), LABEL_GAP, 9, seen.height - 9)
    marks = ends[["across", "down"]].to_numpy()
    ends["across"] = [
        _clear(across, down, marks, -1 if left else 1)
        for across, down, left in zip(ends["across"], ends["label_down"], before, strict=True)
    ]
    for some, align, away in ((~before, "left", LABEL_AWAY), (before, "right", -LABEL_AWAY)):
        base = alt.Chart(ends[some]).encode(**_pixels("label_down"), text=alt.Text("label:N"))
        words: dict[str, Any] = {"align": align, "dx": away, "fontWeight": 600}
        yield base.mark_text(**words, stroke=paint.surface, strokeWidth=4, strokeJoin="round")
        yield base.mark_text(**words).encode(color=looks["color"])
    for mark in ends["mark"].unique():
        look: dict[str, Any] = {"shape": SHAPES[mark], "size": 90, "opacity": 1}
        if mark in "●■":
            look |= {"filled": True}
        else:
            look |= {"fill": paint.surface if mark == "○" else None, "strokeWidth": 2.5}
        one = alt.Chart(ends[ends["mark"] == mark]).mark_point(**look)
        yield one.encode(**_places(seen), color=looks["color"])


def _endings(descent: Descent, names: list[str], seen: Map) -> Iterator[dict[str, Any]]:
    for name, path, end in zip(names, descent.paths, descent.endings, strict=True):
        x, y = _last_seen(path.weights, seen)
        left = end.mark == "○" and not seen.has(end.point)
        at = f" at {end.step}" if end.kind in ("minimum", "saddle", "diverged") else ""
        said = "off the map" if left else SAID.get(end.kind, end.kind)
        yield {
            "rule": name,
            "mark": "✕" if left else end.mark,
            "label": f"{name} {said}{at}",
            "x": x,
            "y": y,
            "across": seen.across(x),
            "down": seen.down(y),
        }


def _shown(points: NDArray[np.float64], seen: Map) -> int:
    """How many points of a path are drawn: to the first that is far outside, and no further."""
    x0, x1, y0, y1 = seen.window
    middle, size = ((x0 + x1) / 2, (y0 + y1) / 2), max(x1 - x0, y1 - y0)
    for i, point in enumerate(points):
        if not np.isfinite(point).all():
            return i
        if math.dist(point, middle) > 20 * size:
            return i + 1
    return len(points)


def _last_seen(points: NDArray[np.float64], seen: Map) -> tuple[float, float]:
    """The last point of a path, or where it left the map for good."""
    inside = [i for i, point in enumerate(points) if seen.has(point)]
    last = inside[-1] if inside else 0
    x, y = (float(number) for number in points[last])
    if last + 1 == len(points) or not np.isfinite(points[last + 1]).all():
        return x, y
    x0, x1, y0, y1 = seen.window
    shares = [1.0]
    for here, step, low, high in zip(
        (x, y), points[last + 1] - points[last], (x0, y0), (x1, y1), strict=True
    ):
        if step:
            shares.append(((high if step > 0 else low) - here) / step)
    share = min(shares)
    after = points[last + 1]
    return float(x + share * (after[0] - x)), float(y + share * (after[1] - y))


def _clear(across: float, down: float, marks: NDArray[np.float64], side: int) -> float:
    """Where a label starts from, so that it covers no mark that is near on its side."""
    near = [
        mark[0]
        for mark in marks
        if abs(mark[1] - down) < LABEL_GAP and 0 <= side * (mark[0] - across) < NEIGHBOUR
    ]
    return float(side * max((side * one for one in near), default=side * across))


def _joined(points: NDArray[np.float64], offsets: NDArray[np.uint32]) -> NDArray[np.float64]:
    """An outline and its holes as one line, which goes to each hole and back the way it came."""
    rings = np.split(points, offsets[1:-1].astype(int))
    parts = [rings[0]]
    for hole in rings[1:]:
        parts += [hole, rings[0][-1:]]
    return np.concatenate(parts)


def _strokes(lines: Sequence[NDArray[np.float64]], seen: Map) -> Any:
    """Lines in pixels of a tenth: half as long in a file as what a scale makes of numbers."""
    import altair as alt
    import pandas as pd

    points = np.concatenate([np.empty((0, 2)), *lines])
    pixels = {"across": seen.across(points[:, 0]), "down": seen.down(points[:, 1])}
    which = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    data = pd.DataFrame({"line": which, "i": range(len(points)), **pixels}).round(1)
    return alt.Chart(data).encode(**_pixels("down"), detail="line:N", order="i:Q")


def _pixels(down: str) -> dict[str, Any]:
    import altair as alt

    return {
        "x": alt.X("across:Q", scale=None, axis=None),
        "y": alt.Y(f"{down}:Q", scale=None, axis=None),
    }


def _places(seen: Map) -> dict[str, Any]:
    import altair as alt

    x0, x1, y0, y1 = seen.window
    across, down = (
        alt.Scale(domain=[float(low), float(high)], nice=False, zero=False)
        for low, high in ((x0, x1), (y0, y1))
    )
    axis = alt.Axis(grid=False, tickCount=6)
    return {
        "x": alt.X("x:Q", title="x", scale=across, axis=axis),
        "y": alt.Y("y:Q", title="y", scale=down, axis=axis),
    }


def _shade(paint: style.Paint, height: float) -> str:
    """Between the background, for what is low, and a darker tone for what is high."""
    share = DARKEST * height
    pairs = zip(_channels(paint.surface), _channels(paint.muted), strict=True)
    return "#" + "".join(f"{round(low + share * (high - low)):02x}" for low, high in pairs)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
