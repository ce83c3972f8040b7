"""Vega, as vl-convert brings it: charts as still pictures, and the script that draws them live."""

import re
from functools import cache
from typing import Any

_TAG = re.compile(r"<[a-z][^>]*>")
_PLACES = re.compile(r'( (?:d|transform|[xy][12]?|width|height)=")([^"]*)"')
_LONG = re.compile(r"\d+\.\d{2,}")
_CLIP = re.compile(r'( id="|url\(#)(clip\d+)')
# What Vega draws around groups that have neither ground nor border.
_NOTHING = re.compile(r'<path class="(?:background|foreground)"[^>]* d="(?:M0,0h0v0h0Z)?"[^>]*/>')
_SIZE = re.compile(r' width="([\d.]+)" height="[\d.]+"')
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
    """The same for a page: it grows with the page's text, and shrinks where there is no room."""
    return _SIZE.sub(
        lambda size: f' width="{float(size[1]) / ROOT:g}rem"', svg(spec, name), count=1
    )


@cache
def script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, of the version that wrote the charts."""
    import vl_convert

    return str(vl_convert.javascript_bundle(vl_version=version()))  # type: ignore[call-arg]  # its stub is wrong


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
