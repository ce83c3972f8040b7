"""Figures in prose, held to what is stored.

Behind a figure stands its source, ``12<!-- digits-mlp/verdict.json rules.nadam.runs -->``: a
file of ``docs/results`` and the way to the number in it. In a list an entry is found by one of its
words, such as a rule's name, or by several: ``effects.batch+sgd.speedup``; ``1/`` before the way
asks for the reciprocal. Or a page, ``5.68<!-- cost.md -->``, in which it stands. Who reads the
repository sees the figure alone; a build fails where it is not what the stored number rounds to.
"""

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
_FIGURE = re.compile(r"([−-]?[\d,]*\.?\d+)(\s?%)?<!-- (\S+\.(?:json|md))(?: (\S+))? -->")


class Wrong(Exception):
    """A figure is not the stored one."""


def checked(markdown: str) -> str:
    """The page without the sources of its figures. Raises ``Wrong`` where one is not the stored."""
    return _FIGURE.sub(_checked, markdown)


def _checked(found: re.Match[str]) -> str:
    written, percent, file, way = found.groups()
    if file.endswith(".md"):
        if not re.search(rf"(?<![\d.,]){re.escape(written)}(?![\d.,]*\d)", _text(file)):
            raise Wrong(f"{written} is not in {file}")
    else:
        value = at(json.loads(_text(f"results/{file}")), way.removeprefix("1/"))
        value = (1 / value if way.startswith("1/") else value) * (100 if percent else 1)
        decimals = len(written.partition(".")[2])
        if f"{value:.{decimals}f}" != written.replace(",", "").replace("−", "-"):
            raise Wrong(f"{written} is written for {value:g}, {file} {way}")
    return f"{written}{percent or ''}"


def at(value: Any, way: str) -> float:
    """The number that lies at the end of a way of names and words.

    >>> at({"rules": [{"rule": "sgd", "runs": 9}, {"rule": "adam", "runs": 12}]}, "rules.adam.runs")
    12.0
    """
    for name in way.split("."):
        if isinstance(value, list):
            words = set(name.split("+"))
            value = next(one for one in value if words <= _words(one))
        else:
            value = value[name if name in value else name.replace("_", " ")]
    return float(value)


def _words(entry: dict[str, Any]) -> set[str]:
    return {str(value).replace(" ", "_") for value in entry.values()}


def _text(file: str) -> str:
    return (DOCS / file).read_text(encoding="utf-8")
