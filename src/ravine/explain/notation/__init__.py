"""A rule as text, from its own code: Unicode, LaTeX, MathML, JavaScript."""

from collections.abc import Callable

from ravine.explain.notation import javascript, latex, mathml
from ravine.rules.update_rule import Rule

# What `ravine show --as` and the pages may ask for by name; the terminal's form is `plain`.
FORMS: dict[str, Callable[[Rule], str]] = {
    "latex": latex.write,
    "mathml": mathml.write,
    "javascript": javascript.write,
}
