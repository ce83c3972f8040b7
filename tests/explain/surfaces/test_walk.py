"""Walking down a function: floats and arrays, the right gradient, an honest end."""

import numpy as np
import pytest

import ravine
from ravine.errors import InvalidArgument
from ravine.rules import RULES


def value(w: np.ndarray) -> float:
    """The source's worked example, 5x² + 2xy + 3y²."""
    x, y = w
    return float(5 * x * x + 2 * x * y + 3 * y * y)


def gradient(w: np.ndarray) -> np.ndarray:
    x, y = w
    return np.array([10 * x + 2 * y, 2 * x + 6 * y])


def test_the_worked_example() -> None:
    path = ravine.descend(ravine.SGD(learning_rate=0.05), (value, gradient), [1, 1], steps=60)
    assert path.gradients[0].tolist() == [12, 8]
    assert path.weights[1] == pytest.approx([1 - 0.05 * 12, 1 - 0.05 * 8])
    assert path.values[0] == 10
    # A quadratic's path in closed form: w_n = (I - αH)^n w_0.
    hessian = np.array([[10, 2], [2, 6]])
    closed = np.linalg.matrix_power(np.eye(2) - 0.05 * hessian, 60) @ [1, 1]
    assert path.weights[-1] == pytest.approx(closed, rel=1e-12)
    assert path.diverged_at is None


@pytest.mark.parametrize("name", RULES)
def test_floats_and_arrays_walk_alike(name: str) -> None:
    f = (lambda x: x * x, lambda x: 2 * x)
    alone = ravine.descend(name, f, 1.0, steps=40)
    both = ravine.descend(name, (lambda w: float(w @ w), lambda w: 2 * w), [1.0, -1.0], steps=40)
    assert alone.weights.shape == (41,)
    assert both.weights.shape == (41, 2)
    # Python's and NumPy's powers may differ in the last bit.
    np.testing.assert_allclose(both.weights[:, 0], alone.weights, rtol=1e-13)
    np.testing.assert_allclose(both.weights[:, 1], -alone.weights, rtol=1e-13)


def test_the_gradient_is_taken_where_the_rule_looks() -> None:
    rule = ravine.Nesterov(learning_rate=0.1, momentum=0.5)
    seen: list[float] = []

    def slope(x: float) -> float:
        seen.append(x)
        return 2 * x

    path = ravine.descend(rule, (lambda x: x * x, slope), 1.0, steps=2)
    velocity = (1 - 0.5) * 2.0
    assert seen == [1.0, path.weights[1] - 0.1 * 0.5 * velocity]
    assert path.gradients.tolist() == [2 * x for x in seen]


def test_a_walk_that_leaves_the_numbers_ends_there() -> None:
    path = ravine.descend(ravine.SGD(learning_rate=1e200), (value, gradient), [1, 1], steps=50)
    assert path.diverged_at == len(path.values) - 1 < 50
    assert np.isfinite(path.values[:-1]).all()


@pytest.mark.parametrize(
    ("f", "steps", "said"),
    [
        ("x**2 +", 5, "found the end"),
        ((value,), 5, "pair of functions"),
        ((value, gradient), 0, "steps=0"),
        ((value, gradient), 2.5, "steps=2.5"),
    ],
)
def test_what_cannot_be_walked(f: object, steps: object, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        ravine.descend("sgd", f, [1, 1], steps)  # type: ignore[arg-type]
