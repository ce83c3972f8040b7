"""Where the explorer is written, and how it is opened."""

import tempfile
import webbrowser
from pathlib import Path

from ravine.errors import InvalidArgument, RavineError
from ravine.reporting.explorer import Explorer

NAME = "ravine-explorer.html"


def deliver(page: Explorer, out: Path | None, show: bool) -> Path:
    """Write the page, open it if asked to, and say where it is.

    A file that exists is left alone; the page without a place of its own is in a fresh folder
    for temporary files. Raises ``InvalidArgument`` if it may not be written there.
    """
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="ravine-")) / NAME
    try:
        if out.is_dir():
            out = out / NAME
        if out.exists():
            raise InvalidArgument(f"'{out}' exists; give --out another name, or remove it first")
        if not out.parent.is_dir():
            raise InvalidArgument(f"there is no folder '{out.parent}' to write '{out.name}' into")
        page.write(out)
    except OSError as error:
        raise RavineError(f"cannot write '{out}': {error.strerror}") from error
    if show and not webbrowser.open(out.resolve().as_uri()):
        raise RavineError(f"found no browser; open this file in one: {out}")
    return out
