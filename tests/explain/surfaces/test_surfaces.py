"""Every surface: published minima, derivatives, noise, and the same bits in JavaScript."""

import json
import math
import shutil
import struct
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

import ravine
from ravine.errors import InvalidArgument
from ravine.explain.notation.javascript import HELPERS
from ravine.explain.surfaces import SURFACES, Surface, find
from ravine.explain.surfaces.noise import JAVASCRIPT, noise

# Typed anew from the publications, as f(x) of a vector, so that a slip in the list shows.
PUBLISHED: dict[str, Callable[[Any], Any]] = {
    "worked-example": lambda v: v @ np.array([[5, 1], [1, 3]]) @ v,
    "elongated-bowl": lambda v: v @ np.diag([0.1, 2]) @ v,
    "ravine": lambda v: v[0] ** 2 / 20 + 5 * (v[1] - np.sin(v[0])) ** 2,
    "rosenbrock": optimize.rosen,
    "beale": lambda v: sum(
        (c - v[0] * (1 - v[1] ** n)) ** 2 for n, c in ((1, 1.5), (2, 2.25), (3, 2.625))
    ),
    "himmelblau": lambda v: (v[0] ** 2 + v[1] - 11) ** 2 + (v[0] + v[1] ** 2 - 7) ** 2,
    "booth": lambda v: float(np.sum((np.array([[1, 2], [2, 1]]) @ v - [7, 5]) ** 2)),
    "matyas": lambda v: v @ np.array([[0.26, -0.24], [-0.24, 0.26]]) @ v,
    "three-hump-camel": lambda v: (
        np.polyval([1 / 6, 0, -1.05, 0, 2, 0, 0], v[0]) + v[0] * v[1] + v[1] ** 2
    ),
    "styblinski-tang": lambda v: 0.5 * sum(np.polyval([1, 0, -16, 5, 0], c) for c in v),
    "rastrigin": lambda v: 10 * len(v) + sum(c * c - 10 * np.cos(2 * np.pi * c) for c in v),
    "ackley": lambda v: (
        -20 * np.exp(-0.2 * np.sqrt(np.mean(v**2)))
        - np.exp(np.mean(np.cos(2 * np.pi * v))) + 20 + np.e
    ),
    "goldstein-price": lambda v: (
        (1 + (sum(v) + 1) ** 2 * (19 - 14 * sum(v) + 3 * sum(v) ** 2))
        * (30 + (2 * v[0] - 3 * v[1]) ** 2
           * (18 - 16 * (2 * v[0] - 3 * v[1]) + 3 * (2 * v[0] - 3 * v[1]) ** 2))
    ),
    "saddle": lambda v: v[0] ** 2 - v[1] ** 2,
    "monkey-saddle": lambda v: ((v[0] + 1j * v[1]) ** 3).real,
    "plateau": lambda v: -np.expm1(-(v @ v) / 4),
    "noisy-bowl": lambda v: v @ np.diag([0.5, 2]) @ v,
}  # fmt: skip
# The lowest points as the publications print them.
LOWEST = {
    "beale": ([(3, 0.5)], 0),
    "booth": ([(1, 3)], 0),
    "rosenbrock": ([(1, 1)], 0),
    "goldstein-price": ([(0, -1)], 3),
    "styblinski-tang": ([(-2.903534, -2.903534)], -39.166165 * 2),
    "himmelblau": (
        [(3, 2), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)], 0
    ),
}  # fmt: skip

every = pytest.mark.parametrize("surface", SURFACES.values(), ids=list(SURFACES))


def places(surface: Surface) -> np.ndarray:
    """Some points of the window, (n, 2); not where Ackley's slope has no value."""
    x0, x1, y0, y1 = surface.window
    shares = np.random.default_rng(8).uniform(0.02, 0.98, (40, 2))
    return np.array([x0, y0]) + shares * np.array([x1 - x0, y1 - y0])


def test_the_list() -> None:
    assert set(PUBLISHED) == set(SURFACES)
    for name, surface in SURFACES.items():
        assert surface.name == name
        x0, x1, y0, y1 = surface.window
        for x, y in (surface.start, *(minimum[:2] for minimum in surface.minima)):
            assert x0 < x < x1
            assert y0 < y < y1
        assert surface.title
        assert surface.about.endswith((".", "?"))
        assert surface.source


