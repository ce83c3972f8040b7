"""Which cases to try where all combinations would be too many."""

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any, TypeVar

Case = TypeVar("Case")


def pairwise(cases: Iterable[Case], values: Callable[[Case], Iterable[Any]]) -> list[Case]:
    """A few of the cases, in which any two values meet that meet in some case.

    ``values`` are a case's, place by place. Always the same few: each next one is the first of
    those with the most pairs that are new.
    """
    every = list(cases)
    pairs = [set(combinations(enumerate(values(case)), 2)) for case in every]
    missing, chosen = set().union(*pairs), []
    while missing:
        best = max(range(len(every)), key=lambda i: len(pairs[i] & missing))
        missing -= pairs[best]
        chosen.append(best)
    return [every[i] for i in sorted(chosen)]
