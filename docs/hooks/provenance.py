"""Where results come from, in a line below them."""

from collections.abc import Mapping
from typing import Any


def line(command: str, found: Mapping[str, Any]) -> str:
    """The command, the date where it is known, the machine and the versions."""
    machine = ", ".join(
        f"{value} cores" if what == "cores" else str(value)
        for what, value in found["machine"].items()
    )
    versions = ", ".join(f"{what} {value}" for what, value in found["versions"].items())
    when = f", {found['date']}" if "date" in found else ""
    return f"*`{command}`{when}; {machine}; {versions}.*"