@every
def test_values_are_the_published(surface: Surface) -> None:
    for x, y in places(surface).tolist():
        expected = PUBLISHED[surface.name](np.array([x, y]))
        # Sums and products in another order, of terms as large as f at the window's corner.
        assert surface.value(x, y) == pytest.approx(expected, rel=1e-11, abs=1e-11)


@every
def test_minima(surface: Surface) -> None:
    for x, y, value in surface.minima:
        assert surface.value(x, y) == pytest.approx(value, abs=1e-13)
        if surface.name != "ackley":  # a kink
            assert np.allclose(surface.gradient(x, y), 0, atol=1e-12)
        for dx, dy in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3), (7e-4, 7e-4)):
            assert surface.value(x + dx, y + dy) > value
    if surface.minima:
        x0, x1, y0, y1 = surface.window
        grid = np.meshgrid(np.linspace(x0, x1, 201), np.linspace(y0, y1, 201))
        assert surface.value(*grid).min() >= min(m.value for m in surface.minima) - 1e-12
    points, value = LOWEST.get(surface.name, ([m[:2] for m in surface.minima], 0))
    assert np.allclose([m[:2] for m in surface.minima], points, atol=1e-6)
    assert all(m.value == pytest.approx(value, abs=1e-4) for m in surface.minima)


@every
def test_derivatives_are_differences_of_the_published_values(surface: Surface) -> None:
    published = PUBLISHED[surface.name]
    for point in places(surface)[:15]:
        # Four-point central differences, h from the balance of truncation and rounding, whose
        # remainder is some 1e-10 of the largest values about.
        h = 2e-3
        scale = max(abs(published(point + d)) for d in np.array([[1, 1], [-1, -1], [0, 0]]) * 0.1)
        gradient = np.array(surface.gradient(*point.tolist()))
        expected = [_slope(published, point, h * axis) / h for axis in np.eye(2)]
        np.testing.assert_allclose(gradient, expected, rtol=2e-6, atol=2e-7 * max(scale, 1))
        hessian = np.array(surface.hessian(*point.tolist()))
        by_slopes = [
            [
                _slope(lambda p, i=i: surface.gradient(*p)[i], point, h * axis) / h
                for axis in np.eye(2)
            ]
            for i in range(2)
        ]
        np.testing.assert_allclose(hessian, by_slopes, rtol=2e-6, atol=2e-7 * max(scale, 1))


def _slope(f: Callable[[Any], Any], at: np.ndarray, d: np.ndarray) -> float:
    near, far = f(at + d) - f(at - d), f(at + 2 * d) - f(at - 2 * d)
    return float((8 * near - far) / 12)


def test_rosenbrock_is_scipys() -> None:
    surface = SURFACES["rosenbrock"]
    for point in places(surface):
        x, y = point.tolist()
        np.testing.assert_allclose(
            surface.gradient(x, y), optimize.rosen_der(point), rtol=1e-12, atol=1e-11
        )
        np.testing.assert_allclose(
            surface.hessian(x, y), optimize.rosen_hess(point), rtol=1e-12, atol=1e-11
        )


def test_the_noise_is_noise() -> None:
    drawn = np.array([[noise(0, step, k) for k in (0, 1)] for step in range(1, 8_001)])
    flat = drawn.ravel()
    # Four standard errors.
    assert abs(flat.mean()) < 4 / math.sqrt(len(flat))
    assert abs(flat.var() - 1) < 4 * math.sqrt(2 / len(flat))
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 4 / math.sqrt(len(drawn))
    assert abs(np.corrcoef(flat[2:], flat[:-2])[0, 1]) < 4 / math.sqrt(len(flat))
    other = np.array([noise(1, step, 0) for step in range(1, 8_001)])
    assert abs(np.corrcoef(drawn[:, 0], other)[0, 1]) < 4 / math.sqrt(len(other))
    # The law of a sum of four uniforms, by SciPy.
    law = stats.irwinhall(4)
    assert stats.kstest(flat / math.sqrt(3) + 2, law.cdf).pvalue > 1e-3


