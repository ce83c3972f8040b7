"""Vega, as vl-convert brings it: charts as still pictures, and the script that draws them live."""

import os
import re
from contextlib import suppress
from functools import cache
from importlib import metadata
from typing import Any

from ravine.cache import cache_folder

_TAG = re.compile(r"<[a-z][^>]*>")
_PLACES = re.compile(r'( (?:d|transform|[xy][12]?|width|height)=")([^"]*)"')
_LONG = re.compile(r"\d+\.\d{2,}")
_CLIP = re.compile(r'( id="|url\(#)(clip\d+)')
# What Vega draws around groups that have neither ground nor border.
_NOTHING = re.compile(r'<path class="(?:background|foreground)"[^>]* d="(?:M0,0h0v0h0Z)?"[^>]*/>')
_SIZE = re.compile(r' width="([\d.]+)" height="[\d.]+"')
LEAST = 0.75  # of its size that a picture may shrink to; then it scrolls
ROOT = 16  # pixels of a page's text, that charts are made for


def svg(spec: dict[str, Any], name: str = "") -> str:
    """A Vega-Lite specification as SVG: equal ones give equal text, to a tenth of a pixel.

    ``name`` begins the ids in it, so that two pictures can stand on one page.
    """
    import vl_convert

    found: dict[str, str] = {}
    text = _NOTHING.sub("", vl_convert.vegalite_to_svg(spec, vl_version=version()))

    def shortened(tag: re.Match[str]) -> str:
        kept = _PLACES.sub(lambda at: f'{at[1]}{_LONG.sub(_tenth, at[2])}"', tag[0])
        # Vega counts through all pictures of a process.
        return _CLIP.sub(
            lambda clip: f"{clip[1]}{name}{found.setdefault(clip[2], f'clip{len(found)}')}", kept
        )

    return _TAG.sub(shortened, text)


def still(spec: dict[str, Any], name: str) -> str:
    """The same for a page: it grows with the page's text, and shrinks a little where it must."""

    def scaled(size: re.Match[str]) -> str:
        width = float(size[1]) / ROOT
        return f' width="{width:g}rem" style="min-width:{LEAST * width:g}rem"'

    return _SIZE.sub(scaled, svg(spec, name), count=1)


def png(drawn: str) -> bytes:
    """An SVG as PNG, twice as fine as a screen."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(drawn, scale=2))


@cache
def script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, of the version that wrote the charts.

    It takes two seconds to put together: it is kept in the cache.
    """
    import vl_convert

    kept = cache_folder() / f"vega-{version()}-{metadata.version('vl-convert-python')}.js"
    with suppress(OSError):
        return kept.read_text(encoding="utf-8")
    text = str(vl_convert.javascript_bundle(vl_version=version()))  # type: ignore[call-arg]  # its stub is wrong
    with suppress(OSError):  # a cache that cannot be written is none
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(kept)
    return text


def version() -> str:
    """Of Vega-Lite, for which the charts are written."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def prepare() -> None:
    """Load what charts are drawn with, which takes seconds: while other things are going on."""
    script()
    # The first picture starts the machinery.
    svg({"mark": "point", "data": {"values": [{}]}})


def _tenth(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
