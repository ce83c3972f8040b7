"""The explorer, and the report of the race that the guide tells of, as files of the site."""

from pathlib import Path

import application

import ravine


def files(folder: Path) -> dict[str, bytes]:
    """Both pages, by where they lie in the site; ``folder`` is for temporary use."""
    ravine.explore().write(folder / "explorer.html")
    application.race().report(folder / "report.html")
    return {
        f"pages/{name}": (folder / name).read_bytes() for name in ("explorer.html", "report.html")
    }
