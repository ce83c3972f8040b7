"""Names that users give, of tasks, rules and metrics: what is one, and the file that goes with it.

>>> file_name("digits-mlp"), file_name("../my task")
('digits-mlp', '_my_task-2505f6')
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from ravine.errors import InvalidArgument

LONGEST = 200  # bytes of a file's name: systems allow some 255
UNWRITABLE = ("Cc", "Cs")  # control characters, which steer a terminal, and halves of characters


def check(kind: str, names: Iterable[str]) -> None:
    """Raises ``InvalidArgument`` for a name that cannot be shown as text everywhere."""
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise InvalidArgument(f"{kind} {name!r} is not allowed: give it a name")
        if any(unicodedata.category(c) in UNWRITABLE for c in name):
            raise InvalidArgument(
                f"{kind} {name!r} is not allowed: it has control characters in it"
            )


def shown(name: str) -> str:
    """A name that nobody has checked, with a mark in the place of control characters."""
    return "".join("�" if unicodedata.category(c) in UNWRITABLE else c for c in name)


def file_name(name: str) -> str:
    """A name as that of a file or folder, in one folder whatever it is; other names differ."""
    safe = re.sub(r"[^\w.=,+()-]+", "_", name).encode()[:LONGEST].decode(errors="ignore")
    safe = safe.lstrip(".")
    if safe == name != "":
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    return f"{safe}-{digest[:6]}"
