"""The names of the files in a race's work folder, through which workers meet."""

from functools import cache
from pathlib import Path

from ravine.experiment.fingerprints import digest
from ravine.experiment.plan import Run

DATA = "data.npz"


def weights_file(seed: int) -> str:
    """Where a seed's initial weights are."""
    return f"weights-{seed}.npz"


@cache
def program_file(rule: str, width: int) -> str:
    """Where a rule's traced programs are."""
    return f"program-{digest(rule)[:16]}-{width}.npz"


def discard_programs(folder: Path) -> None:
    """Remove all programs: they are code, which whoever goes on with a race traces anew."""
    for program in folder.glob("program-*"):
        program.unlink()


def checkpoint_file(run: Run, segment: int) -> str:
    """Where a run waits to be taken through a segment, with whatever runs go along."""
    return f"checkpoint-{run.id}-{segment}.npz"
