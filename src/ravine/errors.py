"""Errors a user can act on."""

import difflib
import re
from collections.abc import Iterable


class RavineError(Exception):
    """Something failed while ravine worked; the message says what and what to do (exit code 1)."""


class WrongCall(RavineError, ValueError):
    """What was asked cannot be; says what was given, what is allowed, what is near (exit 2)."""


class WorkerTraceback(Exception):
    """The traceback of an error in another process, as the cause of the one that it becomes."""


def install(extra: str) -> str:
    """The command that brings what ravine does not need to have, quoted as any shell takes it.

    >>> install("torch")
    "pip install 'ravine[torch]'"
    """
    return f"pip install 'ravine[{extra}]'"


def unknown(kind: str, given: str, known: Iterable[str]) -> WrongCall:
    """The error for a name that is not in a list, with the nearest name that is."""
    names = list(known)
    # Whoever leaves a word out means the name that has all of the others.
    words = set(re.split(r"[\W_]+", given.lower()))
    whole = [name for name in names if words <= set(re.split(r"[\W_]+", name.lower()))]
    near = difflib.get_close_matches(given.lower(), whole or names, n=1, cutoff=0.4)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
    return WrongCall(f"unknown {kind} '{given}': {hint}")
