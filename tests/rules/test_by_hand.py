"""The seven rules on f = 5x² + 2xy + 3y² from (1, 1), worked out by hand and in exact numbers.

Its gradient is [10x + 2y, 2x + 6y], so [12, 8] at the start. The first numbers of each rule can be
checked on paper; further steps follow the published formulas in fractions, or in sixty digits
where there are roots.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ravine.rules import SGD, Adagrad, Adam, Momentum, Nadam, Nesterov, RMSprop
from ravine.rules.update_rule import Rule, step

HESSIAN = np.array([[10.0, 2.0], [2.0, 6.0]])
# A few roundings, each of half an ulp of a number near one.
CLOSE = {"rtol": 1e-14, "atol": 1e-15}

Pair = tuple[Any, Any]


def slope(w: Pair) -> Pair:
    """The gradient, in whatever numbers it is given."""
    x, y = w
    return 10 * x + 2 * y, 2 * x + 6 * y


def path(rule: Rule, steps: int) -> NDArray[np.float64]:
    """Where a rule is after each step."""
    w = np.ones(2)
    state, passed = rule.init(w), []
    for t in range(1, steps + 1):
        w, state = step(rule, lambda w: HESSIAN @ w, w, state, t)
        passed.append(w)
    return np.array(passed)


def floats(exact: Sequence[Pair]) -> NDArray[np.float64]:
    return np.array([[float(x) for x in w] for w in exact])


@pytest.fixture(autouse=True)
def _sixty_digits() -> Any:
    with localcontext() as context:
        context.prec = 60
        yield


def test_the_gradient_is_that_of_the_article() -> None:
    assert slope((1, 1)) == (12, 8)


@pytest.mark.parametrize(
    ("rule", "points"),
    [
        # w − 0.1 [12, 8]; there the gradient is [-1.6, 0.8].
        (SGD(learning_rate=0.1), [(-0.2, 0.2), (-0.04, 0.12)]),
        # V = [6, 4]; the gradient at (0.4, 0.6) is [5.2, 4.4], so V = [3 + 2.6, 2 + 2.2].
        (Momentum(learning_rate=0.1, momentum=0.5), [(0.4, 0.6), (-0.16, 0.18)]),
        # V = [12, 8]; the gradient at (-0.2, 0.2) is [-1.6, 0.8], so V = [4.4, 4.8].
        (Momentum(learning_rate=0.1, momentum=0.5, dampening=0), [(-0.2, 0.2), (-0.64, -0.28)]),
        # V = [6, 4]; ahead, at w − 0.05 V = (0.1, 0.4), the gradient is [1.8, 2.6]: V = [3.9, 3.3].
        # At w + βV = (3.4, 2.6), as printed, it would be [39.2, 22.4], and V = [22.6, 13.2].
        (Nesterov(learning_rate=0.1, momentum=0.5), [(0.4, 0.6), (0.01, 0.27)]),
        # V = [12, 8]; ahead, at w − 0.05 V = (-0.8, -0.2), it is [-8.4, -2.8]: V = [-2.4, 1.2].
        (Nesterov(learning_rate=0.1, momentum=0.5, dampening=0), [(-0.2, 0.2), (0.04, 0.08)]),
        # s + ε = [144 + 297, 64 + 297] = [21², 19²]; outside the root it would divide by 309.
        (Adagrad(learning_rate=1, epsilon=297), [(1 - 12 / 21, 1 - 8 / 19)]),
        # The same with s before the first step.
        (
            Adagrad(learning_rate=1, initial_accumulator_value=290, epsilon=7),
            [(1 - 12 / 21, 1 - 8 / 19)],
        ),
        # s = [72, 32]; s + ε = [72 + 49, 32 + 49] = [11², 9²].
        (RMSprop(learning_rate=1, rho=0.5, epsilon=49), [(1 - 12 / 11, 1 - 8 / 9)]),
        # Bias correction makes m̂ = g and v̂ = g² at first; ε is outside the root.
        (Adam(learning_rate=1, epsilon=4), [(1 - 12 / 16, 1 - 8 / 12)]),
        # ψ = 0 makes every μ = β₁/2 = 1/4: m̂ = ¼·½g / (1 − 1/16) + ¾g / (1 − ¼) = (17/15) g.
        (
            Nadam(learning_rate=1, beta_1=0.5, epsilon=4, momentum_decay=0),
            [(1 - 17 / 15 * 12 / 16, 1 - 17 / 15 * 8 / 12)],
        ),
    ],
    ids=str,
)
def test_on_paper(rule: Rule, points: list[Pair]) -> None:
    np.testing.assert_allclose(path(rule, len(points)), points, **CLOSE)


@pytest.mark.parametrize("kind", [Momentum, Nesterov])
@pytest.mark.parametrize("dampening", [None, 0.0, 0.75])
def test_both_momentum_forms_in_fractions(kind: type[Momentum], dampening: float | None) -> None:
    rate, beta = Fraction(1, 16), Fraction(7, 8)
    share = 1 - (beta if dampening is None else Fraction(dampening))
    look = rate * beta if kind is Nesterov else 0
    w, V = (Fraction(1), Fraction(1)), (Fraction(0), Fraction(0))
    points = []
    for _ in range(6):
        g = slope((w[0] - look * V[0], w[1] - look * V[1]))
        V = (beta * V[0] + share * g[0], beta * V[1] + share * g[1])
        w = (w[0] - rate * V[0], w[1] - rate * V[1])
        points.append(w)
    rule = kind(learning_rate=float(rate), momentum=float(beta), dampening=dampening)
    np.testing.assert_allclose(path(rule, 6), floats(points), **CLOSE)


@pytest.mark.parametrize("kind", [Momentum, Nesterov])
def test_the_two_momentum_forms_walk_one_path_at_a_constant_rate(kind: type[Momentum]) -> None:
    mean = kind(learning_rate=0.25, momentum=0.75)
    total = kind(learning_rate=0.25 * (1 - 0.75), momentum=0.75, dampening=0)
    np.testing.assert_allclose(path(mean, 40), path(total, 40), **CLOSE)


def test_the_two_momentum_forms_part_when_the_dampening_is_not_made_up_for() -> None:
    mean, total = Momentum(momentum=0.75), Momentum(momentum=0.75, dampening=0)
    assert not np.allclose(path(mean, 3), path(total, 3), rtol=0.1)


def test_nesterov_looks_where_it_goes_and_not_back() -> None:
    rule = Nesterov(learning_rate=0.125, momentum=0.5)
    w, state = rule.update(np.ones(2), np.array([12.0, 8.0]), rule.init(np.ones(2)), 1)
    V = np.array([6.0, 4.0])
    np.testing.assert_array_equal(state.V, V)
    np.testing.assert_array_equal(rule.lookahead(w, state, 2), w - 0.125 * 0.5 * V)
    # Were the gradient to vanish, this is exactly where the step would end.
    np.testing.assert_array_equal(
        rule.update(w, np.zeros(2), state, 2)[0], rule.lookahead(w, state, 2)
    )
    np.testing.assert_array_equal(rule.lookahead(np.ones(2), rule.init(w), 1), np.ones(2))


def by_coordinate(start: Any, update: Callable[[int, Any, Any], tuple[Decimal, Any]]) -> list[Pair]:
    """Three exact steps of a rule that treats each coordinate alone; ``update`` gives Δ, memory."""
    w, memories, points = (Decimal(1), Decimal(1)), (start, start), []
    for t in (1, 2, 3):
        (dx, mx), (dy, my) = (
            update(t, g, memory) for g, memory in zip(slope(w), memories, strict=True)
        )
        w, memories = (w[0] - dx, w[1] - dy), (mx, my)
        points.append(w)
    return points


# Hyperparameters that binary and decimal numbers both hold.
RATE, EPSILON = Decimal("0.25"), Decimal("0.5")
BETA_1, BETA_2 = Decimal("0.75"), Decimal("0.875")


def test_adagrad_in_sixty_digits() -> None:
    def update(_: int, g: Decimal, s: Decimal) -> tuple[Decimal, Decimal]:
        s += g * g
        return RATE * g / (s + EPSILON).sqrt(), s

    for start in ("0", "0.125"):
        rule = Adagrad(0.25, initial_accumulator_value=float(start), epsilon=0.5)
        expected = floats(by_coordinate(Decimal(start), update))
        np.testing.assert_allclose(path(rule, 3), expected, **CLOSE)


def test_rmsprop_in_sixty_digits() -> None:
    def update(_: int, g: Decimal, s: Decimal) -> tuple[Decimal, Decimal]:
        s = BETA_2 * s + (1 - BETA_2) * g * g
        return RATE * g / (s + EPSILON).sqrt(), s

    expected = floats(by_coordinate(Decimal(0), update))
    np.testing.assert_allclose(path(RMSprop(0.25, rho=0.875, epsilon=0.5), 3), expected, **CLOSE)


def test_adam_in_sixty_digits() -> None:
    def update(t: int, g: Decimal, memory: Pair) -> tuple[Decimal, Pair]:
        m = BETA_1 * memory[0] + (1 - BETA_1) * g
        v = BETA_2 * memory[1] + (1 - BETA_2) * g * g
        m_hat, v_hat = m / (1 - BETA_1**t), v / (1 - BETA_2**t)
        return RATE * m_hat / (v_hat.sqrt() + EPSILON), (m, v)

    rule = Adam(0.25, beta_1=0.75, beta_2=0.875, epsilon=0.5)
    expected = floats(by_coordinate((Decimal(0), Decimal(0)), update))
    np.testing.assert_allclose(path(rule, 3), expected, **CLOSE)


@pytest.mark.parametrize("decay", ["0.00390625", "1", "50"])  # about PyTorch's; Keras's; no warm-up
def test_nadam_in_sixty_digits(decay: str) -> None:
    def mu(t: int) -> Decimal:
        return BETA_1 * (1 - Decimal("0.5") * Decimal("0.96") ** (t * Decimal(decay)))

    def update(t: int, g: Decimal, memory: Pair) -> tuple[Decimal, Pair]:
        m = BETA_1 * memory[0] + (1 - BETA_1) * g
        v = BETA_2 * memory[1] + (1 - BETA_2) * g * g
        product = Decimal(1)
        for i in range(1, t + 1):
            product *= mu(i)
        m_hat = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        v_hat = v / (1 - BETA_2**t)
        return RATE * m_hat / (v_hat.sqrt() + EPSILON), (m, v)

    rule = Nadam(0.25, beta_1=0.75, beta_2=0.875, epsilon=0.5, momentum_decay=float(decay))
    expected = floats(by_coordinate((Decimal(0), Decimal(0)), update))
    np.testing.assert_allclose(path(rule, 3), expected, **CLOSE)
