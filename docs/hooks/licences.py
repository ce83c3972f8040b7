"""What installing ravine brings along, and under which licences; read from what is installed."""

from collections.abc import Iterable
from functools import cache
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_CLASSIFIER = "License :: OSI Approved :: "


def licences(extra: str) -> str:
    """A row a package that ravine brings along, or that an extra of it brings beyond that."""
    found = brought_along("ravine", extra)
    if extra:
        found -= brought_along("ravine", "")
    rows = ["| package | version | licence |", "|---|---|---|"]
    for name in sorted(found - {"ravine"}):
        about = _about(name)
        said = _licence(about).replace("|", "\\|") if about else "not installed here"
        version = about["Version"] if about else ""
        rows.append(f"| {name} | {version} | {said} |")
    return "\n".join(rows)


def brought_along(name: str, extra: str) -> set[str]:
    """The distributions that installing one brings, itself and those missing here included."""
    found: dict[str, set[str]] = {}
    todo: list[tuple[str, frozenset[str]]] = [(name, frozenset({extra}))]
    while todo:
        one, extras = todo.pop()
        one = canonicalize_name(one)
        if extras <= found.get(one, set()) and one in found:
            continue
        found.setdefault(one, set()).update(extras)
        todo += [
            (requirement.name, frozenset(requirement.extras))
            for requirement in map(Requirement, _requires(one))
            if _wanted(requirement, {"", *extras})
        ]
    return set(found)


def _wanted(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


@cache
def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


@cache
def _about(name: str) -> metadata.PackageMetadata | None:
    try:
        return metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None


def _licence(about: metadata.PackageMetadata) -> str:
    """As an SPDX expression, where there is one; else its classifiers, or its first line."""
    if expression := about.get("License-Expression"):
        return str(expression)
    named = [
        c.removeprefix(_CLASSIFIER) for c in about.get_all("Classifier", []) if _CLASSIFIER in c
    ]
    if named:
        return ", ".join(named)
    first = (about.get("License") or "").strip().partition("\n")[0]
    return first or "not said"


PIECES = {"licences": licences}
