"""Races whose workers are this process, for what is said before one, or is small."""

from collections.abc import Mapping
from typing import Any

import pytest

from ravine import conduct
from ravine.racing.crew import Hear, Local
from ravine.racing.jobs import Workbench


class Here(Local):
    """A crew whose one worker is this process, which has Keras on JAX already."""

    def __init__(self, count: int | None, workbench: dict[str, Any]) -> None:
        super().__init__(1, workbench)
        self._bench = Workbench(**workbench)

    def hire(self, seat: int, hear: Hear) -> Any:
        return Busy(self._bench, hear)


class Busy:
    ready = True

    def __init__(self, bench: Workbench, hear: Hear) -> None:
        self.known: set[str] = set()
        self._bench, self._hear = bench, hear

    def give(self, name: str, arguments: Mapping[str, Any]) -> None:
        self._hear(self, ("done", self._bench.do(name, arguments)))

    def end(self) -> None:
        pass


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conduct, "Local", Here)