def test_a_walk_with_noise_can_be_repeated() -> None:
    path = ravine.descend("sgd", "noisy-bowl", steps=20, seed=3)
    again = ravine.descend("sgd", "noisy-bowl", steps=20, seed=3)
    other = ravine.descend("sgd", "noisy-bowl", steps=20)
    assert path.weights.tolist() == again.weights.tolist() != other.weights.tolist()
    x, y = path.weights[6].tolist()
    assert path.gradients[6].tolist() == list(SURFACES["noisy-bowl"].sample(x, y, 7, 3))
    # The values are those of the surface itself.
    assert path.values[6] == SURFACES["noisy-bowl"].value(x, y)


def by_node(body: str) -> list[float]:
    """The floats that a script pushes to ``out``, bit for bit."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("this test runs JavaScript; install Node: apt-get install nodejs")
    surfaces = ",\n".join(surface.javascript() for surface in SURFACES.values())
    script = (
        f'"use strict";\n{"".join(HELPERS.values())}{JAVASCRIPT}'
        f"const surfaces = [{surfaces}], out = [];\n{body}\n"
        "console.log(Buffer.from(new Float64Array(out).buffer).toString('hex'));"
    )
    done = subprocess.run([node, "-"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    raw = bytes.fromhex(done.stdout)
    return list(struct.unpack(f"<{len(raw) // 8}d", raw))


# Their exp, cos and sin are the language's own.
INEXACT = {"rastrigin", "ackley", "plateau", "ravine"}


def test_javascript_calculates_the_same() -> None:
    points = [
        [[*surface.start], *([*m[:2]] for m in surface.minima), *places(surface).tolist()]
        for surface in SURFACES.values()
    ]
    found = iter(
        by_node(
            f"const points = {json.dumps(points)};\n"
            "surfaces.forEach((s, i) => points[i].forEach(([x, y], k) => out.push(s.value(x, y), "
            "...s.gradient(x, y), ...s.hessian(x, y).flat(), ...s.sample(x, y, k + 1, 5))));"
        )
    )
    for surface, some in zip(SURFACES.values(), points, strict=True):
        for k, (x, y) in enumerate(some):
            ours = [surface.value(x, y), *surface.gradient(x, y), *sum(surface.hessian(x, y), ())]
            ours += surface.sample(x, y, k + 1, 5)
            theirs = [next(found) for _ in ours]
            if surface.name in INEXACT:
                # The last bits of terms as large as the curvature here.
                np.testing.assert_allclose(theirs, ours, rtol=1e-13, atol=1e-11)
            else:
                assert struct.pack("<9d", *theirs) == struct.pack("<9d", *ours), surface.name
    assert next(found, None) is None


def test_javascript_draws_the_same_noise() -> None:
    seeds, steps = (0, 1, 12345, 2**32 - 1), (1, 2, 1000, 2**31, 2**32 - 1)
    found = by_node(
        f"for (const seed of {list(seeds)}) for (const step of {list(steps)}) "
        "for (const k of [0, 1]) out.push(noise(seed, step, k));"
    )
    assert found == [noise(seed, step, k) for seed in seeds for step in steps for k in (0, 1)]


def test_what_a_javascript_surface_says_of_itself() -> None:
    found = by_node("for (const s of surfaces) out.push(...s.window, ...s.start, s.noise);")
    assert found == [
        number
        for surface in SURFACES.values()
        for number in (*surface.window, *surface.start, surface.noise)
    ]


def test_unknown_names() -> None:
    with pytest.raises(
        InvalidArgument, match="unknown surface 'rosenbrok': did you mean 'rosenbrock'"
    ):
        find("rosenbrok")
    with pytest.raises(InvalidArgument, match="unknown name 'rosen'"):
        find("rosen + x")
    own = find("x*y")
    assert (own.text, own.minima, own.start) == ("x*y", (), (1.0, 1.0))
    with pytest.raises(InvalidArgument, match="two finite numbers"):
        own.at("1,nan")
