"""Rules walk down a surface: how each ends, what the command prints, the pictures it draws."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import ravine
from ravine.cli.app import app
from ravine.errors import InvalidArgument
from ravine.explain.surfaces import find
from ravine.explain.surfaces.descent import Descent

ARTICLE = "5*x**2 + 2*x*y + 3*y**2"


def descend(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["descend", *words])
    assert done.exit_code == code, done.output
    return done.output


def test_the_gradient_of_the_source_in_symbols_and_at_the_point() -> None:
    said = descend(ARTICLE, "--from", "1,1", "--rule", "adam", "--steps", "50")
    assert "∇f(x, y) = [10x + 2y, 2x + 6y]" in said
    assert "at (1, 1): f = 10, ∇f = [12, 8]" in said
    assert "adam is still on its way after 50 steps" in said


def test_all_of_it_for_other_programs() -> None:
    said = json.loads(
        descend(ARTICLE, "--from=1,1", "--rule", "sgd,adam(beta_1=0.8)", "--steps=30", "--json")
    )
    assert said["gradient_at_start"] == [12, 8]
    assert [walk["rule"] for walk in said["walks"]] == ["sgd", "adam(beta_1=0.8)"]
    # Gradient descent on a quadratic form is a product with I - αH, by hand.
    step = np.eye(2) - 0.01 * np.array([[10.0, 2.0], [2.0, 6.0]])
    point = np.array([1.0, 1.0])
    for taken in said["walks"][0]["weights"]:
        assert taken == pytest.approx(point.tolist(), rel=1e-12)
        point = step @ point
    path = ravine.descend("adam(beta_1=0.8)", ARTICLE, (1.0, 1.0), 30)
    assert said["walks"][1]["weights"] == path.weights.tolist()


@pytest.mark.parametrize(
    ("surface", "words", "kind"),
    [
        ("x**2 + y**2", ["--from=1,1", "--learning-rate=0.4"], "minimum"),
        ("x**2 - y**2", ["--from=-1,0", "--learning-rate=0.1"], "saddle"),
        ("1 - x**2 - y**2", ["--from=0,0"], "maximum"),
        (ARTICLE, ["--from=1,1", "--learning-rate=1"], "diverged"),
        (ARTICLE, ["--from=1,1", "--steps=3"], "on its way"),
        ("himmelblau", ["--learning-rate=0.01", "--steps=300"], "minimum"),
        ("rastrigin", ["--from=2.1,1.1", "--learning-rate=0.001", "--steps=300"], "local minimum"),
    ],
)
def test_how_a_walk_ends(surface: str, words: list[str], kind: str) -> None:
    found = json.loads(descend(surface, *words, "--json"))["walks"][0]
    assert found["ended"] == kind
    if kind == "minimum" and find(surface).minima:
        assert found["distance"] < 0.2
    if kind == "diverged":
        assert 0 < found["diverged_at"] <= 50
    said = descend(surface, *words)
    words_for = {"on its way": "still on its way", "local minimum": "local minimum"}
    assert words_for.get(kind, kind) in said.replace("\n", " ")


def test_pictures_are_drawn_of_all_paths(tmp_path: Path) -> None:
    png, svg = tmp_path / "paths.png", tmp_path / "paths.svg"
    words = ["rosenbrock", "--rule", "sgd,momentum,adam", "--steps", "200"]
    descend(*words, "--png", str(png), "--svg", str(svg))
    assert png.read_bytes().startswith(b"\x89PNG")
    drawn = svg.read_text(encoding="utf-8")
    assert all(name in drawn for name in ("sgd", "momentum", "adam"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["5*x**2 + 2x"], "write 2*x"),
        (["rosenbrok"], "did you mean 'rosenbrock'?"),
        (["x**2", "--rule", "adm"], "did you mean 'adam'?"),
        (["x**2", "--from", "1"], "1"),
        (["x**2", "--steps", "0"], "steps"),
        (["x**2", "--learning-rate", "-1"], "learning_rate=-1 is not allowed"),
        (["__import__('os')"], "cannot read the formula"),
    ],
)
def test_a_wrong_call_is_said_and_exits_with_2(words: list[str], said: str) -> None:
    assert said in descend(*words, code=2)


def test_noise_is_that_of_its_seed() -> None:
    bowl = find("noisy-bowl")
    one, same, other = (Descent.of(bowl, [ravine.SGD()], 20, seed) for seed in (1, 1, 2))
    assert one.paths[0].weights.tolist() == same.paths[0].weights.tolist()
    assert one.paths[0].weights.tolist() != other.paths[0].weights.tolist()
    with pytest.raises(InvalidArgument):
        find("nois-bowl")
