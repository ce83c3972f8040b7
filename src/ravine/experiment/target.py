"""What runs have to reach: read from what a user writes, and what it says of a number."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from ravine.errors import InvalidArgument, unknown

VALIDATION, TEST, TRAINING = range(3)  # the first two are places in a curve's measurements
SPLITS = ("validation", "test", "training")


class Target(NamedTuple):
    """What a run has to reach: a test loss to fall to, or a metric to fall or rise to."""

    value: float
    measure: int = 0  # its place among the task's measures; the loss is the first
    rising: bool = False  # reached from below, as an accuracy is
    split: int = TEST

    @property
    def tuned_on(self) -> int:
        """Where learning rates are tuned for it: never on the test data."""
        return TRAINING if self.split == TRAINING else VALIDATION

    def met(self, value: float) -> bool:
        """Whether a measurement is there."""
        return value >= self.value if self.rising else value <= self.value


def read_target(given: float | str | None) -> str:
    """A target of the user's own, as ``RaceConfig`` has it.

    >>> read_target("accuracy >= .95"), read_target(0.3), read_target(None)
    ('accuracy>=0.95', 'loss<=0.3', '')
    >>> read_target("validation accuracy>=0.9"), read_target("train loss <= 0.1")
    ('validation accuracy>=0.9', 'training loss<=0.1')
    """
    if given is None:
        return ""
    text = f"loss<={given!r}" if isinstance(given, float | int) else given
    found = re.fullmatch(r"\s*(?:(?:(\w+)\s+)?(\w+)\s*(<=|>=))?\s*([-+.\w]+)\s*", text)
    try:
        value = float(found[4]) if found else math.nan
    except ValueError:
        value = math.nan
    if found is None or not math.isfinite(value):
        raise InvalidArgument(
            f"cannot read the target {given!r}: write a test loss, such as 0.3, or a measure and "
            "where it must get to, such as accuracy>=0.95 or 'validation accuracy>=0.95'"
        )
    split = {"train": "training"}.get(found[1], found[1]) or "test"
    if split not in ("training", "validation", "test"):
        raise unknown("data of a target", split, ("training", "validation", "test"))
    measure = found[2] or "loss"
    if measure == "loss" and found[3] == ">=":
        raise InvalidArgument(
            f"target={given!r}: a loss falls in training; write 'loss<={value!r}'"
        )
    if split == "training" and measure != "loss":
        raise InvalidArgument(
            f"target={given!r}: on the training data the loss alone is measured; write "
            f"'training loss<=…' or 'validation {measure}{found[3]}{value!r}'"
        )
    where = "" if split == "test" else f"{split} "
    return f"{where}{measure}{found[3] or '<='}{value!r}"


def own_target(text: str, measures: Sequence[str]) -> Target | None:
    """The target that ``read_target`` found, among these measures; None for an empty text.

    >>> own_target("validation accuracy>=0.9", ("loss", "accuracy"))
    Target(value=0.9, measure=1, rising=True, split=0)
    """
    if not text:
        return None
    named, comparison, value = re.split("([<>]=)", text)
    *split, measure = named.split()
    where = SPLITS.index(split[0]) if split else TEST
    return Target(float(value), measures.index(measure), comparison == ">=", where)


def check_not_met(text: str, measures: Sequence[str], start: Sequence[Sequence[float]]) -> None:
    """Raises ``InvalidArgument`` for a target that a run meets before its first step.

    Args:
        text: The target, as ``read_target`` gives it.
        measures: Their names.
        start: What was measured before step one, (splits, measures).
    """
    target = own_target(text, measures)
    if target is None or target.split == TRAINING:  # whose loss is not known before
        return
    value = float(start[target.split][target.measure])
    if not target.met(value):
        return
    name = measures[target.measure]
    comparison, other = (">=", "<=") if target.rising else ("<=", ">=")
    turned = text.replace(comparison, other)
    raise InvalidArgument(
        f"the target '{text}' is met before step one, where the {SPLITS[target.split]} {name} is "
        f"{value:.4g}: give a value that training leads to"
        + ("" if name == "loss" else f", or '{turned}' if it is to get there from the other side")
    )
