"""What a worker is asked to do."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Job(NamedTuple):
    """A method of ``EngineWorker`` and its arguments. Jobs of one ``kind`` take about
    equally long.
    """

    name: str
    arguments: Mapping[str, Any]
    kind: str = ""
