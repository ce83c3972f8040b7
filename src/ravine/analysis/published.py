"""What others published of DeepOBS's ``quadratic_deep``, and whether what we found agrees with it.

Schneider, Balles & Hennig 2019, https://arxiv.org/abs/1903.05499, and the baselines that come with
it: the mean and standard deviation of the final test loss over the seeds 42 to 51.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

START = 353.446764  # test loss before step one, in float32
CONVERGES, DIVERGES = 0.0251189, 0.0398107  # learning rates of gradient descent
RUNS = 10
AROUND = 0.02  # of the rate from which on descent must diverge, either way
Losses = Mapping[str, Sequence[float]]  # final test losses of each optimizer, by seed


class Published(NamedTuple):
    """An optimizer's final test loss at its published learning rate."""

    learning_rate: float
    mean: float
    sd: float


DESCENT, MOMENTUM, ADAM = "gradient descent", "momentum 0.99", "Adam"
PUBLISHED = {
    DESCENT: Published(0.0158489, 87.40, 0.17),
    MOMENTUM: Published(0.00251189, 87.05, 0.025),
    ADAM: Published(0.0398107, 87.11, 0.024),
}


@dataclass(frozen=True)
class Found:
    """What our engine gave. Losses are test losses, not finite where a run was lost."""

    start: float
    threshold: float  # 2 / λmax
    descent: Mapping[float, float]  # where gradient descent ends, by learning rate
    frozen: Losses  # the seven batches of the first epoch in every epoch, as published
    reshuffled: Losses  # at the same learning rates
    retuned: Losses  # reshuffled, each at a rate chosen anew; empty if that was left out
    rates: Mapping[str, float]  # those


class Check(NamedTuple):
    """One line: what is compared, both sides in words, and whether they agree."""

    batches: str  # frozen or reshuffled
    what: str
    published: str
    ours: str
    holds: bool


def checks(found: Found) -> list[Check]:
    """Every number that can be held against a published one, then what reshuffling does to it."""
    return [*_bowl(found), *_ends(found), *_wins(found)]


def _bowl(found: Found) -> list[Check]:
    lines = [
        Check(
            "frozen",
            "test loss before step one, to 1e-6",
            f"{START:.6f}",
            f"{found.start:.6f}",
            math.isclose(found.start, START, rel_tol=1e-6),
        ),
        Check(
            "frozen",
            "descent is stable up to 2 / λmax",
            f"{CONVERGES:.4f} to {DIVERGES:.4f}",
            f"{found.threshold:.5f}",
            CONVERGES < found.threshold < DIVERGES,
        ),
    ]
    around = {found.threshold * (1 - AROUND): True, found.threshold * (1 + AROUND): False}
    for rate, stable in {CONVERGES: True, DIVERGES: False, **around}.items():
        end = found.descent[rate]
        converged = math.isfinite(end) and end < found.start
        said = f"ends at {end:.4g}" if math.isfinite(end) else "not finite"
        known = "converges" if stable else "diverges"
        lines.append(
            Check(
                "frozen",
                f"gradient descent at {rate:.5f}",
                known if rate in (CONVERGES, DIVERGES) else f"({known})",
                said,
                converged == stable,
            )
        )
    return lines


def _ends(found: Found) -> list[Check]:
    lines = []
    for name, (rate, mean, sd) in PUBLISHED.items():
        ends = found.frozen[name]
        lines.append(
            Check(
                "frozen",
                f"{name} at {rate:g}: final loss",
                f"{mean:.2f} ± {sd:g}",
                f"{np.mean(ends):.3f} ± {np.std(ends, ddof=1):.3f}",
                abs(float(np.mean(ends)) - mean) <= 2 * sd,
            )
        )
    return lines


def _wins(found: Found) -> list[Check]:
    what = "momentum − Adam"
    (_, m, m_sd), (_, a, a_sd) = PUBLISHED[MOMENTUM], PUBLISHED[ADAM]
    published = welch(m, m_sd, a, a_sd)
    frozen = _difference(found.frozen)
    lines = [Check("frozen", what, _said(published), _said(frozen), frozen[2] < 0)]
    same = _difference(found.reshuffled)
    lines.append(Check("reshuffled", f"{what}, same rates", "(no win)", _said(same), same[2] >= 0))
    if found.retuned:
        anew = _difference(found.retuned)
        rates = f"{found.rates[MOMENTUM]:.3g}, {found.rates[ADAM]:.3g}"
        what = f"{what}, tuned anew ({rates})"
        lines.append(Check("reshuffled", what, "(a tie)", _said(anew), anew[1] <= 0 <= anew[2]))
    return lines


def _difference(losses: Losses) -> tuple[float, float, float]:
    ends = [losses[name] for name in (MOMENTUM, ADAM)]
    if not np.isfinite(ends).all():
        return math.nan, math.nan, math.nan
    (m, a), (m_sd, a_sd) = np.mean(ends, axis=1), np.std(ends, axis=1, ddof=1)
    return welch(float(m), float(m_sd), float(a), float(a_sd))


def welch(
    mean: float, sd: float, other: float, other_sd: float, runs: int = RUNS
) -> tuple[float, float, float]:
    """The difference of two means of so many runs, and its 95 % interval.

    Welch 1947, since it is all that published means and deviations allow.

    >>> [round(float(v), 3) for v in welch(87.05, 0.025, 87.11, 0.024)]
    [-0.06, -0.083, -0.037]
    """
    from scipy.stats import t as student

    one, two = sd**2 / runs, other_sd**2 / runs
    if one + two == 0:
        return mean - other, mean - other, mean - other
    freedom = (one + two) ** 2 * (runs - 1) / (one**2 + two**2)
    half = float(student.ppf(0.975, freedom)) * math.sqrt(one + two)
    return mean - other, mean - other - half, mean - other + half


def _said(difference: tuple[float, float, float]) -> str:
    middle, low, high = difference
    verdict = "lower" if high < 0 else "higher" if low > 0 else "a tie"
    return f"{middle:+.3f} [{low:+.3f}, {high:+.3f}]: {verdict}"
