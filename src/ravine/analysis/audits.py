"""Whether a race was fair: what must be the same for all rules, and what must not be shared.

Pure functions over the plan and the stored curves. An audit that refuses ends the ranking; one that
warns is said beside it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ravine.analysis.naming import title
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan, TaskInfo
from ravine.training.inspection import Shared, period_of

__all__ = ["Audit", "audit", "period_of"]
NOTED = 0.01  # share of a held-out split in another from which on a warning says so
LEAKED = 0.5  # and beyond which it is not held out at all
ROUNDING = 1e-5  # each rule's program computes the loss before step one anew


class Audit(NamedTuple):
    """What was looked at, and what was found; ``wrong`` and ``refuses`` are empty if all is well.

    ``refuses``: why there can be no ranking, or "". ``wrong``: each finding in words.
    """

    what: str
    found: str
    wrong: tuple[str, ...] = ()
    refuses: str = ""

    @property
    def result(self) -> str:
        """In a word: passed, warning or refused."""
        return "refused" if self.refuses else "warning" if self.wrong else "passed"


def audit(plan: Plan, curves: Sequence[Curve]) -> tuple[Audit, ...]:
    """All of them, in the order in which they are reported."""
    return (*same_starts(curves), batch_order(plan.facts), splits(plan.facts))


def same_starts(curves: Sequence[Curve]) -> tuple[Audit, ...]:
    """Equal seeds must have equal initial weights, equal batches, equal loss before step one."""
    checks: dict[str, Callable[[Curve, Curve], bool]] = {
        "initial weights": lambda a, b: a.weights_digest == b.weights_digest,
        "batch order": lambda a, b: a.batches_digest == b.batches_digest,
        "loss before step one": _starts_alike,
    }
    known = [c for c in curves if not c.failure]  # which shows another's start, or none
    first: dict[tuple[str, int, int], Curve] = {}
    for curve in known:
        first.setdefault((curve.run.stage, curve.run.seed, curve.run.steps), curve)
    pairs = [(first[c.run.stage, c.run.seed, c.run.steps], c) for c in known]
    return tuple(
        _starts(what, [(a, b) for a, b in pairs if not alike(a, b)], len(first))
        for what, alike in checks.items()
    )


def _starts_alike(a: Curve, b: Curve) -> bool:
    one, other = a.measures[0], b.measures[0]
    if one.tobytes() == other.tobytes():  # as nearly always
        return True
    return bool(np.allclose(one, other, rtol=ROUNDING, equal_nan=True))


def _starts(what: str, unlike: Sequence[tuple[Curve, Curve]], seeds: int) -> Audit:
    wrong = tuple(
        f"{title(b.run.rule)} at {b.run.configuration}, {b.run.stage} seed {b.run.seed}: "
        f"not the {what} of {title(a.run.rule)}"
        for a, b in unlike
    )
    if not wrong:
        return Audit(what, f"the same for all rules on each of {seeds} seeds")
    why = f"not all rules had the same {what} on equal seeds"
    return Audit(what, f"not the same in {_runs(len(wrong))}", wrong, why)


def batch_order(facts: TaskInfo) -> Audit:
    """Every epoch should have batches of its own, or rules profit that fit the noise of a few."""
    what = "repeated batches"
    if not (facts.repeats or facts.frozen_order):
        return Audit(what, "none: every epoch is shuffled anew")
    said = "as the task declares" if facts.frozen_order else "which the task does not declare"
    found = f"the batch order is frozen, {said}: the same batches come again and again"
    if facts.repeats:
        found += f", after {facts.repeats} steps where they have the task's own size"
    return Audit(what, found, (f"{found}; rules that fit their noise look better than they are",))


def splits(facts: TaskInfo) -> Audit:
    """Held-out rows must not be trained on, nor those that judge be tuned on."""
    shared = Shared(*facts.shared)
    pairs = {
        "validation rows are in the training data": shared.validation_in_train,
        "test rows are in the training data": shared.test_in_train,
        "test rows are in the validation data": shared.test_in_validation,
    }
    said = {where: f"{share:.1%} of the {where}" for where, share in pairs.items() if share > 0}
    wrong = tuple(words for where, words in said.items() if pairs[where] > NOTED)
    worst = max(pairs, key=lambda where: pairs[where])
    why = said[worst] if pairs[worst] > LEAKED else ""
    return Audit("rows shared between splits", ", ".join(said.values()) or "none", wrong, why)


def _runs(count: int) -> str:
    return f"{count} {'run' if count == 1 else 'runs'}"
