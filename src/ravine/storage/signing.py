"""Signatures with a key that this user alone can read: what a folder must carry to be trusted.

A race's folder may come from anybody. Its pickle is opened only if this user signed that very
pickle together with the plan that lies next to it.
"""

import hmac
import os
import secrets
from contextlib import suppress

from ravine.cache import cache_folder

KEY = "signing-key"


def signature(plan: str, payload: str) -> str:
    """Sign a plan, as text, together with the digest of the pickle that belongs to it.

    Raises ``OSError`` where this user has no place for a key.
    """
    return _signed(plan, payload, _key(make=True))


def is_signed(plan: str, payload: str, signature: str) -> bool:
    """Whether this user signed the plan together with the pickle of that digest."""
    with suppress(OSError):
        return hmac.compare_digest(_signed(plan, payload, _key(make=False)), signature)
    return False


def _signed(plan: str, payload: str, key: bytes) -> str:
    # JSON strings hold no NUL: no other plan and payload give the same text.
    return hmac.new(key, f"{payload}\0{plan}".encode(), "sha256").hexdigest()


def _key(make: bool) -> bytes:
    """The key of the user alone. Raises ``OSError`` if there is none that nobody else can read."""
    path = cache_folder() / KEY
    if make and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            with suppress(FileExistsError):  # the first of several at once wins
                os.link(partial, path)
        finally:
            partial.unlink()
    if hasattr(os, "getuid"):  # on Windows the user's folders are closed to others
        status = path.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise PermissionError(f"'{path}' is open to others")
    return path.read_bytes()
