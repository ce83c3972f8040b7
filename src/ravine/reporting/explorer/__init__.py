"""The explorer: one HTML file in which anyone drags a start and sees every rule's whole path."""

import base64
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from ravine.explain.notation.node import FUNCTIONS
from ravine.explain.surfaces import SURFACES, Surface, ending, parsing
from ravine.explain.surfaces.noise import JAVASCRIPT as NOISE
from ravine.reporting.explorer.entries import Entry, script
from ravine.reporting.explorer.printed import NesterovAsPrinted
from ravine.reporting.explorer.scenes import SCENES
from ravine.reporting.scripts import fingerprint, joined, lean
from ravine.rules import RULES
from ravine.rules.update_rule import Rule

# In this order: each uses what stands above it.
MODULES = (
    "numbers", "formula", "derivative", "surfaces", "walking", "ending", "state", "rates",
    "drawing", "contours", "map", "loss", "anatomy", "strips", "rows", "basins", "tables",
    "export", "play", "scenes", "main",
)  # fmt: skip
FIRST_SEEN = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
STEPS = 200


@dataclass(frozen=True)
class Explorer:
    """A page about one surface to begin with, on which some rules are switched on."""

    surface: Surface
    rules: tuple[Rule, ...]
    steps: int = STEPS

    def html(self, picture: str = "") -> str:
        """The page: one file that asks for nothing from anywhere.

        ``picture`` is a data URL to show where scripts may not run.
        """
        from markupsafe import Markup

        from ravine.reporting.templates import render

        entries = self.entries()
        return render(
            "explorer.html",
            {"fingerprint": fingerprint},
            # Written by ravine; what a caller gave is escaped where the script is put together.
            script=Markup(self._script(entries)),  # noqa: S704
            style=Markup(_text("page.css")),  # noqa: S704
            picture=picture,
            told=", ".join(entry.title for entry in map(Entry, self.rules)),
            beginning=self.surface,
            surfaces=SURFACES.values(),
            scenes=SCENES,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page."""
        Path(path).write_text(self.html(), encoding="utf-8", newline="\n")

    def entries(self) -> list[Entry]:
        """Every rule of the page: the registered ones, the printed slip, and those given."""
        given = {rule.name: rule for rule in self.rules}
        kinds = {**RULES, NesterovAsPrinted.name: NesterovAsPrinted}
        return [Entry(rule) for rule in ({n: k() for n, k in kinds.items()} | given).values()]

    def beginning(self) -> str:
        """The state the page opens with, as it stands in its address."""
        surface = self.surface
        named = surface.name in SURFACES
        start = ",".join(f"{number:.12g}" for number in surface.start)
        what = f"surface={surface.name}" if named else f"formula={_quoted(surface.text)}"
        rules = _quoted(",".join(map(str, self.rules)))
        return f"{what}&start={start}&steps={self.steps}&rules={rules}&rates=tuned"

    def still(self) -> str:
        """The paths as declared, as a PNG in a data URL."""
        from ravine.explain.surfaces.descent import Descent
        from ravine.reporting.contours import picture

        drawn = io.BytesIO()
        descent = Descent.of(self.surface, self.rules, self.steps)
        picture(descent).save(drawn, format="png")
        return f"data:image/png;base64,{base64.b64encode(drawn.getvalue()).decode()}"

    def _repr_html_(self) -> str:
        page = escape(self.html(self.still()))
        return (
            f'<iframe srcdoc="{page}" title="ravine explorer" width="100%" '
            'height="900" style="border:0"></iframe>'
        )

    def _script(self, entries: list[Entry]) -> str:
        surfaces = ",\n".join(f'"{s.name}": {s.javascript()}' for s in SURFACES.values())
        settings = {
            "begin": self.beginning(),
            "grammar": _GRAMMAR,
            "ending": {
                "near": ending.NEAR, "gone": ending.GONE, "still": ending.STILL,
                "flat": ending.FLAT, "marks": ending.MARKS,
            },
            "scenes": [scene._asdict() for scene in SCENES],
        }  # fmt: skip
        parts = [
            '"use strict";\n{\n',
            f"const SETTINGS = {json.dumps(settings, ensure_ascii=False)};\n",
            script(entries),
            NOISE,
            f"const SURFACES = {{\n{surfaces}\n}};\n",
            joined(__package__, MODULES),
            "}\n",
        ]
        return lean("".join(parts))


_GRAMMAR = {
    "variables": parsing.VARIABLES,
    "constants": parsing.CONSTANTS,
    "callable": parsing.CALLABLE,
    "functions": FUNCTIONS,
    "longest": parsing.LONGEST,
    "deepest": parsing.DEEPEST,
    "nested": parsing.NESTED,
}


def explorer(surface: Surface, rules: Sequence[Rule] = (), steps: int = STEPS) -> Explorer:
    """The explorer of a surface; without rules those that are worth seeing first."""
    return Explorer(surface, tuple(rules) or tuple(RULES[name]() for name in FIRST_SEEN), steps)


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="(),=*/+-._")


__all__ = ["MODULES", "Explorer", "explorer"]
