"""How much memory a process took, and how much there is. All in bytes."""

import os
from contextlib import suppress
from pathlib import Path


def peak() -> float:
    """The most that this process has had resident so far."""
    # Not ru_maxrss where it can be helped: Linux hands on to a child what its parent had.
    with suppress(OSError, StopIteration):
        return 1024 * _field(Path("/proc/self/status"), "VmHWM")
    with suppress(ImportError):
        import resource
        import sys

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(most if sys.platform == "darwin" else most * 1024)
    return 0.0


def available() -> float:
    """What could be had now without swapping; what the machine has where that is not known."""
    free = total()
    with suppress(OSError, StopIteration):
        free = 1024 * _field(Path("/proc/meminfo"), "MemAvailable")
    return min(free, _limit())


def total() -> float:
    """What the machine, or the container, has; infinite where that is not known."""
    with suppress(AttributeError, ValueError, OSError):
        return min(float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")), _limit())
    return _limit()


def _limit() -> float:
    """Of the container, by Linux's control groups."""
    with suppress(OSError, ValueError):  # "max" is no number
        return float(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    return float("inf")


def _field(file: Path, name: str) -> int:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
