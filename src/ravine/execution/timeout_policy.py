"""How long a worker may be at a job before it is held to be stuck."""

from collections import defaultdict, deque
from statistics import median

TIMES = 20.0  # what a job of the same kind took, at the median: other load slows, it does not hang
LEAST = 60.0  # seconds
LEAST_FIRST = 600.0  # where the worker also compiles
RECENT = 100  # jobs of a kind that are remembered
UNKNOWN = 3600.0  # where nothing like it was ever measured: a download, a large model


class TimeoutPolicy:
    """Learns from the jobs that are done. All times are in seconds."""

    def __init__(self) -> None:
        self._took: defaultdict[tuple[str, bool], deque[float]] = defaultdict(
            lambda: deque(maxlen=RECENT)
        )

    def took(self, kind: str, first: bool, seconds: float) -> None:
        """A job is done. ``first``: the worker had done none of its kind."""
        self._took[kind, first].append(seconds)

    def limit(self, kind: str, first: bool) -> float:
        """When to give a job up; one without a kind is like no other."""
        known = self._took.get((kind, first)) or self._took.get((kind, True))
        if not kind or not known:
            return UNKNOWN
        return max(LEAST_FIRST if first else LEAST, TIMES * median(known))
