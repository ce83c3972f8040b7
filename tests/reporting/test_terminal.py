"""The leaderboard in a terminal."""

from io import StringIO

import numpy as np
from rich.console import Console

from ravine.reporting.results import Results
from ravine.reporting.terminal import show


def test_the_leaderboard_has_every_rule_and_the_sentence(results: Results) -> None:
    console = Console(file=StringIO(), width=120)
    show(results, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert str(results.verdict) in printed
    for standing in results.verdict.standings:
        assert f"{standing.learning_rate:g}" in printed
        assert f"{standing.reached}/{standing.runs}" in printed
        assert np.isfinite(standing.final_loss) == (f"{standing.final_loss:.4f}" in printed)
