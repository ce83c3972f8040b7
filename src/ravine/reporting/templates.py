"""Pages from their templates, every value escaped."""

from typing import Any

from ravine.analysis import title
from ravine.reporting import style


def render(template: str, filters: dict[str, Any], **values: Any) -> str:
    """The page; ``light`` and ``dark`` paint are there for its style sheet."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ravine.reporting", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"name": title, **filters}
    paint = {"light": style.variables(style.LIGHT), "dark": style.variables(style.DARK)}
    return environment.get_template(template).render(**paint, **values)
