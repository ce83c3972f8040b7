"""Races whose workers are this process, for what is said before one, or is small."""

from typing import Any

import pytest

from ravine import conduct
from ravine.racing.jobs import Workbench
from ravine.racing.pool import Source


class Here:
    """A pool whose one worker is this process, which has Keras on JAX already."""

    def __init__(self, count: int | None, workbench: dict[str, Any]) -> None:
        self._bench = Workbench(**workbench)

    def __len__(self) -> int:
        return 1

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def work(self, source: Source) -> None:
        while (job := source.take(0)) is not None:
            source.done(0, job, self._bench.do(job.name, job.arguments))
            source.handed_out()


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conduct, "Pool", Here)
